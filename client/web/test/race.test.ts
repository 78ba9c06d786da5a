import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { TickwireError, type ErrorCode } from '../src/errors.js';
import { HEAD_START_MS, race } from '../src/race.js';
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
const start = (signal?: AbortSignal) => {
  const open = { webtransport: web.open, websocket: socket.open };
  const racing = race(open, signal);
  racing.catch(() => {});
  return racing;
};

beforeEach(() => {
  vi.useFakeTimers();
  web = new Opening('webtransport');
  socket = new Opening('websocket');
});

afterEach(() => vi.useRealTimers());

test('a WebTransport that is there in time is alone', async () => {
  const racing = start();
  await vi.advanceTimersByTimeAsync(HEAD_START_MS - 1);
  web.succeed();
  expect((await racing).kind).toBe('webtransport');
  await vi.advanceTimersByTimeAsync(1000);
  expect(socket.begun).toBe(false);
});

test('after the head start both are tried, and the first wins', async () => {
  const racing = start();
  await vi.advanceTimersByTimeAsync(HEAD_START_MS);
  expect(socket.begun).toBe(true);
  socket.succeed();
  expect((await racing).kind).toBe('websocket');
  expect(web.signal?.aborted).toBe(true);
  web.succeed();
  await vi.advanceTimersByTimeAsync(0);
  expect([web.closed, socket.closed]).toEqual([true, false]);
});

test('a WebTransport that is late but first still wins', async () => {
  const racing = start();
  await vi.advanceTimersByTimeAsync(HEAD_START_MS + 50);
  web.succeed();
  expect((await racing).kind).toBe('webtransport');
  socket.succeed();
  await vi.advanceTimersByTimeAsync(0);
  expect([web.closed, socket.closed]).toEqual([false, true]);
});

test('a WebTransport that fails lets the WebSocket begin at once', async () => {
  const racing = start();
  web.fail('Unreachable');
  await vi.advanceTimersByTimeAsync(0);
  expect(socket.begun).toBe(true);
  socket.succeed();
  expect((await racing).kind).toBe('websocket');
});

test.each([
  ['ConnectTimeout', 'Unreachable', 'ConnectTimeout'],
  ['NoWebTransport', 'Unreachable', 'Unreachable'],
  ['InsecurePage', 'ConnectTimeout', 'ConnectTimeout'],
] as const)('when both fail, by %s and %s, it is %s', async (webCode, socketCode, code) => {
  const racing = start();
  await vi.advanceTimersByTimeAsync(HEAD_START_MS);
  socket.fail(socketCode);
  await vi.advanceTimersByTimeAsync(0);
  web.fail(webCode);
  await expect(racing).rejects.toMatchObject({ code });
});

test('giving up gives both up', async () => {
  const stop = new AbortController();
  const racing = start(stop.signal);
  await vi.advanceTimersByTimeAsync(HEAD_START_MS);
  stop.abort();
  expect([web.signal?.aborted, socket.signal?.aborted]).toEqual([true, true]);
  web.fail('Aborted');
  socket.fail('Aborted');
  await expect(racing).rejects.toMatchObject({ code: 'Aborted' });
});
