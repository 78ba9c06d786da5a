// Which shares the board has, and in which order.
import { changeOf, type Share } from './market';

export type SortKey = 'symbol' | 'name' | 'price' | 'change' | 'volume';

/** What the board is asked to show. */
export interface Query {
  text: string;
  sort: SortKey;
  isDescending: boolean;
}

const COMPARE: Record<SortKey, (a: Share, b: Share) => number> = {
  symbol: (a, b) => (a.symbol < b.symbol ? -1 : 1),
  name: (a, b) => (a.name === b.name ? COMPARE.symbol(a, b) : a.name < b.name ? -1 : 1),
  price: (a, b) => a.cents - b.cents,
  change: (a, b) => changeOf(a) - changeOf(b),
  volume: (a, b) => a.volume - b.volume,
};

/** Whether the order changes as prices do. */
export function isLive({ sort }: Query): boolean {
  return sort === 'price' || sort === 'change' || sort === 'volume';
}

/** The shares that have every word of the text, in order. */
export function ordered(shares: Iterable<Share>, { text, sort, isDescending }: Query): Share[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const found: Share[] = [];
  for (const share of shares) if (words.every((word) => share.words.includes(word))) found.push(share);
  const compare = COMPARE[sort];
  return found.sort(isDescending ? (a, b) => compare(b, a) : compare);
}
