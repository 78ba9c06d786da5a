import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { pauseMs, Retry } from '../src/retry';

let page: EventTarget;

beforeEach(() => {
  page = new EventTarget();
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('pauses double up to half a minute, and spread over their upper half', () => {
  const range = (attempt: number) => [pauseMs(attempt, 0), pauseMs(attempt, 1)];
  expect([0, 1, 2, 3, 4, 50].map(range)).toEqual([
    [1000, 2000],
    [2000, 4000],
    [4000, 8000],
    [8000, 16_000],
    [15_000, 30_000],
    [15_000, 30_000],
  ]);
  const some = Array.from({ length: 100 }, () => pauseMs(3));
  expect(new Set(some).size).toBeGreaterThan(50);
  expect(some.every((ms) => ms >= 8000 && ms <= 16_000)).toBe(true);
});

/** What a retry does: `3` is a countdown that shows 3, `!` an attempt. */
function watched() {
  const log: string[] = [];
  const retry = new Retry(() => log.push('!'), (seconds) => log.push(String(seconds)));
  return { log, retry };
}

test('the seconds left are counted down, then an attempt is made', () => {
  vi.spyOn(Math, 'random').mockReturnValue(0.8);
  const { log, retry } = watched();
  retry.wait();
  vi.advanceTimersByTime(1799);
  expect(log).toEqual(['2', '1']);
  vi.advanceTimersByTime(1);
  expect(log).toEqual(['2', '1', '!']);
  retry.wait();
  vi.advanceTimersByTime(60_000);
  expect(log.join(' ')).toBe('2 1 ! 4 3 2 1 !');
});

test('an attempt may be made at once, by hand or when the network is back, and replaces the one that was waited for', () => {
  const { log, retry } = watched();
  page.dispatchEvent(new Event('online'));
  expect(log).toEqual([]);
  retry.wait();
  retry.now();
  retry.wait();
  page.dispatchEvent(new Event('online'));
  vi.advanceTimersByTime(60_000);
  expect(log.filter((entry) => entry === '!')).toHaveLength(2);
  expect(retry.attempts).toBe(2);
});

test('after a stop nothing is tried, and pauses begin short again', () => {
  const { log, retry } = watched();
  for (let attempt = 0; attempt < 5; attempt++) retry.now();
  retry.wait();
  retry.stop();
  log.length = 0;
  vi.advanceTimersByTime(60_000);
  expect(log).toEqual([]);
  retry.wait();
  vi.advanceTimersByTime(2000);
  expect(log.at(-1)).toBe('!');
});
