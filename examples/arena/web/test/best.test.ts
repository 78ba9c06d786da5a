import { expect, test } from 'vitest';
import { linesOf } from '../src/best';

test('lines are those of the answer, and there are none in one of another form', () => {
  const line = { rank: 1, name: '<b>Ann</b>', score: 31, since_ms: 5 };
  expect(linesOf({ board: 'score', accounts: 2, scores: [line, null, { rank: 2 }, 7] })).toEqual([line]);
  for (const other of [null, 7, 'text', [], {}, { scores: null }, { scores: { rank: 1 } }]) {
    expect(linesOf(other)).toEqual([]);
  }
});
