import { expect, test, vi } from 'vitest';
import { StallWatch } from '../src/stall.js';

/** Asks every 50 ms from `from` until it stalls, or for `forMs`. When it did. */
function stallsAt(watch: StallWatch, from: number, forMs: number, tickHz?: number, each?: (now: number) => void): number | undefined {
  for (let now = from; now <= from + forMs; now += 50) {
    each?.(now);
    if (watch.isStalled(now, tickHz)) return now - from;
  }
  return undefined;
}

test('a room without a datagram for three seconds stalls, and one that has them does not', () => {
  expect(stallsAt(new StallWatch(), 0, 10_000, 60)).toBe(3000);
  const watch = new StallWatch();
  expect(stallsAt(watch, 0, 60_000, 60, (now) => now % 2000 === 0 && watch.heardDatagram())).toBeUndefined();
  expect(watch.silentMs).toBeLessThan(2000);
});

test('outside of a room no datagrams are due', () => {
  expect(stallsAt(new StallWatch(), 0, 60_000)).toBeUndefined();
});

test('a room of two ticks a second may be silent for twelve of them', () => {
  expect(stallsAt(new StallWatch(), 0, 60_000, 2)).toBe(6000);
});

test('a request without an answer stalls though datagrams come', () => {
  const watch = new StallWatch();
  const hear = () => watch.heardDatagram();
  expect(stallsAt(watch, 0, 10_000, 60, hear)).toBeUndefined();
  watch.asked();
  expect(stallsAt(watch, 10_000, 10_000, 60, hear)).toBeGreaterThanOrEqual(2950);
  watch.heardStream();
  expect(stallsAt(watch, 30_000, 10_000, 60, hear)).toBeUndefined();
});

test('a page that was suspended has not been silent for as long', () => {
  const watch = new StallWatch();
  expect(stallsAt(watch, 0, 1000, 60)).toBeUndefined();
  expect(watch.isStalled(60_000, 60)).toBe(false);
  watch.heardDatagram();
  expect(stallsAt(watch, 60_050, 2800, 60)).toBeUndefined();
});

test('a hidden page, whose timers run once a second, notices a silence as soon', () => {
  const watch = new StallWatch();
  watch.asked();
  vi.stubGlobal('document', { hidden: true });
  for (let now = 0; now <= 15_000; now += 1000) watch.isStalled(now, undefined);
  expect(watch.silentMs).toBe(15_000);
  watch.heardStream();
  watch.asked();
  vi.stubGlobal('document', { hidden: false });
  for (let now = 16_000; now <= 31_000; now += 1000) watch.isStalled(now, undefined);
  expect(watch.silentMs).toBe(16 * 250);
  vi.unstubAllGlobals();
});

test('it is quiet where nothing came, until something is asked', () => {
  const watch = new StallWatch();
  expect(stallsAt(watch, 0, 10_000)).toBeUndefined();
  expect(watch.quietMs).toBe(10_000);
  watch.asked();
  expect(watch.quietMs).toBe(0);
  watch.heardStream();
  expect(stallsAt(watch, 10_050, 1000)).toBeUndefined();
  expect(watch.quietMs).toBe(1050);
});

test('a stall that is known is one again after as long, and its silence is counted from its beginning', () => {
  const watch = new StallWatch();
  expect(stallsAt(watch, 0, 10_000, 60)).toBe(3000);
  watch.excuse();
  expect(watch.isStalled(3050, 60)).toBe(false);
  expect(stallsAt(watch, 3100, 10_000, 60)).toBe(2900);
  expect(watch.silentMs).toBe(6000);
  watch.heardDatagram();
  expect(stallsAt(watch, 6050, 10_000, 60)).toBe(2950);
});

test('a connection that the session moved to has one second for its first datagram, and then as long as any', () => {
  const watch = new StallWatch(true);
  let nowMs = 0;
  const pass = (ms: number) => {
    let isStalled = false;
    for (let left = ms; left > 0; left -= 50) isStalled = watch.isStalled((nowMs += 50), 60);
    return isStalled;
  };
  watch.isStalled(0, 60);
  expect([pass(900), pass(200)]).toEqual([false, true]);
  watch.heardDatagram();
  expect([pass(2900), pass(200)]).toEqual([false, true]);
});
