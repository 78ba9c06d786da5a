import type { Core } from './core.js';

/** The loading progress of a room's static data. */
export interface StaticProgress {
  /** The game's key of the data. */
  key: number;
  /** Bytes loaded so far; once all are, `client.staticData(key)` has the data. */
  received: number;
  /** Bytes in all; 0 if the data was removed. */
  total: number;
}

/** A change of a part of a room's static data. */
export interface StaticChange {
  /** The game's key of the data. */
  key: number;
  /** The offset of the part in bytes. */
  offset: number;
  /** The new bytes of the part. */
  bytes: Uint8Array;
}

/** A store that keeps static data between sessions. */
export interface StaticCache {
  /** The bytes of this SHA-256, in hexadecimal; undefined for none. */
  load(hash: string): Promise<Uint8Array | undefined>;
  /** Stores the bytes, if it can. */
  store(hash: string, bytes: Uint8Array): Promise<void>;
}

const CACHE_NAME = 'tickwire-static';
const BYTES_MAX = 64 * 1024 * 1024;

/**
 * The browser's own cache; drops the oldest bytes beyond `bytesMax`. Undefined if there is none, as on a page without TLS that is
 * not on localhost.
 */
export function browserCache(bytesMax = BYTES_MAX): StaticCache | undefined {
  if (!('caches' in globalThis) || !globalThis.crypto?.subtle) return undefined;
  // Any address will do: nothing is fetched from it.
  const addressOf = (hash: string) => `https://tickwire.invalid/static/${hash}`;
  return {
    async load(hash) {
      const cache = await caches.open(CACHE_NAME);
      const found = await cache.match(addressOf(hash));
      return found && new Uint8Array(await found.arrayBuffer());
    },
    async store(hash, bytes) {
      const cache = await caches.open(CACHE_NAME);
      const headers = { 'content-length': String(bytes.length), 'content-type': 'application/octet-stream' };
      await cache.put(addressOf(hash), new Response(Uint8Array.from(bytes), { headers }));
      // In the order of storing.
      const kept = await Promise.all((await cache.keys()).map(async (request) => ({ request, bytes: await lengthOf(cache, request) })));
      let total = kept.reduce((sum, { bytes }) => sum + bytes, 0);
      for (const { request, bytes } of kept) {
        if (total <= bytesMax) break;
        await cache.delete(request);
        total -= bytes;
      }
    },
  };
}

async function lengthOf(cache: Cache, request: Request): Promise<number> {
  return Number((await cache.match(request))?.headers.get('content-length') ?? 0);
}

/** Moves static data between a core and the cache. Never fails: without a cache the data comes from the server. */
export class StaticLoader {
  readonly #cache: StaticCache | undefined;
  readonly #given: () => void;

  /** `given` is called after a core got its data later than asked. */
  constructor(cache: StaticCache | undefined, given: () => void) {
    this.#cache = cache;
    this.#given = given;
  }

  /** Begins a session. */
  begin(core: Core): void {
    if (this.#cache) core.useStaticCache();
  }

  /** Serves the core's requests to the cache. */
  serve(core: Core): void {
    for (let hash = core.pollStaticWanted(); hash; hash = core.pollStaticWanted()) {
      if (this.#cache) void this.#find(this.#cache, core, hash);
      else core.giveStatic(hash, undefined);
    }
    for (let bytes = core.pollStaticLoaded(); bytes; bytes = core.pollStaticLoaded()) void this.#keep(bytes);
  }

  async #find(cache: StaticCache, core: Core, hash: Uint8Array): Promise<void> {
    let found: Uint8Array | undefined;
    try {
      found = await cache.load(hex(hash));
      if (found && hex(await hashOf(found)) !== hex(hash)) found = undefined;
    } catch {
      // Full or forbidden storage counts as an empty cache.
    }
    core.giveStatic(hash, found);
    this.#given();
  }

  async #keep(bytes: Uint8Array): Promise<void> {
    try {
      await this.#cache?.store(hex(await hashOf(bytes)), bytes);
    } catch {
      // The next session loads it again.
    }
  }
}

async function hashOf(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(bytes)));
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
