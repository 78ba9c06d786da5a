// The shares, as the server's messages tell of them; see `src/market.rs` for their bytes.
import type { TopicMessage } from 'tickwire';

/** A share. */
export interface Share {
  readonly symbol: string;
  exchange: string;
  name: string;
  /** In lower case, to filter by. */
  words: string;
  cents: number;
  openCents: number;
  volume: number;
  /** Counts whatever this page reads of it. */
  version: number;
  /** Changes of its price that this page has read. */
  changes: number;
  /** The last change: more or less than 0. */
  moved: number;
}

/** All shares that the server has told of. */
export class Market {
  readonly shares = new Map<string, Share>();
  /** Counts what makes another order or another list. */
  version = 0;

  /** Takes a message of `names/*`. */
  takeName(message: TopicMessage): void {
    const share = this.#share(message);
    share.name = message.text();
    share.words = `${share.symbol} ${share.name} ${share.exchange}`.toLowerCase();
    share.version++;
    this.version++;
  }

  /** Takes a message of `board/*`. */
  takeQuote(message: TopicMessage): Share {
    const share = this.#share(message);
    const [cents = 0, openCents = 0, volume = 0] = numbersOf(message.payload);
    if (share.cents !== 0 && cents !== share.cents) {
      share.moved = cents - share.cents;
      share.changes++;
    }
    share.cents = cents;
    share.openCents = openCents;
    share.volume = volume;
    share.version++;
    return share;
  }

  #share({ key: symbol, topic }: TopicMessage): Share {
    let share = this.shares.get(symbol);
    if (!share) {
      const exchange = topic.slice(topic.indexOf('/') + 1);
      const words = `${symbol} ${exchange}`.toLowerCase();
      share = { symbol, exchange, name: '', words, cents: 0, openCents: 0, volume: 0, version: 0, changes: 0, moved: 0 };
      this.shares.set(symbol, share);
      this.version++;
    }
    return share;
  }
}

/** How far the price is from that of the opening, as a part of it. */
export function changeOf({ cents, openCents }: Share): number {
  return openCents === 0 ? 0 : cents / openCents - 1;
}

/** Points of a chart: pairs of seconds since 1970 and cents. */
export function pointsOf(message: TopicMessage): [timeS: number, cents: number][] {
  const numbers = numbersOf(message.payload);
  return Array.from({ length: numbers.length >> 1 }, (_, at) => [numbers[2 * at]!, numbers[2 * at + 1]!]);
}

/** Numbers of four bytes, the lowest first; what is left over is ignored. */
function numbersOf({ buffer, byteOffset, byteLength }: Uint8Array): number[] {
  const view = new DataView(buffer, byteOffset, byteLength);
  return Array.from({ length: byteLength >> 2 }, (_, at) => view.getUint32(4 * at, true));
}

/** Counts the messages that a reader of the latest values skipped: their numbers in the topic are missing. */
export class Skips {
  /** So far. */
  count = 0;
  readonly #topics = new Map<string, { last: number; keys: Set<string> | undefined }>();

  /** A session begins: it first brings the newest message of each key, whatever was before. */
  begin(): void {
    this.#topics.clear();
  }

  /** A message was read. */
  see({ topic, key, sequence }: TopicMessage): void {
    let seen = this.#topics.get(topic);
    if (!seen) this.#topics.set(topic, (seen = { last: sequence, keys: new Set() }));
    // A key that comes again shows that the table is filled.
    if (seen.keys?.has(key)) seen.keys = undefined;
    seen.keys?.add(key);
    if (!seen.keys) this.count += Math.max(0, sequence - seen.last - 1);
    seen.last = sequence;
  }
}
