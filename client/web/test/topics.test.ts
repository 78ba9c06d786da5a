import { beforeEach, expect, test, vi } from 'vitest';
import type { Core } from '../src/core.js';
import { TickwireError } from '../src/errors.js';
import { Requests } from '../src/requests.js';
import type { TopicCursor, TopicMessage, TopicSubscription } from '../src/subscription.js';
import { Topics } from '../src/topics.js';

/** A core that numbers what it is asked, and a client that waits for the answers. */
class ScriptedClient {
  readonly asked: unknown[][] = [];
  readonly requests = new Requests();
  readonly subscribed = new Set<number>();
  over: TickwireError | undefined;
  numbers = 0;
  subscriptions = 0;
  readonly core = {
    publish: (topic: string, key: string, payload: Uint8Array, ...[lifetimeMs]: [number?]) =>
      this.note('publish', topic, key, new TextDecoder().decode(payload), ...(lifetimeMs === undefined ? [] : [lifetimeMs])),
    publishLossy: (topic: string, key: string, payload: Uint8Array) => {
      this.asked.push(['lossy', topic, key, new TextDecoder().decode(payload)]);
      return payload.length > 3 ? 'a message of 4 bytes does not fit' : topic ? undefined : 'the name of a topic';
    },
    removeValue: (topic: string, key: string) => this.note('remove', topic, key),
    subscribeTopics: (pattern: string, request: object) => {
      this.subscribed.add(++this.subscriptions);
      return [this.subscriptions, this.note('subscribe', pattern, request)];
    },
    unsubscribeTopics: (id: number) => {
      this.subscribed.delete(id);
      return this.note('unsubscribe', id);
    },
    isSubscribed: (id: number) => this.subscribed.has(id),
  } as unknown as Core;

  note(...what: unknown[]): number {
    this.asked.push(what);
    return ++this.numbers;
  }

  send<T>(write: (core: Core) => T): T | undefined {
    return this.over ? undefined : write(this.core);
  }

  ask<T>(request: (core: Core) => number): Promise<T> {
    return this.over ? Promise.reject(this.over) : this.requests.add<T>(request(this.core));
  }
}

let client: ScriptedClient;
let topics: Topics;

beforeEach(() => {
  client = new ScriptedClient();
  topics = new Topics(client);
});

/** A subscription that the server has, whose topic `a` is followed. */
function subscribed(options: Parameters<Topics['subscribe']>[1] = {}): TopicSubscription {
  const subscription = topics.subscribe('a', options);
  client.requests.resolve(client.numbers);
  topics.take({ type: 'topicFollowed', subscription: client.subscriptions, topic: 'a', epoch: '18446744073709551615', after: 0, isContinued: false });
  return subscription;
}

interface Brought {
  key?: string;
  text?: string;
  kind?: TopicMessage['kind'];
  subscription?: number;
}

function bring(sequence: number, { key = '', text = `${sequence}`, kind = 'value', subscription = client.subscriptions }: Brought = {}): void {
  const payload = new TextEncoder().encode(text);
  topics.take({ type: 'topicMessage', subscription, topic: 'a', sequence, timeMs: 5, from: 7, key, kind, payload });
}

/** The session ends by this code. */
function finish(code: TickwireError['code']): void {
  client.over = new TickwireError(code as 'Normal');
  client.requests.end(client.over);
  topics.end(client.over);
}

async function read(subscription: TopicSubscription, most = Infinity): Promise<string[]> {
  const texts: string[] = [];
  for await (const message of subscription) if (texts.push(message.text()) >= most) break;
  return texts;
}

test('a message is published as bytes, a text or JSON, and answered with its number', async () => {
  const number = topics.publish('chat/de', 'hällo', { key: 'ann' });
  void topics.publishJson('chat/de', { text: 'hi' });
  void topics.publish('chat/de', new TextEncoder().encode('bytes'));
  client.requests.resolve(1, 42);
  expect(await number).toBe(42);
  expect(client.asked).toEqual([
    ['publish', 'chat/de', 'ann', 'hällo'],
    ['publish', 'chat/de', '', '{"text":"hi"}'],
    ['publish', 'chat/de', '', 'bytes'],
  ]);
});

