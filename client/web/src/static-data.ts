import type { Core } from './core.js';

/** How much of a room's static data is here. */
export interface StaticProgress {
  /** The game's own number for it. */
  key: number;
  /** Bytes that are here: with all of them `client.staticData(key)` has it. */
  received: number;
  /** Bytes in all; 0 for none any more. */
  total: number;
}

/** A part of a room's static data is another. */
export interface StaticChange {
  /** The game's own number for it. */
  key: number;
  /** Where the part begins. */
  offset: number;
  /** What is there now. */
  bytes: Uint8Array;
}

/** Where static data is kept between sessions. */
export interface StaticCache {
  /** The bytes of this SHA-256, in hexadecimal; undefined for none. */
  load(hash: string): Promise<Uint8Array | undefined>;
  /** Keeps them, if it can. */
  store(hash: string, bytes: Uint8Array): Promise<void>;
}

const CACHE_NAME = 'tickwire-static';
const BYTES_MAX = 64 * 1024 * 1024;

/**
 * The browser's own cache; the oldest bytes go where there are more than `bytesMax`. Undefined where there is none, as on a page
 * without TLS that is not on localhost.
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
      // In the order in which they were put.
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

/** Gives a core what the cache has, and the cache what the core loaded. Never fails: without a cache the server is asked. */
export class StaticLoader {
  readonly #cache: StaticCache | undefined;
  readonly #given: (core: Core) => void;

  /** `given` is called when a core was given something later than asked. */
  constructor(cache: StaticCache | undefined, given: (core: Core) => void) {
    this.#cache = cache;
    this.#given = given;
  }

  /** A session begins. */
  begin(core: Core): void {
    if (this.#cache) core.useStaticCache();
  }

  /** Does what the core wants done. */
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
      // Storage that is full or forbidden is as none.
    }
    core.giveStatic(hash, found);
    this.#given(core);
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
