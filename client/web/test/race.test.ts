import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { TickwireError, type ErrorCode } from '../src/errors.js';
import { type Known, planFor } from '../src/path.js';
import { race } from '../src/race.js';
import type { Transport, TransportKind } from '../src/transport.js';

/** An opening that a test brings to its end. */
class Opening {
  begun = false;
  closed = false;
  signal: AbortSignal | undefined;
  #settle!: { resolve: (transport: Transport) => void; reject: (error: unknown) => void };
  readonly kind: TransportKind;

  constructor(kind: TransportKind) {
    this.kind = kind;
  }

  open = (signal: AbortSignal): Promise<Transport> => {
    this.begun = true;
    this.signal = signal;
    return new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
  };

  succeed(): void {
    const close = async () => void (this.closed = true);
    this.#settle.resolve({ kind: this.kind, close } as unknown as Transport);
  }

  fail(code: ErrorCode): void {
    this.#settle.reject(new TickwireError(code));
  }
}

let web: Opening;
let socket: Opening;
let learnt: Known[];
/** Of a path of 50 ms one way, of which nothing is known. */
const PLAN = planFor(undefined, 100);
const BEGIN_MS = PLAN.beginMs.websocket!;
const start = (known?: Known, signal?: AbortSignal) => {
  const open = { webtransport: web.open, websocket: socket.open };
  const racing = race(open, planFor(known, 100), { signal, learn: (known) => learnt.push(known) });
  racing.catch(() => {});
  return racing;
};
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  vi.useFakeTimers();
  web = new Opening('webtransport');
  socket = new Opening('websocket');
  learnt = [];
});

afterEach(() => vi.useRealTimers());

test('a WebTransport that comes about as its path explains is alone: no WebSocket is begun', async () => {
  const racing = start();
  await pass(BEGIN_MS - 50);
  web.succeed();
  expect((await racing).kind).toBe('webtransport');
  await pass(10_000);
  expect(socket.begun).toBe(false);
  expect(learnt).toEqual(['webtransport']);
});

test('a WebSocket that is open waits for WebTransport, and is closed when that comes about', async () => {
  const racing = start();
  await pass(BEGIN_MS + 50);
  expect(socket.begun).toBe(true);
  socket.succeed();
  await pass(PLAN.holdMs - BEGIN_MS - 150);
  web.succeed();
  expect((await racing).kind).toBe('webtransport');
  await pass(0);
  expect([web.closed, socket.closed]).toEqual([false, true]);
  expect(learnt).toEqual(['webtransport']);
});

test('a WebSocket waits no longer than the path explains', async () => {
  const racing = start();
  await pass(BEGIN_MS + 50);
  socket.succeed();
  await pass(PLAN.holdMs - BEGIN_MS);
  expect((await racing).kind).toBe('websocket');
  expect(learnt).toEqual(['blocked']);
});

test('a WebSocket that is given up is told so, and is closed if it opens all the same', async () => {
  const racing = start();
  await pass(BEGIN_MS + 50);
  web.succeed();
  expect((await racing).kind).toBe('webtransport');
  expect(socket.signal?.aborted).toBe(true);
  socket.succeed();
  await pass(0);
  expect([web.closed, socket.closed]).toEqual([false, true]);
});

test('a WebTransport that comes too late is closed, and is waited for the next time', async () => {
  const racing = start();
  await pass(PLAN.holdMs + 50);
  socket.succeed();
  expect((await racing).kind).toBe('websocket');
  expect(web.signal?.aborted).toBe(false);
  web.succeed();
  await pass(0);
  expect([web.closed, socket.closed]).toEqual([true, false]);
  expect(learnt).toEqual(['blocked', 'webtransport']);
});

test('a page that stands still has heard nothing meanwhile: that counts for little', async () => {
  const racing = start();
  const now = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => now() + 5000);
  await pass(50);
  expect(socket.begun).toBe(false);
  web.succeed();
  expect((await racing).kind).toBe('webtransport');
  vi.restoreAllMocks();
});

test('a WebTransport that fails lets the WebSocket begin at once, and not wait', async () => {
  const racing = start();
  web.fail('Unreachable');
  await pass(0);
  expect(socket.begun).toBe(true);
  socket.succeed();
  expect((await racing).kind).toBe('websocket');
  expect(learnt).toEqual(['blocked']);
});

test('a WebSocket that waits is taken as soon as WebTransport fails', async () => {
  const racing = start();
  await pass(BEGIN_MS + 50);
  socket.succeed();
  await pass(0);
  web.fail('Unreachable');
  expect((await racing).kind).toBe('websocket');
});

test('where WebTransport was blocked both begin at once, and the first is taken', async () => {
  const racing = start('blocked');
  expect([web.begun, socket.begun]).toEqual([true, true]);
  socket.succeed();
  expect((await racing).kind).toBe('websocket');
});

test('where WebTransport stalled it is tried only when there is no WebSocket', async () => {
  const racing = start('stalled');
  expect([web.begun, socket.begun]).toEqual([false, true]);
  await pass(10_000);
  expect(web.begun).toBe(false);
  socket.fail('Unreachable');
  await pass(0);
  web.succeed();
  expect((await racing).kind).toBe('webtransport');
});

test('a browser without WebTransport says nothing of the path', async () => {
  const racing = start();
  web.fail('NoWebTransport');
  await pass(0);
  socket.succeed();
  expect((await racing).kind).toBe('websocket');
  expect(learnt).toEqual([]);
});

test.each([
  ['ConnectTimeout', 'Unreachable', 'ConnectTimeout'],
  ['NoWebTransport', 'NoWebSocket', 'NoWebSocket'],
  ['InsecurePage', 'ConnectTimeout', 'ConnectTimeout'],
] as const)('when both fail, by %s and %s, it is %s', async (webCode, socketCode, code) => {
  const racing = start();
  await pass(BEGIN_MS + 50);
  socket.fail(socketCode);
  await pass(0);
  web.fail(webCode);
  await expect(racing).rejects.toMatchObject({ code });
});

test('giving up gives both up', async () => {
  const stop = new AbortController();
  const racing = start(undefined, stop.signal);
  await pass(BEGIN_MS + 50);
  stop.abort();
  expect([web.signal?.aborted, socket.signal?.aborted]).toEqual([true, true]);
  web.fail('Aborted');
  socket.fail('Aborted');
  await expect(racing).rejects.toMatchObject({ code: 'Aborted' });
});