test('what no server takes is refused with what is wrong, and not sent', async () => {
  const long = topics.publish('a', new Uint8Array(61_441));
  await expect(long).rejects.toMatchObject({ code: 'TopicTooLong', message: expect.stringContaining('61441 bytes') });
  // Its characters are fewer than its bytes.
  await expect(topics.publish('a', 'é'.repeat(30_721))).rejects.toMatchObject({ code: 'TopicTooLong' });
  await expect(topics.publishJson('a', () => {})).rejects.toThrow('JSON');
  await expect(topics.publishJson('a', 1n)).rejects.toThrow(TypeError);
  await expect(topics.publish('a', new ArrayBuffer(4) as never)).rejects.toThrow('Uint8Array');
  expect(client.asked).toEqual([]);
  // Not awaited, and never an unhandled rejection.
  void topics.publish('a', new Uint8Array(61_441));
  void topics.publish('a', new Uint8Array(61_440));
  expect(client.asked).toHaveLength(1);
});

test('a message that may be lost is sent without an answer, and one that does not fit is refused here', () => {
  topics.publishLossy('pumps/7', 'é', { key: 'k' });
  topics.publishLossy('pumps/7', new Uint8Array([65]));
  expect(client.asked).toEqual([
    ['lossy', 'pumps/7', 'k', 'é'],
    ['lossy', 'pumps/7', '', 'A'],
  ]);
  expect(() => topics.publishLossy('a', 'long')).toThrow(expect.objectContaining({ code: 'TopicTooLong' }));
  expect(() => topics.publishLossy('', 'x')).toThrow(expect.objectContaining({ code: 'TopicInvalid' }));
  expect(() => topics.publishLossy('a', new ArrayBuffer(4) as never)).toThrow(TypeError);
  finish('Normal');
  client.asked.length = 0;
  topics.publishLossy('a', 'x');
  expect(client.asked).toEqual([]);
});

test('what is published while the connection is lost waits for its answer, and is rejected if the session ends instead', async () => {
  const [kept, lost] = [topics.publish('a', 'x'), topics.publish('a', 'y')];
  client.requests.resolve(1, 1);
  expect(await kept).toBe(1);
  finish('ConnectionLost');
  await expect(lost).rejects.toMatchObject({ code: 'ConnectionLost' });
  await expect(topics.publish('a', 'z')).rejects.toMatchObject({ code: 'ConnectionLost' });
});

test('a subscription says how it delivers, where it begins, and after which messages', () => {
  const cursors: TopicCursor[] = [{ topic: 'a', epoch: '7', sequence: 3 }];
  topics.subscribe('a/**', { delivery: 'latest', start: { last: Infinity } });
  topics.subscribe('a', { start: { sinceMs: 1500.5 }, cursors });
  topics.subscribe('a', { start: { last: 20 } });
  topics.subscribe('a');
  expect(client.asked.map(([, ...asked]) => asked)).toEqual([
    ['a/**', { delivery: 'latest', last: 0xffff_ffff, cursors: [] }],
    ['a', { delivery: 'ordered', sinceMs: 1500, cursors }],
    ['a', { delivery: 'ordered', last: 20, cursors: [] }],
    ['a', { delivery: 'ordered', cursors: [] }],
  ]);
});

test.each([
  [{ delivery: 'newest' }, '"newest"'],
  [{ start: { last: -1 } }, '"last"'],
  [{ start: { sinceMs: NaN } }, '"sinceMs"'],
  [{ start: { first: 1 } }, '"start"'],
])('options that no server takes are an error: %j', (options, why) => {
  expect(() => topics.subscribe('a', options as never)).toThrow(why);
  expect(client.asked).toEqual([]);
});

test('a loop gets every message in order, those too that came before it', async () => {
  const subscription = subscribed();
  await subscription.ready;
  bring(1);
  bring(2);
  const texts = read(subscription, 4);
  await Promise.resolve();
  bring(3);
  bring(4);
  expect(await texts).toEqual(['1', '2', '3', '4']);
});

test('a listener gets every message, what waited first', () => {
  const subscription = subscribed();
  const heard: unknown[] = [];
  bring(1);
  const off = subscription.on('message', (message) => heard.push(message.json()));
  bring(2, { text: '{"price":2}' });
  off();
  bring(3);
  expect([heard, subscription.unread]).toEqual([[1, { price: 2 }], 1]);
});

