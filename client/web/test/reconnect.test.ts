// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Client } from '../src/client.js';
import type { Core } from '../src/core.js';
import type { CoreEvent } from '../src/messages.js';
import type { Ways } from '../src/reconnect.js';
import type { Transport, TransportEnd, TransportHandler, TransportKind } from '../src/transport.js';

const ROOM = { name: 'bay', players: 1, playersMax: 8, bots: 0, spectators: 0, full: false, needsPassword: false, tags: [], metadata: undefined };
const JOINED: CoreEvent = {
  type: 'joined',
  request: 0,
  room: ROOM,
  tick: 9,
  spectator: false,
  host: undefined,
  members: [{ player: 7, name: 'Me', spectator: false, bot: false }],
};
const SCHEMA = { game: 'boats', tickHz: 60, input: { name: 'Helm', fields: [] }, entities: [], events: [], commands: [] };
/** The wait before each attempt but the first. */
const WAIT_MS = 700;

/** A core whose session resumes as the protocol's does; it reads and writes nothing. */
class ResumingCore {
  events: CoreEvent[] = [{ type: 'welcome', server: 'test', player: 7 }, JOINED];
  grants = true;
  asked: string[] = [];
  requests = 0;
  attempts = 0;
  state: 'connected' | 'waiting' | 'connecting' | 'resuming' = 'connected';
  dueMs = 0;
  canResume = () => this.grants;
  isReconnecting = () => this.state !== 'connected';
  isMoving = () => false;
  onLost(_: string, nowMs: number): boolean {
    if (!this.grants) return this.over(15), false;
    if (this.state === 'connected') this.attempts = 0;
    this.wait(this.state === 'connected' ? 0 : WAIT_MS, nowMs);
    return true;
  }
  onConnectFailed = (nowMs: number) => this.wait(WAIT_MS, nowMs);
  wait(inMs: number, nowMs: number) {
    this.state = 'waiting';
    this.dueMs = nowMs + inMs;
    this.events.push({ type: 'reconnecting', attempt: this.attempts + 1, inMs });
  }
  pollReconnect(nowMs: number): boolean {
    if (this.state !== 'waiting' || this.dueMs > nowMs) return false;
    this.state = 'connecting';
    this.attempts++;
    return true;
  }
  reconnectNow = (nowMs: number) => void (this.state === 'waiting' && (this.dueMs = nowMs));
  resume = () => void (this.state = 'resuming');
  /** The server goes on with the session. */
  answer() {
    this.state = 'connected';
    this.events.push({ type: 'resumed', attempts: this.attempts, lostForMs: 5 });
  }
  over = (code: number) => void this.events.push({ type: 'over', code, text: 'over' });
  onClosed = (code: number) => this.asked.push(`closed ${code}`);
  onControl = () => {};
  onDatagram = () => {};
  setLossless = (isLossless: boolean) => this.asked.push(`lossless ${isLossless}`);
  /** Each time something to send. */
  takeControl = () => new Uint8Array([1]);
  takeChat = () => new Uint8Array();
  takeStatic = () => new Uint8Array([3]);
  takeTopics = () => new Uint8Array([4]);
  takeDatagram = () => undefined;
  pollStaticWanted = () => undefined;
  pollStaticLoaded = () => undefined;
  say = () => ++this.requests;
  listRooms = () => (this.asked.push('rooms'), ++this.requests);
  goodbye = () => this.asked.push('goodbye');
  update = () => {};
  pollEvent = () => this.events.shift();
  schema = () => SCHEMA;
  view = () => [];
}

class Pipe {
  datagramsDropped = 0;
  handler!: TransportHandler;
  sent: string[] = [];
  closes = 0;
  readonly kind: TransportKind;
  constructor(kind: TransportKind) {
    this.kind = kind;
  }
  start = (handler: TransportHandler) => void (this.handler = handler);
  sendControl = () => this.sent.push('control');
  sendChat = () => {};
  sendStatic = () => this.sent.push('static');
  sendTopics = () => this.sent.push('topics');
  sendDatagram = () => {};
  close = async () => void this.closes++;
  /** Something of a stream, or a datagram, comes. */
  speak = () => this.handler.onControl(new Uint8Array(1));
  show = () => this.handler.onDatagram(new Uint8Array(1));
  end = (end: TransportEnd = { reason: 'gone' }) => this.handler.onClosed(end);
}

/** An opening that a test settles. */
interface Opening {
  how: string;
  signal: AbortSignal;
  resolve(pipe: Pipe): void;
  reject(): void;
}

let core: ResumingCore;
let pipe: Pipe;
let client: Client;
let openings: Opening[];
let told: unknown[];
let stalled: TransportKind[];

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

