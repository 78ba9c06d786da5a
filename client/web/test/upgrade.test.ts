// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Client } from '../src/client.js';
import type { Core, MoveOutcome } from '../src/core.js';
import { TickwireError, closeNumberOf } from '../src/errors.js';
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
const SCHEMA = { game: 'boats', input: { name: 'Helm', fields: [] }, entities: [], events: [], commands: [] };

/** A core whose session moves as the protocol's does; it reads and writes nothing. */
class MovingCore {
  events: CoreEvent[] = [{ type: 'welcome', server: 'test', player: 7 }, JOINED];
  calls: string[] = [];
  grants = true;
  isLost = false;
  isUnderWay = false;
  /** The outcome of the next bytes over the new transport. */
  outcome: MoveOutcome = 'pending';
  canResume = () => this.grants;
  isReconnecting = () => this.isLost && !this.isUnderWay;
  isMoving = () => this.isUnderWay;
  beginMove() {
    if (!this.grants) return undefined;
    this.isUnderWay = true;
    this.outcome = 'pending';
    return [new Uint8Array([1, 1]), new Uint8Array([2])];
  }
  onMoveControl() {
    if (this.outcome !== 'pending') this.isUnderWay = false;
    if (this.outcome === 'moved') this.events.push({ type: 'moved' });
    return this.outcome;
  }
  onMoveChat() {
    if (this.outcome === 'failed') this.isUnderWay = false;
    return this.outcome;
  }
  cancelMove() {
    this.isUnderWay = false;
    if (this.isLost) this.events.push({ type: 'reconnecting', attempt: 1, inMs: 0 });
  }
  onLost() {
    this.isLost = true;
    if (!this.isUnderWay) this.events.push({ type: 'reconnecting', attempt: 1, inMs: 0 });
    return true;
  }
  pollReconnect = () => false;
  resume = () => {};
  /** The server goes on with the session over the connection that it was asked over. */
  answer(over: Pipe) {
    this.isLost = false;
    this.events.push({ type: 'resumed', attempts: 1, lostForMs: 5 });
    over.speak();
  }
  onClosed = () => {};
  onControl = () => void this.calls.push('control');
  onDatagram = () => void this.calls.push('datagram');
  setLossless = (isLossless: boolean) => void this.calls.push(`lossless ${isLossless}`);
  takeControl = () => new Uint8Array();
  takeChat = () => new Uint8Array();
  takeStatic = () => new Uint8Array();
  takeTopics = () => new Uint8Array();
  takeDatagram = () => undefined;
  pollStaticWanted = () => undefined;
  pollStaticLoaded = () => undefined;
  goodbye = () => {};
  update = () => {};
  pollEvent = () => this.events.shift();
  tickHz = 60;
  schema = () => ({ ...SCHEMA, tickHz: this.tickHz });
  stats = () => ({});
  view = () => [];
}

class Pipe {
  datagramsDropped = 0;
  handler: TransportHandler | undefined;
  sent: number[][] = [];
  closes = 0;
  readonly kind: TransportKind;
  constructor(kind: TransportKind) {
    this.kind = kind;
  }
  start = (handler: TransportHandler) => void (this.handler = handler);
  sendControl = (bytes: Uint8Array) => void this.sent.push([...bytes]);
  sendChat = (bytes: Uint8Array) => void this.sent.push([...bytes]);
  sendStatic = () => {};
  sendTopics = () => {};
  sendDatagram = () => {};
  closedWith: unknown[] = [];
  close = async (...how: unknown[]) => {
    this.closes++;
    this.closedWith = how;
  };
  speak = () => this.handler!.onControl(new Uint8Array(1));
  chat = () => this.handler!.onChat(new Uint8Array(1));
  show = () => this.handler!.onDatagram(new Uint8Array(1));
  end = (end: TransportEnd = { reason: 'gone' }) => this.handler!.onClosed(end);
}

interface Opening {
  signal: AbortSignal;
  resolve(pipe: Pipe): void;
  reject(error: Error): void;
}

let core: MovingCore;
let socket: Pipe;
let client: Client;
let openings: Opening[];
let told: unknown[];
let isWise: boolean;
let worked: number;
/** What opens for a session that is lost, and beside one that stalls. */
let anew: Promise<Pipe>;

/** Passes time in which the room's snapshots come, one in each `step` of milliseconds. */
async function pass(ms: number, over = socket, step = 100) {
  for (let left = ms; left > 0; left -= step) {
    over.show();
    await vi.advanceTimersByTimeAsync(Math.min(left, step));
  }
}

const until = async (count: number) => {
  for (let waited = 0; openings.length < count && waited < 1_000_000; waited += 1000) await pass(1000);
  expect(openings).toHaveLength(count);
};