test('messages have their topic, number, time, sender and key', () => {
  const heard: TopicMessage[] = [];
  subscribed().on('message', (message) => heard.push(message));
  bring(9, { key: 'ACME' });
  expect(heard[0]).toMatchObject({ topic: 'a', sequence: 9, timeMs: 5, from: 7, key: 'ACME', payload: new Uint8Array([57]) });
  expect(() => subscribed() && bring(1, { text: '{' })).not.toThrow();
});

test('a loop that is slow skips by "latest" what is no longer the newest of its key, and reads them in the order of their change', async () => {
  const subscription = subscribed({ delivery: 'latest' });
  bring(1, { key: 'x' });
  bring(2, { key: 'y' });
  bring(3, { key: 'z' });
  const loop = subscription[Symbol.asyncIterator]();
  expect((await loop.next()).value?.sequence).toBe(1);
  for (const [sequence, key] of [[4, 'y'], [5, 'x'], [6, 'y']] as const) bring(sequence, { key });
  const rest: number[] = [];
  while (subscription.unread > 0) rest.push((await loop.next()).value!.sequence);
  expect(rest).toEqual([3, 5, 6]);
});

test('at random, a slow loop reads all in order by "ordered", and by "latest" ends with the newest of each key', async () => {
  let seed = 7;
  const dice = (sides: number) => (seed = (seed * 16807) % 2147483647) % sides;
  for (const delivery of ['ordered', 'latest'] as const) {
    const subscription = subscribed({ delivery });
    const loop = subscription[Symbol.asyncIterator]();
    const newest = new Map<string, number>();
    const seen: TopicMessage[] = [];
    let sequence = 0;
    for (let round = 0; round < 2000; round++) {
      if (dice(3) > 0) {
        const key = `${dice(20)}`;
        bring(++sequence, { key });
        newest.set(key, sequence);
      } else if (subscription.unread > 0) seen.push((await loop.next()).value!);
      const [cursor] = subscription.cursors;
      expect(cursor!.sequence).toBeGreaterThanOrEqual(seen.at(-1)?.sequence ?? 0);
    }
    while (subscription.unread > 0) seen.push((await loop.next()).value!);
    const numbers = seen.map(({ sequence }) => sequence);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    if (delivery === 'ordered') expect(numbers).toEqual(Array.from({ length: sequence }, (_, at) => at + 1));
    expect(new Map(seen.map(({ key, sequence }) => [key, sequence]))).toEqual(newest);
  }
});

test('a loop that is left ends the subscription', async () => {
  const subscription = subscribed();
  bring(1);
  bring(2);
  expect(await read(subscription, 1)).toEqual(['1']);
  expect(client.asked.at(-1)).toEqual(['unsubscribe', 1]);
  bring(3, { subscription: 1 });
  expect([subscription.isOver, subscription.unread, await read(subscription)]).toEqual([true, 0, []]);
});

test('no message follows an unsubscribe, wherever it happens', async () => {
  const subscription = subscribed();
  const heard: string[] = [];
  const ends: unknown[] = [];
  subscription.on('end', (error) => ends.push(error));
  bring(1);
  bring(2);
  bring(3);
  subscription.on('message', (message) => {
    heard.push(message.text());
    if (message.sequence === 2) void subscription.unsubscribe();
  });
  bring(4);
  expect([heard, ends]).toEqual([['1', '2'], [undefined]]);
  const other = subscribed();
  const waiting = read(other);
  const left = other.unsubscribe();
  bring(1);
  expect(await waiting).toEqual([]);
  client.requests.resolve(client.numbers);
  await left;
  await other.unsubscribe();
  expect(client.asked.filter(([what]) => what === 'unsubscribe')).toEqual([['unsubscribe', 1], ['unsubscribe', 2]]);
});

test('a pattern that is refused ends the subscription with why, and no other', async () => {
  const other = subscribed();
  const subscription = topics.subscribe('a/**/b');
  const ends: unknown[] = [];
  subscription.on('end', (error) => ends.push(error?.code));
  const reading = read(subscription);
  client.subscribed.delete(2);
  const refusal = { code: 'TopicInvalid', text: '** is the last level' } as const;
  client.requests.refuse(client.numbers, refusal);
  topics.judge(refusal);
  await expect(subscription.ready).rejects.toMatchObject({ code: 'TopicInvalid', message: '** is the last level' });
  await expect(reading).rejects.toMatchObject({ code: 'TopicInvalid' });
  await expect(read(subscription)).rejects.toMatchObject({ code: 'TopicInvalid' });
  expect([ends, other.isOver]).toEqual([['TopicInvalid'], false]);
});