function opening(how: string, signal: AbortSignal): Promise<Transport> {
  return new Promise((resolve, reject) => {
    openings.push({ how, signal, resolve: (pipe) => resolve(pipe as unknown as Transport), reject: () => reject(new Error('no way')) });
  });
}

/** A client in the bay over WebTransport; `ways` are those of its options. */
function begin(ways: Partial<Ways> = { openOther: (than, signal) => opening(`not ${than}`, signal), stalled: (kind) => stalled.push(kind) }) {
  [openings, told, stalled] = [[], [], []];
  core = new ResumingCore();
  pipe = new Pipe('webtransport');
  client = new Client(core as unknown as Core, pipe as unknown as Transport, { ways: { open: (signal) => opening('any', signal), ...ways } as Ways });
  for (const event of ['reconnecting', 'resumed', 'moved', 'close'] as const) {
    client.on(event, (value) => {
      const { type: _, ...fields } = value as { type?: string };
      told.push([event, fields]);
    });
  }
  pipe.speak();
}

beforeEach(() => {
  vi.useFakeTimers();
  begin();
});

afterEach(async () => {
  await client.close();
  vi.useRealTimers();
});

test('a connection that ends without a code is followed by another one, over which the same session goes on', async () => {
  const said = client.chat.send('ahoy');
  pipe.end();
  await pass(0);
  expect([client.isReconnecting, openings.map(({ how }) => how)]).toEqual([true, ['any']]);
  const next = new Pipe('webtransport');
  openings[0]!.resolve(next);
  await pass(0);
  expect([core.state, next.sent]).toEqual(['resuming', ['control']]);
  core.answer();
  core.events.push({ type: 'chat', request: 1, id: 1, timeMs: 5, from: 7, name: 'Me', text: 'ahoy' });
  next.speak();
  expect((await said).id).toBe(1);
  expect(told).toEqual([
    ['reconnecting', { attempt: 1, inMs: 0 }],
    ['resumed', { attempts: 1, lostForMs: 5 }],
  ]);
  expect(client.isReconnecting).toBe(false);
  expect(client.me?.player).toBe(7);
  // What it has of static data is said once the server goes on.
  expect(next.sent).toEqual(expect.arrayContaining(['static', 'topics']));
});

test('the old connection is closed once the server goes on, and not before: that would say goodbye', async () => {
  pipe.end();
  const first = new Pipe('websocket');
  openings[0]!.resolve(first);
  await pass(0);
  // The server may have heard it, though its answer does not come.
  first.end();
  await pass(WAIT_MS + 100);
  const second = new Pipe('websocket');
  openings[1]!.resolve(second);
  await pass(0);
  expect([pipe.closes, first.closes]).toEqual([0, 0]);
  core.answer();
  second.speak();
  expect([pipe.closes, first.closes, second.closes]).toEqual([1, 1, 0]);
  expect(told.at(-1)).toEqual(['moved', { from: 'webtransport', to: 'websocket' }]);
  expect(core.asked).toContain('lossless true');
});

test('an attempt that fails is followed by another one when the session says so', async () => {
  pipe.end();
  openings[0]!.reject();
  await pass(WAIT_MS - 100);
  expect(openings).toHaveLength(1);
  await pass(200);
  expect(openings).toHaveLength(2);
  expect(told).toEqual([
    ['reconnecting', { attempt: 1, inMs: 0 }],
    ['reconnecting', { attempt: 2, inMs: WAIT_MS }],
  ]);
});

test.each([
  ['the browser says online', () => globalThis.dispatchEvent(new Event('online'))],
  ['somebody looks at the page', () => document.dispatchEvent(new Event('visibilitychange'))],
])('the next attempt begins at once when %s', async (_, happens) => {
  pipe.end();
  openings[0]!.reject();
  await pass(100);
  expect(openings).toHaveLength(1);
  happens();
  await pass(0);
  expect(openings).toHaveLength(2);
  // One that was begun before is given up for it.
  happens();
  await pass(0);
  expect([openings.length, openings[1]!.signal.aborted]).toEqual([3, true]);
  const late = new Pipe('webtransport');
  openings[1]!.resolve(late);
  await pass(0);
  expect([late.closes, core.state]).toEqual([1, 'connecting']);
});

test('nothing is hurried while there is a connection, and nothing once the session is over', async () => {
  globalThis.dispatchEvent(new Event('online'));
  await pass(100);
  pipe.end();
  await client.close();
  globalThis.dispatchEvent(new Event('online'));
  await pass(5000);
  expect([openings.length, openings[0]!.signal.aborted, pipe.closes > 0]).toEqual([1, true, true]);
});

