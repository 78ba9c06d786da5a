import { expect, test } from 'vitest';
import { FRAMES_SHOWN, History } from '../src/hud/graph';

test('a history keeps the newest values, oldest first', () => {
  const history = new History();
  expect(history.size).toBe(0);
  history.push(7);
  expect([history.size, history.at(0)]).toEqual([1, 7]);
  for (let value = 0; value < FRAMES_SHOWN + 5; value++) history.push(value);
  expect([history.size, history.at(0), history.at(FRAMES_SHOWN - 1)]).toEqual([FRAMES_SHOWN, 5, FRAMES_SHOWN + 4]);
});