test('a subscription that a server refuses once it was started again ends then', () => {
  const [first, second] = [subscribed(), subscribed()];
  client.subscribed.delete(1);
  topics.judge({ code: 'TopicForbidden', text: 'not any more' });
  expect([first.isOver, second.isOver]).toEqual([true, false]);
});

test('one that comes to match too many topics is ended by the server', async () => {
  const subscription = subscribed();
  bring(1);
  topics.take({ type: 'topicsEnded', subscription: 1, code: 'TopicsFull', text: 'too many' });
  const loop = subscription[Symbol.asyncIterator]();
  expect((await loop.next()).value?.text(), 'what came is read first').toBe('1');
  await expect(loop.next()).rejects.toMatchObject({ code: 'TopicsFull' });
});

test('a loop ends with its session: in silence where this side closed it, else with why', async () => {
  const reading = read(subscribed());
  finish('Normal');
  expect(await reading).toEqual([]);
  client = new ScriptedClient();
  topics = new Topics(client);
  const subscription = subscribed();
  bring(1);
  const lost = (async () => {
    const texts: string[] = [];
    for await (const message of subscription) {
      texts.push(message.text());
      // While the loop is at it.
      if (!subscription.isOver) finish('ConnectionLost');
    }
    return texts;
  })();
  await expect(lost).rejects.toMatchObject({ code: 'ConnectionLost' });
  expect(subscription.cursors).toEqual([{ topic: 'a', epoch: '18446744073709551615', sequence: 1 }]);
  const late = topics.subscribe('a');
  await expect(read(late)).rejects.toMatchObject({ code: 'ConnectionLost' });
  await late.unsubscribe();
});

test('cursors are those of what was read, not of what came', async () => {
  const subscription = subscribed();
  expect(subscription.cursors).toEqual([{ topic: 'a', epoch: '18446744073709551615', sequence: 0 }]);
  for (let sequence = 1; sequence <= 3; sequence++) bring(sequence);
  const loop = subscription[Symbol.asyncIterator]();
  await loop.next();
  expect(subscription.cursors).toMatchObject([{ sequence: 1 }]);
  topics.take({ type: 'topicMissed', subscription: 1, topic: 'a', first: 4, last: 9 });
  expect(subscription.cursors).toMatchObject([{ sequence: 1 }]);
  await loop.next();
  await loop.next();
  expect(subscription.cursors).toMatchObject([{ sequence: 9 }]);
  // What waits of the log before is not of the new one.
  bring(10);
  topics.take({ type: 'topicFollowed', subscription: 1, topic: 'a', epoch: '5', after: 20, isContinued: false });
  expect(subscription.cursors).toEqual([{ topic: 'a', epoch: '5', sequence: 20 }]);
});

test('what is missed, and which topics are followed, is told', () => {
  const subscription = topics.subscribe('a');
  const told: unknown[] = [];
  subscription.on('followed', (followed) => told.push(followed));
  subscription.on('missed', (missed) => told.push(missed));
  topics.take({ type: 'topicFollowed', subscription: 1, topic: 'a', epoch: '5', after: 2, isContinued: true });
  topics.take({ type: 'topicMissed', subscription: 1, topic: 'a', first: 3, last: 8 });
  topics.take({ type: 'topicMissed', subscription: 99, topic: 'a', first: 3, last: 8 });
  expect(told).toEqual([
    { topic: 'a', isContinued: true },
    { topic: 'a', first: 3, last: 8 },
  ]);
});

test('who reads nothing has a bound: then the subscription ends, and what came in time can be read', async () => {
  const [unread, other] = [subscribed(), subscribed()];
  const text = 'x'.repeat(60_000);
  let brought = 0;
  while (!unread.isOver && brought < 1000) bring(++brought, { text, subscription: 1 });
  expect(brought).toBeGreaterThan(270);
  expect(brought).toBeLessThan(290);
  expect(client.asked.at(-1)).toEqual(['unsubscribe', 1]);
  const loop = unread[Symbol.asyncIterator]();
  for (let sequence = 1; sequence <= brought; sequence++) expect((await loop.next()).value?.sequence).toBe(sequence);
  await expect(loop.next()).rejects.toMatchObject({ code: 'TopicsUnread' });
  expect([other.isOver, unread.cursors[0]?.sequence]).toEqual([false, brought]);
  // By "latest" the newest of a key takes the place of an older one.
  const latest = subscribed({ delivery: 'latest' });
  for (let sequence = 1; sequence <= 500; sequence++) bring(sequence, { text, key: 'k' });
  expect([latest.isOver, latest.unread]).toEqual([false, 1]);
  const silent = subscribed();
  silent.on('message', vi.fn());
  for (let sequence = 1; sequence <= 500; sequence++) bring(sequence, { text });
  expect(silent.isOver, 'who listens leaves nothing unread').toBe(false);
});