test.each([1, 2, 12, 13, 14, 16, 20])('a session that was ended by code %i does not go on', async (closeCode) => {
  pipe.end({ closeCode, reason: 'why' });
  expect(openings).toEqual([]);
  expect((await client.closed).text).toBe('why');
});

test('the code of a lost connection leads to another one', async () => {
  pipe.end({ closeCode: 15, reason: 'silent for too long' });
  expect(openings).toHaveLength(1);
});

test('where the server lets nobody resume, a lost connection is the end, and a stall is waited out', async () => {
  core.grants = false;
  await pass(20_000);
  expect([openings.length, told]).toEqual([0, []]);
  pipe.end();
  expect(openings).toEqual([]);
  expect((await client.closed).code).toBe('ConnectionLost');
});

test('a session that the server has given up is over, with the code of the lost connection', async () => {
  pipe.end();
  core.over(15);
  await pass(100);
  expect((await client.closed).code).toBe('ConnectionLost');
  expect(openings[0]!.signal.aborted).toBe(true);
});

test('a connection that stalls is left for the other transport, which carries the same session', async () => {
  await pass(3200);
  expect(openings.map(({ how }) => how)).toEqual(['not webtransport']);
  const next = new Pipe('websocket');
  openings[0]!.resolve(next);
  await pass(900);
  expect([client.transport, stalled]).toEqual(['webtransport', []]);
  await pass(200);
  expect([client.transport, core.state, stalled, pipe.closes]).toEqual(['websocket', 'resuming', ['webtransport'], 0]);
  core.answer();
  next.speak();
  expect(told).toEqual([
    ['reconnecting', { attempt: 1, inMs: 0 }],
    ['resumed', { attempts: 1, lostForMs: 5 }],
    ['moved', { from: 'webtransport', to: 'websocket' }],
  ]);
  pipe.end();
  expect([client.isReconnecting, pipe.closes]).toEqual([false, 1]);
});

test('where the other transport has to wait as well the network was away: nothing is remembered of the one that was silent', async () => {
  await pass(3200);
  // Its request was lost too, and sent again.
  await pass(1000);
  openings[0]!.resolve(new Pipe('websocket'));
  await pass(1100);
  expect([client.transport, stalled]).toEqual(['websocket', []]);
});

test('a request without an answer is a stall as well, and is answered where the session goes on', async () => {
  const said = client.chat.send('anyone?');
  for (let ms = 0; ms < 3200; ms += 100) {
    pipe.show();
    await pass(100);
  }
  const next = new Pipe('websocket');
  openings[0]!.resolve(next);
  await pass(1100);
  core.answer();
  core.events.push({ type: 'chat', request: 1, id: 1, timeMs: 5, from: 7, name: 'Me', text: 'anyone?' });
  next.speak();
  await said;
});

test('a request that is not answered where the session goes on either is a stall there', async () => {
  void client.chat.send('anyone?');
  pipe.end();
  const next = new Pipe('webtransport');
  openings[0]!.resolve(next);
  await pass(0);
  core.answer();
  next.speak();
  for (let ms = 0; ms < 3200; ms += 100) {
    next.show();
    await pass(100);
  }
  expect(openings.map(({ how }) => how)).toEqual(['any', 'not webtransport']);
});

test('a connection that speaks again while the other one opens is kept: it was the path', async () => {
  await pass(5000);
  const next = new Pipe('websocket');
  openings[0]!.resolve(next);
  await pass(500);
  pipe.show();
  await pass(600);
  expect([client.transport, next.closes, told]).toEqual(['webtransport', 1, []]);
});

test('a connection that ends while the other one opens goes on over that one', async () => {
  await pass(3200);
  pipe.end();
  expect(openings.map(({ how }) => how)).toEqual(['not webtransport', 'any']);
  const next = new Pipe('websocket');
  openings[0]!.resolve(next);
  await pass(0);
  expect([core.state, openings[1]!.signal.aborted, client.transport]).toEqual(['resuming', true, 'websocket']);
});

test('where the other transport does not come about, it is tried again after as long', async () => {
  await pass(3200);
  openings[0]!.reject();
  await pass(2000);
  expect(openings).toHaveLength(1);
  await pass(1500);
  expect(openings).toHaveLength(2);
});

test('a connection that is open and silent for long is lost, also where only one transport may be used', async () => {
  for (const ways of [undefined, {}]) {
    await client.close();
    begin(ways);
    await pass(14_000);
    expect([told, core.state]).toEqual([[], 'connected']);
    openings.forEach(({ reject }) => reject());
    await pass(2000);
    expect([core.state, openings.at(-1)!.how]).toEqual(['connecting', 'any']);
  }
});