function begin(kind: TransportKind = 'websocket', hasUpgrade = true, tickHz = 60) {
  [openings, told, isWise, worked, anew] = [[], [], true, 0, new Promise(() => {})];
  core = new MovingCore();
  core.tickHz = tickHz;
  socket = new Pipe(kind);
  const open = (signal: AbortSignal) =>
    new Promise<Transport>((resolve, reject) => openings.push({ signal, resolve: (pipe) => resolve(pipe as unknown as Transport), reject }));
  const upgrade = { open, isWise: () => isWise, worked: () => ((isWise = true), worked++) };
  const stalled = () => (isWise = false);
  const ways = { open: () => anew, openOther: () => anew, stalled, ...(hasUpgrade && { upgrade }) } as unknown as Ways;
  client = new Client(core as unknown as Core, socket as unknown as Transport, { ways });
  for (const event of ['reconnecting', 'resumed', 'moved', 'close'] as const) client.on(event, (value) => told.push([event, value]));
  socket.speak();
}

/** The first attempt opens WebTransport, over which the session asks to go on. */
async function opened(): Promise<Pipe> {
  await until(1);
  const next = new Pipe('webtransport');
  openings[0]!.resolve(next);
  await pass(100);
  expect([core.isUnderWay, client.transport]).toEqual([true, 'websocket']);
  return next;
}

beforeEach(() => {
  vi.useFakeTimers();
  begin();
});

afterEach(async () => {
  await client.close();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

test('a session on a WebSocket moves to WebTransport once the server answers over it, and only tells that it moved', async () => {
  await pass(4900);
  expect(openings).toHaveLength(0);
  const next = await opened();
  expect(next.sent).toEqual([[1, 1], [2]]);
  core.calls = [];
  socket.speak();
  next.show();
  expect(core.calls, 'both are heard').toEqual(['control', 'datagram']);
  expect([socket.closes, worked]).toEqual([0, 0]);
  core.outcome = 'moved';
  next.speak();
  expect([client.transport, client.stats().transport, socket.closes, next.closes]).toEqual(['webtransport', 'webtransport', 1, 0]);
  expect(told).toEqual([['moved', { from: 'websocket', to: 'webtransport' }]]);
  expect(core.calls).toContain('lossless false');
  // The old one's end and late bytes mean nothing.
  core.calls = [];
  socket.speak();
  socket.end();
  expect([core.calls, core.isLost]).toEqual([[], false]);
  next.show();
  next.show();
  expect(worked, 'it is remembered once datagrams come').toBe(1);
});

/** The session goes over the new transport, on which no datagram comes. */
async function moved(): Promise<Pipe> {
  const next = await opened();
  core.outcome = 'moved';
  next.speak();
  expect(client.transport).toBe('webtransport');
  core.pollReconnect = () => true;
  return next;
}

test('WebTransport without datagrams is left for a WebSocket, and is not remembered as what worked', async () => {
  await moved();
  const another = new Pipe('websocket');
  anew = Promise.resolve(another);
  await vi.advanceTimersByTimeAsync(2500);
  expect([client.transport, isWise]).toEqual(['websocket', false]);
  core.answer(another);
  await pass(60_000, another);
  expect([worked, isWise, openings.length]).toEqual([0, false, 1]);
  expect(told.map((event) => (event as unknown[])[0])).toEqual(['moved', 'reconnecting', 'resumed', 'moved']);
});

test('WebTransport that ends without a datagram is tried more seldom, until it brings one', async () => {
  const next = await moved();
  const another = new Pipe('websocket');
  anew = Promise.resolve(another);
  next.end();
  await vi.advanceTimersByTimeAsync(0);
  core.answer(another);
  await pass(19_000, another);
  expect([client.transport, worked, openings.length]).toEqual(['websocket', 0, 1]);
  await pass(6000, another);
  expect(openings).toHaveLength(2);
  const second = new Pipe('webtransport');
  openings[1]!.resolve(second);
  await pass(100, another);
  core.outcome = 'moved';
  second.speak();
  second.show();
  expect([client.transport, worked]).toEqual(['webtransport', 1]);
});

test('after attempts that fail the next ones are rarer, and few', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0);
  const at: number[] = [];
  const begun = performance.now();
  for (let attempt = 1; attempt <= 5; attempt++) {
    await until(attempt);
    at.push(Math.round((performance.now() - begun) / 1000));
    openings[attempt - 1]!.reject(new Error('no way'));
  }
  const pauses = at.map((seconds, index) => seconds - (at[index - 1] ?? 0));
  expect(pauses.every((pause, index) => index === 0 || pause > 2 * pauses[index - 1]!), String(pauses)).toBe(true);
  await vi.advanceTimersByTimeAsync(0);
  await pass(2_000_000);
  expect(openings).toHaveLength(5);
  expect(told).toEqual([]);
});

test('a game of one tick a second moves as well', async () => {
  await client.close();
  begin('websocket', true, 1);
  // Each one comes a little late.
  await pass(11_000, socket, 1100);
  expect(openings).toHaveLength(1);
});

test.each(['NoWebTransport', 'InsecurePage'] as const)('where the browser has none (%s) nothing is tried again', async (code) => {
  await until(1);
  openings[0]!.reject(new TickwireError(code));
  await pass(200_000);
  expect(openings).toHaveLength(1);
});

