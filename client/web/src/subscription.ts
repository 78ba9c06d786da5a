import { Emitter, type Listener } from './emitter.js';
import { TickwireError } from './errors.js';

/** Bytes of messages that wait for their reader at most. */
const UNREAD_BYTES_MAX = 16 * 1024 * 1024;
/** Bytes that a message counts beside its key's and payload's. */
const MESSAGE_BYTES = 256;
/** The most messages that a server is asked for: all that it keeps. */
const LAST_MAX = 0xffff_ffff;
const UTF8 = new TextDecoder();

/**
 * Which messages of a topic come: `ordered` is every message, once and in order; `latest` the newest message of each key, in the
 * order of their last change, where a slow reader skips the older ones.
 */
export type TopicDelivery = 'ordered' | 'latest';

/** Where a subscription begins in a topic that has messages. */
export type TopicStart =
  /** With the next message. */
  | 'new'
  /** With the last ones, this many at most, `Infinity` for all that are kept; by `latest` those of that many keys. */
  | { last: number }
  /** With those of the last milliseconds. */
  | { sinceMs: number };

/** The last message of a topic that was read: JSON can hold it, to go on after it in another session. */
export interface TopicCursor {
  /** The topic's name. */
  topic: string;
  /** Names the topic's log: a topic that was made anew, as by a server that was started again, has another one. */
  epoch: string;
  /** The number of the message. */
  sequence: number;
}

/** How a subscription delivers, and where it begins. */
export interface SubscribeOptions {
  /** Every message if not given. */
  delivery?: TopicDelivery | undefined;
  /** With the next message if not given. */
  start?: TopicStart | undefined;
  /** Where it goes on in these topics, in place of `start`: the {@link TopicSubscription.cursors} of an earlier session. */
  cursors?: readonly TopicCursor[] | undefined;
}

/** The same as the core takes it. @internal */
export interface SubscribeRequest {
  readonly delivery: TopicDelivery;
  readonly last?: number;
  readonly sinceMs?: number;
  readonly cursors: readonly TopicCursor[];
}

/** A topic is followed from now on. */
export interface TopicFollowed {
  /** Its name. */
  topic: string;
  /**
   * It goes on after a cursor, or after the last message before a restart of the server. False where there was none, or where the
   * topic was made anew since: then it is not known what was missed.
   */
  isContinued: boolean;
}

/**
 * Messages that the server does not keep any more, as the client was too slow or away for too long. By `latest` they are removals:
 * forget the topic's values, those that there are come again. A {@link TopicTable} does so by itself.
 */
export interface TopicMissed {
  /** Their topic. */
  topic: string;
  /** The number of the first. */
  first: number;
  /** The number of the last. */
  last: number;
}

/** What a subscription reports. */
export interface SubscriptionEvents {
  /** A message: once, and after all earlier ones of its topic. Those that wait for a reader are told first. */
  message: TopicMessage;
  /** A topic matches the pattern, now or again. */
  followed: TopicFollowed;
  /** Messages are gone. */
  missed: TopicMissed;
  /** It is over: with an error, or `undefined` after `unsubscribe()` or `client.close()`. Once, last. */
  end: TickwireError | undefined;
}

/** A message as its server numbered it. */
export class TopicMessage {
  /** The topic's name. */
  readonly topic: string;
  /** Counts the messages of the topic from 1. */
  readonly sequence: number;
  /** Milliseconds since 1970 by the server's clock. */
  readonly timeMs: number;
  /** The number of who published it; 0 for the server's own program. */
  readonly from: number;
  /** What it is the newest value of; empty for the topic as a whole. */
  readonly key: string;
  /**
   * What it says of its key: its newest `value`; that whoever holds the value is `away`, with the value once more; or that it is
   * `removed`.
   */
  readonly kind: 'value' | 'away' | 'removed';
  /** Its bytes. */
  readonly payload: Uint8Array;

  /** @internal */
  constructor({ topic, sequence, timeMs, from, key, kind, payload }: Omit<TopicMessage, 'text' | 'json'>) {
    this.topic = topic;
    this.sequence = sequence;
    this.timeMs = timeMs;
    this.from = from;
    this.key = key;
    this.kind = kind;
    this.payload = payload;
  }