test('a quiet WebSocket outside of a room is asked, and lost where no answer comes', async () => {
  pipe.end();
  pipe = new Pipe('websocket');
  openings[0]!.resolve(pipe);
  await pass(100);
  core.answer();
  core.events.push({ type: 'left', request: 0 });
  pipe.speak();
  const asks = () => core.asked.filter((it) => it === 'rooms').length;
  await pass(9500);
  expect(asks()).toBe(0);
  await pass(1000);
  expect(asks()).toBe(1);
  // Whatever comes is an answer.
  pipe.speak();
  await pass(9500);
  expect(asks()).toBe(1);
  await pass(1000);
  expect(asks()).toBe(2);
  expect(core.state).toBe('connected');
  await pass(15_500);
  expect([asks(), core.state]).toEqual([2, 'connecting']);
});

test('in a room, and over WebTransport, nothing is asked: what is due says enough', async () => {
  core.events.push({ type: 'left', request: 0 });
  pipe.speak();
  await pass(60_000);
  expect(core.asked).not.toContain('rooms');
});

test.each(['in a room', 'in none'])('a new connection on which the server does not answer is given up for another one, %s', async (where) => {
  if (where === 'in none') {
    core.events.push({ type: 'left', request: 0 });
    pipe.speak();
  }
  pipe.end();
  openings[0]!.resolve(new Pipe('webtransport'));
  await pass(3200);
  expect(core.state).toBe('waiting');
  await pass(WAIT_MS + 100);
  expect(openings).toHaveLength(2);
});

test('a late transport of a session that is over is closed', async () => {
  pipe.end();
  await client.close();
  const late = new Pipe('webtransport');
  openings[0]!.resolve(late);
  await pass(0);
  expect(late.closes).toBe(1);
});

test('an opening without an answer gets others beside it, and the first that comes about carries the session', async () => {
  pipe.end();
  await pass(1900);
  expect(openings.length).toBe(1);
  await pass(200);
  expect(openings.length).toBe(2);
  openings[0]!.reject();
  await pass(100);
  expect(told, 'the attempt goes on').toEqual([['reconnecting', { attempt: 1, inMs: 0 }]]);
  await pass(2000);
  const [, second, third] = openings as [Opening, Opening, Opening];
  const next = new Pipe('webtransport');
  third.resolve(next);
  await pass(100);
  expect([second.signal.aborted, core.state]).toEqual([true, 'resuming']);
  const late = new Pipe('websocket');
  second.resolve(late);
  await pass(100);
  expect([late.closes, next.closes]).toEqual([1, 0]);
});

/** The openings under way. */
const open = () => openings.filter(({ signal }) => !signal.aborted);

test('openings without an answer are few, and after 10 s their attempt has failed', async () => {
  pipe.end();
  await pass(9900);
  expect([openings.length, open().length, told.length]).toEqual([4, 4, 1]);
  await pass(200);
  expect([open().length, core.state, told.at(-1)]).toEqual([0, 'waiting', ['reconnecting', { attempt: 2, inMs: WAIT_MS }]]);
  await pass(WAIT_MS);
  expect([openings.length, open().length, core.state]).toEqual([5, 1, 'connecting']);
  await pass(60_000);
  expect(core.attempts).toBeGreaterThan(5);
  expect(open().length).toBeLessThanOrEqual(4);
});

test('openings that fail late make place for others, and the attempt has its end all the same', async () => {
  pipe.end();
  const failed = new Set<Opening>();
  const pending = () => open().filter((each) => !failed.has(each));
  for (let second = 0; second < 30; second++) {
    await pass(1000);
    const [oldest, other] = pending();
    if (oldest && other) {
      failed.add(oldest);
      oldest.reject();
    }
    expect(pending().length).toBeLessThanOrEqual(4);
  }
  expect(core.attempts).toBeGreaterThan(1);
});

test('the end of a connection that was lost for its silence changes nothing', async () => {
  await client.close();
  begin({});
  await pass(16_000);
  expect([core.state, openings.length, told.length]).toEqual(['connecting', 1, 1]);
  for (let end = 0; end < 9; end++) pipe.end();
  await pass(0);
  expect([core.state, openings.length, told.length]).toEqual(['connecting', 1, 1]);
});

test('the opening of the other transport counts with those of an attempt', async () => {
  await pass(3200);
  pipe.end();
  await pass(9000);
  expect(openings.map(({ how }) => how)).toEqual(['not webtransport', 'any', 'any', 'any']);
});