test('a value may last as long as the session, or some time, and is removed', async () => {
  void topics.publish('who', 'here', { key: 'ann', lifetime: 'session' });
  void topics.publish('typing', '', { key: 'ann', lifetime: { ms: 2500.5 } });
  void topics.publish('typing', '', { key: 'ann', lifetime: { ms: Infinity } });
  const removed = topics.remove('who', 'ann');
  client.requests.resolve(4);
  await removed;
  expect(client.asked).toEqual([
    ['publish', 'who', 'ann', 'here', 0],
    ['publish', 'typing', 'ann', '', 2501],
    ['publish', 'typing', 'ann', '', 0xffff_ffff],
    ['remove', 'who', 'ann'],
  ]);
  await expect(topics.publish('typing', '', { lifetime: { ms: 0 } })).rejects.toThrow(RangeError);
  await expect(topics.publish('typing', '', { lifetime: { ms: NaN } })).rejects.toThrow(RangeError);
});

test('a table has the values that there are, whatever is missed', () => {
  const table = topics.table('a');
  expect(client.asked).toEqual([['subscribe', 'a', { delivery: 'latest', last: 0xffff_ffff, cursors: [] }]]);
  const changes: string[] = [];
  table.on('changed', ({ key, value }) => changes.push(`${key} ${value ? `${value.kind} ${value.text()}` : 'gone'}`));
  const of = { subscription: client.subscriptions, topic: 'a' };
  const now = () => [...table.values('a')].map(([key, message]) => `${key}=${message.text()}`);
  topics.take({ type: 'topicFollowed', ...of, epoch: '1', after: 0, isContinued: false });
  bring(1, { key: 'ann', text: 'here' });
  bring(2, { key: 'bob', text: 'here' });
  bring(3, { key: 'ann', text: 'here', kind: 'away' });
  bring(4, { key: 'bob', text: '', kind: 'removed' });
  bring(5, { key: 'nobody', text: '', kind: 'removed' });
  expect(changes).toEqual(['ann value here', 'bob value here', 'ann away here', 'bob gone']);
  expect([now(), [...table.topics]]).toEqual([['ann=here'], ['a']]);
  // Who was away for too long is not told of each removal: all that there is comes again.
  topics.take({ type: 'topicMissed', ...of, first: 6, last: 9 });
  expect([now(), [...table.topics]]).toEqual([[], []]);
  bring(3, { key: 'cem', text: 'idle' });
  expect(now()).toEqual(['cem=idle']);
  topics.take({ type: 'topicFollowed', ...of, epoch: '1', after: 9, isContinued: true });
  expect(now()).toEqual(['cem=idle']);
  topics.take({ type: 'topicFollowed', ...of, epoch: '2', after: 0, isContinued: false });
  expect(now()).toEqual([]);
  const ends: unknown[] = [];
  table.on('end', (error) => ends.push(error));
  void table.unsubscribe();
  expect([ends, client.asked.at(-1)]).toEqual([[undefined], ['unsubscribe', of.subscription]]);
});

test('by latest what waits of a topic whose values come again is gone with them', async () => {
  const subscription = subscribed({ delivery: 'latest' });
  bring(5, { key: 'gone' });
  bring(6, { key: 'here' });
  topics.take({ type: 'topicMissed', subscription: client.subscriptions, topic: 'a', first: 7, last: 9 });
  expect(subscription.unread).toBe(0);
  bring(6, { key: 'here', text: 'again' });
  expect(subscription.cursors).toEqual([{ topic: 'a', epoch: '18446744073709551615', sequence: 5 }]);
  expect(await read(subscription, 1)).toEqual(['again']);
  bring(8, { key: 'old' });
  topics.take({ type: 'topicFollowed', subscription: client.subscriptions, topic: 'a', epoch: '2', after: 0, isContinued: false });
  expect(subscription.unread).toBe(0);
});