  /** The bytes as UTF-8; what is none becomes U+FFFD. */
  text(): string {
    return UTF8.decode(this.payload);
  }

  /** The bytes as JSON. Anybody who may publish may have sent anything: check what it is. Throws a `SyntaxError` if it is no JSON. */
  json(): unknown {
    return JSON.parse(this.text());
  }
}

/** The last message that came of a topic's log. */
interface TopicPosition {
  readonly epoch: string;
  sequence: number;
}

interface Unread {
  readonly message: TopicMessage;
  readonly place: TopicPosition | undefined;
}

interface Waiting {
  resolve: (result: IteratorResult<TopicMessage, undefined>) => void;
  reject: (error: TickwireError) => void;
}

/**
 * A subscription to topics. Read it by a loop, `for await (const message of subscription)`, or by `on('message', ..)`; what comes
 * before either waits. A loop gets a message when it asks for one: by `latest` it skips what is no longer the newest of its key by
 * then. Leaving the loop ends the subscription.
 *
 * A loop ends where the subscription does, by throwing if that is by an error. One that leaves more than 16 MiB unread loses the
 * subscription, with `TopicsUnread`; begin another one from {@link cursors}.
 */
export class TopicSubscription implements AsyncIterable<TopicMessage> {
  /** The pattern of names. */
  readonly pattern: string;
  /** Which messages come. */
  readonly delivery: TopicDelivery;
  /** Fulfilled when the server has it, rejected with why not. It need not be awaited. */
  readonly ready: Promise<void>;
  readonly #leave: () => Promise<void>;
  readonly #emitter = new Emitter<SubscriptionEvents>();
  readonly #places = new Map<string, TopicPosition>();
  /** By key of a topic if only the newest counts, else by a count. The oldest is first. */
  readonly #unread = new Map<string | number, Unread>();
  #reading = this.#unread.entries();
  #unreadBytes = 0;
  #taken = 0;
  #waiting: Waiting[] = [];
  #end: { readonly error: TickwireError | undefined } | undefined;

  /** @internal */
  constructor(pattern: string, delivery: TopicDelivery, ready: Promise<void>, leave: () => Promise<void>) {
    this.pattern = pattern;
    this.delivery = delivery;
    this.ready = ready;
    this.#leave = leave;
    ready.catch(() => {});
  }

