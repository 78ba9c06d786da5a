import { afterEach, expect, test, vi } from 'vitest';
import { planFor, recall, remember, roundTripMs } from '../src/path.js';

afterEach(() => vi.unstubAllGlobals());

const DAY_MS = 24 * 3600 * 1000;

/** A browser's storage. */
class Storage extends Map<string, string> {
  getItem = (key: string) => this.get(key) ?? null;
  setItem = (key: string, value: string) => void this.set(key, value);
}

test('a longer path is waited for longer, and one where WebTransport worked twice as long', () => {
  const [near, far] = [planFor(undefined, 1), planFor(undefined, 200)];
  expect(far.holdMs).toBeGreaterThan(near.holdMs + 15 * 190);
  expect(planFor('webtransport', 1).holdMs).toBe(2 * near.holdMs);
  for (const trip of [0, 1, 20, 100, 200, 5000]) {
    const { beginMs, holdMs } = planFor(undefined, trip);
    expect(beginMs.webtransport).toBe(0);
    expect(beginMs.websocket! > holdMs / 3 && holdMs <= 6000, `${trip} ms`).toBe(true);
  }
});

test('a machine that takes long to ask has longer for a handshake, up to a bound', () => {
  const hold = (askedMs: number) => planFor(undefined, 20, askedMs).holdMs;
  expect(hold(60)).toBe(hold(0));
  expect(hold(160)).toBe(hold(0) + 500);
  expect(hold(60_000)).toBe(hold(0) + 2000);
});

test('what worked is remembered for a day, for each server', () => {
  vi.stubGlobal('localStorage', new Storage());
  remember('a.example:1', 'blocked', 1000);
  remember('b.example:1', 'stalled', 1000);
  expect([recall('a.example:1', 2000), recall('b.example:1', 2000), recall('c.example:1', 2000)]).toEqual(['blocked', 'stalled', undefined]);
  expect(recall('a.example:1', 1000 + DAY_MS)).toBeUndefined();
  remember('a.example:1', 'webtransport', 3000);
  expect(recall('a.example:1', 4000)).toBe('webtransport');
});

test('a clock that went back, and what somebody else wrote, are not believed', () => {
  const storage = new Storage();
  vi.stubGlobal('localStorage', storage);
  remember('a.example:1', 'blocked', 5 * DAY_MS);
  expect(recall('a.example:1', DAY_MS)).toBeUndefined();
  const [key] = [...storage.keys()];
  for (const text of ['', 'blocked', 'blocked soon', `websocket ${DAY_MS + 1}`, '{"known":"blocked"}']) {
    storage.set(key!, text);
    expect(recall('a.example:1', DAY_MS), text).toBeUndefined();
  }
});

test('without a storage, or with one that may not be used, it is remembered as long as the page lives', () => {
  remember('d.example:1', 'blocked');
  expect(recall('d.example:1')).toBe('blocked');
  const refuse = () => {
    throw new DOMException('denied', 'SecurityError');
  };
  vi.stubGlobal('localStorage', { getItem: refuse, setItem: refuse });
  remember('e.example:1', 'stalled');
  expect(recall('e.example:1')).toBe('stalled');
  Object.defineProperty(globalThis, 'localStorage', { configurable: true, get: refuse });
  expect(recall('e.example:1')).toBe('stalled');
  Reflect.deleteProperty(globalThis, 'localStorage');
});

test('the round trip is the least that was measured of the same server, or else host, caches left aside', () => {
  const entry = (name: string, requestStart: number, responseStart: number, transferSize = 300) => ({ name, requestStart, responseStart, transferSize });
  const entries: Record<string, unknown[]> = {
    navigation: [entry('https://play.example/', 100, 190)],
    resource: [
      entry('https://play.example:4433/certificate.json', 300, 362.5),
      entry('https://play.example:4433/schema.json', 400, 470),
      entry('https://play.example/cached.js', 300, 301, 0),
      entry('https://cdn.example/near.js', 300, 302),
      entry('https://play.example/hidden', 0, 0),
    ],
  };
  vi.stubGlobal('performance', { getEntriesByType: (type: string) => entries[type] ?? [] });
  const to = (url: string) => roundTripMs(new URL(url));
  expect(to('https://play.example:4433/')).toBe(62.5);
  expect(to('https://play.example:5544/')).toBe(62.5);
  expect(to('https://play.example/')).toBe(90);
  expect(to('https://other.example/')).toBeUndefined();
  vi.stubGlobal('performance', {});
  expect(to('https://play.example/')).toBeUndefined();
});