test('nothing is tried in a hidden tab, and at once when it is seen again', async () => {
  const hidden = vi.spyOn(document, 'hidden', 'get').mockReturnValue(true);
  await pass(60_000);
  expect(openings).toHaveLength(0);
  hidden.mockReturnValue(false);
  await pass(100);
  expect(openings).toHaveLength(1);
});

test.each([
  ['the WebSocket was asked for', () => begin('websocket', false)],
  ['datagrams stalled here lately', () => (isWise = false)],
  ['it goes over WebTransport already', () => begin('webtransport')],
  ['the client is in no room', () => (core.events.push({ type: 'left', request: 0 }), socket.speak())],
])('nothing is tried where %s', async (_, make) => {
  await client.close();
  begin();
  make();
  await pass(60_000);
  expect(openings).toHaveLength(0);
});

test('a transport that is refused, or ends before the answer, is left, the session stays, and another one is tried later', async () => {
  const next = await opened();
  next.end();
  expect([core.isUnderWay, client.transport]).toEqual([false, 'websocket']);
  await until(2);
  const another = new Pipe('webtransport');
  openings[1]!.resolve(another);
  await pass(100);
  core.outcome = 'failed';
  another.speak();
  expect([client.transport, told]).toEqual(['websocket', []]);
  await until(3);
});

test('where too much chat came before the answer, the new transport stays open until the session goes on', async () => {
  const next = await opened();
  core.outcome = 'failed';
  next.chat();
  expect([core.isUnderWay, client.transport, next.closes]).toEqual([false, 'websocket', 0]);
  // The server has moved the session.
  const another = new Pipe('webtransport');
  [anew, core.pollReconnect] = [Promise.resolve(another), () => true];
  socket.end({ closeCode: 15, reason: 'the session goes on over another connection' });
  await vi.advanceTimersByTimeAsync(0);
  expect(next.closes, 'its end would be a goodbye').toBe(0);
  core.answer(another);
  expect([next.closes, socket.closes, another.closes]).toEqual([1, 1, 0]);
  expect(told.at(-1)).toEqual(['moved', { from: 'websocket', to: 'webtransport' }]);
});

test('a session that ends by what follows the answer says why over the new transport', async () => {
  const next = await opened();
  core.onMoveControl = () => {
    throw Object.assign(new Error('no such frame'), { code: closeNumberOf('ServerMisbehaved') });
  };
  next.speak();
  const why = [closeNumberOf('ServerMisbehaved'), 'no such frame'];
  expect([socket.closedWith, next.closedWith]).toEqual([why, why]);
});

test('a server that leaves the WebSocket before its answer comes is no lost connection', async () => {
  const next = await opened();
  socket.end({ closeCode: 15, reason: 'the session goes on over another connection' });
  await vi.advanceTimersByTimeAsync(500);
  expect(told).toEqual([]);
  core.outcome = 'moved';
  next.speak();
  expect(told).toEqual([['moved', { from: 'websocket', to: 'webtransport' }]]);
});

test('without that answer it is one, and the new transport stays open until the session goes on', async () => {
  const next = await opened();
  socket.end({ closeCode: 15, reason: 'gone' });
  // The core has waited for long enough.
  core.cancelMove();
  await vi.advanceTimersByTimeAsync(200);
  expect(told).toEqual([['reconnecting', { type: 'reconnecting', attempt: 1, inMs: 0 }]]);
  expect([client.isReconnecting, next.closes]).toEqual([true, 0]);
  const another = new Pipe('webtransport');
  [anew, core.pollReconnect] = [Promise.resolve(another), () => true];
  await vi.advanceTimersByTimeAsync(100);
  expect(next.closes).toBe(0);
  core.answer(another);
  expect([client.isReconnecting, next.closes, another.closes]).toEqual([false, 1, 0]);
});

test('both lost before the answer are a lost connection at once', async () => {
  const next = await opened();
  socket.end();
  next.end();
  expect(told.map((event) => (event as unknown[])[0])).toEqual(['reconnecting']);
});

test('a transport that opens after the session is over is closed unused', async () => {
  await until(1);
  const late = new Pipe('webtransport');
  await client.close();
  expect(openings[0]!.signal.aborted).toBe(true);
  openings[0]!.resolve(late);
  await vi.advanceTimersByTimeAsync(0);
  expect([late.closes, late.sent]).toEqual([1, []]);
});

test.each([0, 100])('a transport that opens %i ms after the session went on over another WebSocket is closed unused', async (ms) => {
  await until(1);
  const [late, another] = [new Pipe('webtransport'), new Pipe('websocket')];
  [anew, core.pollReconnect] = [Promise.resolve(another), () => true];
  socket.end();
  await vi.advanceTimersByTimeAsync(0);
  core.answer(another);
  await vi.advanceTimersByTimeAsync(ms);
  openings[0]!.resolve(late);
  await vi.advanceTimersByTimeAsync(0);
  expect([late.closes, late.sent, core.isUnderWay, client.transport, another.closes]).toEqual([1, [], false, 'websocket', 0]);
});
