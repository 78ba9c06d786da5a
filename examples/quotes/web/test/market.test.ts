import type { TopicMessage } from 'tickwire';
import { expect, test } from 'vitest';
import { changeOf, Market, pointsOf, Skips } from '../src/market';
import { isLive, ordered, type Query } from '../src/order';

function message(topic: string, key: string, payload: number[] | string, sequence = 1): TopicMessage {
  const bytes = typeof payload === 'string' ? new TextEncoder().encode(payload) : new Uint8Array(new Uint32Array(payload).buffer);
  return { topic, key, sequence, payload: bytes, text: () => new TextDecoder().decode(bytes) } as TopicMessage;
}

/** A market of these symbols, with names and prices in cents. */
function marketOf(shares: Record<string, [name: string, cents: number]>): Market {
  const market = new Market();
  for (const [symbol, [name, cents]] of Object.entries(shares)) {
    market.takeName(message('names/NORD', symbol, name));
    market.takeQuote(message('board/NORD', symbol, [cents, 1000, cents % 97]));
  }
  return market;
}

test('a share is what its messages say, in whichever order they come', () => {
  const market = new Market();
  market.takeQuote(message('board/NORD', 'ACME', [1100, 1000, 7]));
  market.takeName(message('names/NORD', 'ACME', 'Acme Rail'));
  const share = market.shares.get('ACME')!;
  expect(share).toMatchObject({ symbol: 'ACME', name: 'Acme Rail', exchange: 'NORD', cents: 1100, openCents: 1000, volume: 7, version: 2, changes: 0 });
  expect(changeOf(share)).toBeCloseTo(0.1);
  market.takeQuote(message('board/NORD', 'ACME', [1050, 1000, 9]));
  market.takeQuote(message('board/NORD', 'ACME', [1050, 1000, 11]));
  expect(share).toMatchObject({ cents: 1050, volume: 11, version: 4, changes: 1, moved: -50 });
});

test('a message of another form than this page knows breaks nothing', () => {
  const market = new Market();
  expect(market.takeQuote(message('board/NORD', 'ACME', []))).toMatchObject({ cents: 0, openCents: 0 });
  expect(changeOf(market.shares.get('ACME')!)).toBe(0);
  expect(pointsOf(message('chart/ACME', '', [1, 2, 3]))).toEqual([[1, 2]]);
});

test('points come out of a part of a larger buffer too', () => {
  const all = new Uint8Array(new Uint32Array([9, 100, 5000, 101, 5001]).buffer);
  expect(pointsOf({ payload: all.subarray(4) } as TopicMessage)).toEqual([
    [100, 5000],
    [101, 5001],
  ]);
});

test('the board has the shares with every word, in order', () => {
  const { shares } = marketOf({ BBBB: ['Amber Rail', 300], AAAA: ['Birch Rail', 100], CCCC: ['Amber Gas', 200] });
  const symbols = (query: Partial<Query>) => {
    const full = { text: '', sort: 'symbol', isDescending: false, ...query } as const;
    return ordered(shares.values(), full).map(({ symbol }) => symbol);
  };
  expect(symbols({})).toEqual(['AAAA', 'BBBB', 'CCCC']);
  expect(symbols({ text: 'RAIL amber' })).toEqual(['BBBB']);
  expect(symbols({ text: ' nord ' })).toHaveLength(3);
  expect(symbols({ text: 'zinc' })).toEqual([]);
  expect(symbols({ sort: 'price', isDescending: true })).toEqual(['BBBB', 'CCCC', 'AAAA']);
  expect(symbols({ sort: 'name' })).toEqual(['CCCC', 'BBBB', 'AAAA']);
  expect(symbols({ sort: 'change' })).toEqual(['AAAA', 'CCCC', 'BBBB']);
  expect([isLive({ text: '', sort: 'name', isDescending: false }), isLive({ text: '', sort: 'change', isDescending: false })]).toEqual([false, true]);
});

test('skipped messages are those whose numbers are missing once the table is filled, of each topic', () => {
  const skips = new Skips();
  const see = (topic: string, key: string, sequence: number) => skips.see(message(topic, key, [], sequence));
  // The table: the newest of each key, with whatever was before them in between.
  see('board/A', 'x', 10);
  see('board/A', 'y', 500);
  see('board/B', 'z', 7);
  expect(skips.count).toBe(0);
  see('board/A', 'x', 501);
  see('board/A', 'y', 502);
  expect(skips.count).toBe(0);
  see('board/A', 'x', 506);
  expect(skips.count).toBe(3);
  see('board/B', 'w', 90);
  expect(skips.count).toBe(3);
  skips.begin();
  see('board/A', 'x', 2000);
  expect(skips.count).toBe(3);
});