  /** Calls `listener` whenever `name` happens. The result removes it. */
  on<K extends keyof SubscriptionEvents>(name: K, listener: Listener<SubscriptionEvents[K]>): () => void {
    const off = this.#emitter.on(name, listener);
    if (name === 'message') for (let message = this.#shift(); message; message = this.#shift()) this.#emitter.emit('message', message);
    return off;
  }

  /** Removes a listener. */
  off<K extends keyof SubscriptionEvents>(name: K, listener: Listener<SubscriptionEvents[K]>): void {
    this.#emitter.off(name, listener);
  }

  /** Messages that wait for a loop. */
  get unread(): number {
    return this.#unread.size;
  }

  /** Whether it is over. */
  get isOver(): boolean {
    return this.#end !== undefined;
  }

  /** The last message of each topic that was read: with them another subscription goes on, also in another session. */
  get cursors(): TopicCursor[] {
    const unread = new Map<TopicPosition | undefined, number>();
    for (const { message, place } of this.#unread.values()) if (!unread.has(place)) unread.set(place, message.sequence);
    return Array.from(this.#places, ([topic, place]) => {
      const sequence = Math.min(place.sequence, (unread.get(place) ?? Infinity) - 1);
      return { topic, epoch: place.epoch, sequence };
    });
  }

  /** Ends it: nothing of it follows, and what waits is dropped. Fulfilled when the server has ended it too. */
  unsubscribe(): Promise<void> {
    const left = this.#leave();
    this.end(undefined);
    this.#unread.clear();
    this.#unreadBytes = 0;
    return left;
  }

  /** Its messages; two loops share them. */
  [Symbol.asyncIterator](): AsyncIterator<TopicMessage, undefined> {
    return {
      next: () => this.#next(),
      return: () => {
        this.unsubscribe().catch(() => {});
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  /** @internal */
  follow({ topic, epoch, after, isContinued }: TopicFollowed & { epoch: string; after: number }): void {
    if (this.#end) return;
    if (!isContinued) this.#forgetValues(topic);
    this.#places.set(topic, { epoch, sequence: after });
    this.#emitter.emit('followed', { topic, isContinued });
  }

  /** @internal */
  miss({ topic, first, last }: TopicMissed): void {
    if (this.#end) return;
    this.#forgetValues(topic);
    // By `latest` they are removals, after which all values come again.
    this.#advance(topic, this.delivery === 'latest' ? 0 : last);
    this.#emitter.emit('missed', { topic, first, last });
  }

  /** @internal */
  take(message: TopicMessage): void {
    if (this.#end) return;
    this.#advance(message.topic, message.sequence);
    this.#emitter.emit('message', message, () => {
      const waiting = this.#waiting.shift();
      if (waiting) waiting.resolve({ done: false, value: message });
      else this.#keep(message);
    });
  }

  /** It is over. What waits may be read still. @internal */
  end(error: TickwireError | undefined): void {
    if (this.#end) return;
    this.#end = { error };
    for (const waiting of this.#waiting.splice(0)) {
      if (error) waiting.reject(error);
      else waiting.resolve({ done: true, value: undefined });
    }
    this.#emitter.emit('end', error);
  }

  /** By `latest` all values of the topic come again: those that wait may be gone. */
  #forgetValues(topic: string): void {
    if (this.delivery !== 'latest') return;
    for (const [id, unread] of this.#unread) if (unread.message.topic === topic) this.#forget(id, unread);
  }

  #advance(topic: string, sequence: number): void {
    const place = this.#places.get(topic);
    if (place) place.sequence = sequence;
  }

  #keep(message: TopicMessage): void {
    const { topic, key } = message;
    const id = this.delivery === 'latest' ? `${topic}\n${key}` : this.#taken++;
    const older = this.#unread.get(id);
    if (older) this.#forget(id, older);
    this.#unread.set(id, { message, place: this.#places.get(topic) });
    this.#unreadBytes += bytesOf(message);
    if (this.#unreadBytes <= UNREAD_BYTES_MAX) return;
    this.#leave().catch(() => {});
    this.end(new TickwireError('TopicsUnread'));
  }

  #forget(id: string | number, { message }: Unread): void {
    this.#unread.delete(id);
    this.#unreadBytes -= bytesOf(message);
  }

  /** The oldest message that waits. One iterator goes over the map for as long as any does: each new one would begin with what is read. */
  #shift(): TopicMessage | undefined {
    let step = this.#reading.next();
    if (step.done) {
      this.#reading = this.#unread.entries();
      step = this.#reading.next();
    }
    if (step.done) return undefined;
    const [id, unread] = step.value;
    this.#forget(id, unread);
    return unread.message;
  }

  #next(): Promise<IteratorResult<TopicMessage, undefined>> {
    const message = this.#shift();
    if (message) return Promise.resolve({ done: false, value: message });
    if (!this.#end) return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    const { error } = this.#end;
    return error ? Promise.reject(error) : Promise.resolve({ done: true, value: undefined });
  }
}

function bytesOf({ key, payload }: TopicMessage): number {
  return key.length + payload.length + MESSAGE_BYTES;
}

/** Options as the core takes them. Throws for those that no server takes. @internal */
export function optionsOf({ delivery = 'ordered', start = 'new', cursors = [] }: SubscribeOptions): SubscribeRequest {
  if (delivery !== 'ordered' && delivery !== 'latest') {
    throw new TypeError(`"delivery" is "ordered" or "latest", not ${JSON.stringify(delivery)}`);
  }
  if (start === 'new') return { delivery, cursors };
  if ('last' in start) return { delivery, cursors, last: Math.min(count('last', start.last), LAST_MAX) };
  if ('sinceMs' in start) return { delivery, cursors, sinceMs: Math.min(count('sinceMs', start.sinceMs), LAST_MAX) };
  throw new TypeError('"start" is "new", { last } or { sinceMs }');
}

function count(name: string, value: number): number {
  if (!(value >= 0)) throw new RangeError(`"${name}" is a number from 0 on, not ${value}`);
  return Math.trunc(value);
}
