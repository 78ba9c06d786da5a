import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { TransportEnd } from '../src/transport.js';
import { closeReason, openWebSocket, webSocketUrl } from '../src/websocket.js';

/** A browser's socket that does as a test says. */
class FakeSocket extends EventTarget {
  static last: FakeSocket;
  readonly CONNECTING = 0;
  readonly OPEN = 1;
  readonly CLOSED = 3;
  readyState = 0;
  bufferedAmount = 0;
  onopen?: (() => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  sent: number[][] = [];
  closes: unknown[][] = [];

  constructor() {
    super();
    FakeSocket.last = this;
  }

  send(bytes: Uint8Array): void {
    this.sent.push([...bytes]);
  }

  close(...how: unknown[]): void {
    this.closes.push(how);
  }
}

beforeEach(() => void vi.stubGlobal('WebSocket', FakeSocket));
afterEach(() => void vi.unstubAllGlobals());

async function opened() {
  const opening = openWebSocket('ws://localhost/ws', { timeoutMs: 1000 });
  FakeSocket.last.readyState = 1;
  FakeSocket.last.onopen?.();
  return { transport: await opening, socket: FakeSocket.last };
}

test("a stream's lane is its own first byte, repeated by later messages", async () => {
  const { transport, socket } = await opened();
  transport.sendControl(new Uint8Array([1, 10, 11]));
  transport.sendChat(new Uint8Array([2]));
  transport.sendControl(new Uint8Array([12]));
  transport.sendDatagram(new Uint8Array([13, 14]));
  transport.sendChat(new Uint8Array([15]));
  expect(socket.sent).toEqual([[1, 10, 11], [2], [1, 12], [0, 13, 14], [2, 15]]);
});

test('what comes goes where its lane says', async () => {
  const { transport, socket } = await opened();
  const heard: unknown[] = [];
  const note = (what: string) => (bytes: Uint8Array) => heard.push([what, ...bytes]);
  const onClosed = (end: TransportEnd) => heard.push(end.closeCode);
  transport.start({ onControl: note('control'), onChat: note('chat'), onStatic: note('static'), onTopics: note('topics'), onDatagram: note('datagram'), onClosed });
  for (const bytes of [[1, 5], [0, 6, 7], [2, 8], [3, 1], [4, 2], [9, 9]]) socket.onmessage?.({ data: new Uint8Array(bytes).buffer });
  expect(heard).toEqual([['control', 5], ['datagram', 6, 7], ['chat', 8], ['static', 1], ['topics', 2], 17]);
});

test('a close has its number and text, and one without is a lost connection', async () => {
  for (const [code, number] of [[4002, 2], [1006, undefined], [1001, undefined]] as const) {
    const { transport, socket } = await opened();
    const ends: TransportEnd[] = [];
    const nothing = () => {};
    transport.start({ onControl: nothing, onChat: nothing, onStatic: nothing, onTopics: nothing, onDatagram: nothing, onClosed: (end) => ends.push(end) });
    socket.onclose?.({ code, reason: 'why' });
    expect(ends).toEqual([{ closeCode: number, reason: 'why' }]);
  }
});

test('datagrams are dropped, not queued, while the socket is backed up', async () => {
  const { transport, socket } = await opened();
  socket.bufferedAmount = 5000;
  transport.sendDatagram(new Uint8Array([1]));
  transport.sendChat(new Uint8Array([2]));
  expect([socket.sent.length, transport.datagramsDropped]).toEqual([1, 1]);
});

test('a socket that does not open says so', async () => {
  const opening = openWebSocket('ws://localhost/ws', { timeoutMs: 1000 });
  FakeSocket.last.onclose?.({ code: 1006, reason: '' });
  await expect(opening).rejects.toMatchObject({ code: 'Unreachable' });
});

test('one that the server closes as it opens says why', async () => {
  const opening = openWebSocket('ws://localhost/ws', { timeoutMs: 1000 });
  FakeSocket.last.onclose?.({ code: 4016, reason: 'not from here' });
  await expect(opening).rejects.toMatchObject({ code: 'OriginRefused', message: 'not from here' });
});

test('an end before anybody listens is told to who then does', async () => {
  const { transport, socket } = await opened();
  socket.onclose?.({ code: 4016, reason: 'not from here' });
  const nothing = () => {};
  const ended = new Promise<TransportEnd>((onClosed) => {
    transport.start({ onControl: nothing, onChat: nothing, onStatic: nothing, onTopics: nothing, onDatagram: nothing, onClosed });
  });
  expect(await ended).toEqual({ closeCode: 16, reason: 'not from here' });
});

test('one that is given up while it connects is closed once it is open: a browser writes on the console of one closed before', async () => {
  const stop = new AbortController();
  const opening = openWebSocket('ws://localhost/ws', { timeoutMs: 1000, signal: stop.signal });
  stop.abort();
  await expect(opening).rejects.toMatchObject({ code: 'Aborted' });
  const { last: socket } = FakeSocket;
  expect(socket.closes).toEqual([]);
  socket.readyState = 1;
  socket.onopen?.();
  expect(socket.closes).toHaveLength(1);
});

test('where there is no WebSocket the error says what has one', async () => {
  vi.unstubAllGlobals();
  const { WebSocket } = globalThis;
  Reflect.deleteProperty(globalThis, 'WebSocket');
  await expect(openWebSocket('ws://localhost/ws', { timeoutMs: 1000 })).rejects.toMatchObject({ code: 'NoWebSocket' });
  Object.assign(globalThis, { WebSocket });
});

test('this side closes with its number and as much of the text as fits', async () => {
  const { transport, socket } = await opened();
  await transport.close(5, 'é'.repeat(100));
  expect(socket.closes).toEqual([[4005, 'é'.repeat(61)]]);
  expect(closeReason('goodbye')).toBe('goodbye');
});

test('the address follows from that of the server', () => {
  expect(webSocketUrl('https://localhost:4433/', true)).toBe('ws://localhost:4433/ws');
  expect(webSocketUrl('https://play.example/', false)).toBe('wss://play.example/ws');
  expect(webSocketUrl('http://localhost:4433/', false)).toBe('ws://localhost:4433/ws');
  vi.stubGlobal('origin', 'https://play.example');
  expect(webSocketUrl('http://localhost:4433/', false)).toBe('wss://localhost:4433/ws');
  expect(webSocketUrl('https://play.example:4433/', true)).toBe('wss://play.example:4433/ws');
});
