import { afterEach, expect, test, vi } from 'vitest';
import type { Core } from '../src/core.js';
import { browserCache, type StaticCache, StaticLoader } from '../src/static-data.js';

afterEach(() => vi.unstubAllGlobals());

const MAP = new Uint8Array([1, 2, 3]);
const HASH = new Uint8Array(await crypto.subtle.digest('SHA-256', MAP));
const HEX = Array.from(HASH, (byte) => byte.toString(16).padStart(2, '0')).join('');

/** A core that wants `MAP`, or has loaded it. */
function coreOf({ wants = true } = {}) {
  const wanted = wants ? [HASH] : [];
  const loaded = wants ? [] : [MAP];
  const given: (Uint8Array | undefined)[] = [];
  const core = {
    given,
    useStaticCache: () => {},
    pollStaticWanted: () => wanted.shift(),
    pollStaticLoaded: () => loaded.shift(),
    giveStatic: (_: Uint8Array, found: Uint8Array | undefined) => given.push(found),
  };
  return core as unknown as Core & typeof core;
}

/** What one core is given. */
async function givenBy(cache: StaticCache | undefined): Promise<(Uint8Array | undefined)[]> {
  const core = coreOf();
  await new Promise<void>((done) => {
    new StaticLoader(cache, () => done()).serve(core);
    if (!cache) done();
  });
  return core.given;
}

const cacheOf = (bytes: Uint8Array | undefined): StaticCache => ({ load: async () => bytes, store: async () => {} });

test('what the cache has is taken, if it is what it should be', async () => {
  expect(await givenBy(cacheOf(MAP))).toEqual([MAP]);
  expect(await givenBy(cacheOf(new Uint8Array([1, 2, 4])))).toEqual([undefined]);
  expect(await givenBy(cacheOf(undefined))).toEqual([undefined]);
  expect(await givenBy(undefined), 'the server is asked').toEqual([undefined]);
  const broken = { load: () => Promise.reject(new Error('forbidden')), store: async () => {} };
  expect(await givenBy(broken)).toEqual([undefined]);
});

test('what is loaded is kept by its own hash', async () => {
  const store = vi.fn(async () => {});
  new StaticLoader({ load: async () => undefined, store }, () => {}).serve(coreOf({ wants: false }));
  await vi.waitFor(() => expect(store).toHaveBeenCalledWith(HEX, MAP));
});

/** As much of the Cache API as is used. */
function fakeCaches() {
  const kept = new Map<string, Response>();
  const urlOf = (request: string | { url: string }) => (typeof request === 'string' ? request : request.url);
  const cache = {
    match: async (request: string) => kept.get(urlOf(request))?.clone(),
    put: async (request: string, response: Response) => void kept.set(urlOf(request), response),
    keys: async () => [...kept.keys()].map((url) => ({ url })),
    delete: async (request: string) => kept.delete(urlOf(request)),
  };
  return { open: async () => cache };
}

test('the browser keeps what it may, the newest', async () => {
  vi.stubGlobal('caches', fakeCaches());
  const cache = browserCache(250)!;
  for (const name of ['a', 'b', 'c', 'd']) await cache.store(name, new Uint8Array(100).fill(7));
  const found = await Promise.all(['a', 'b', 'c', 'd'].map((name) => cache.load(name)));
  expect(found.map((bytes) => bytes?.length)).toEqual([undefined, undefined, 100, 100]);
});

test('without a cache there is none', () => {
  vi.stubGlobal('caches', undefined);
  Reflect.deleteProperty(globalThis, 'caches');
  expect(browserCache()).toBeUndefined();
});
