import { type Deadline, inTime } from './deadline.js';
import { TickwireError, closeCodeOf, closeNumberOf, textOf } from './errors.js';
import { ownOrigin } from './origin.js';
import type { Transport, TransportEnd, TransportHandler } from './transport.js';

/** The first byte of a message names its lane. A stream's lane is the stream's own first byte. */
const LANE_DATAGRAM = 0;
const LANE_CONTROL = 1;
const LANE_CHAT = 2;
const LANE_STATIC = 3;
const LANE_TOPICS = 4;
/** A WebSocket close code is this plus the number of ours. */
const CLOSE_BASE = 4000;
const CLOSE_NUMBERS = 1000;
/** Most bytes of a close's text. */
const REASON_BYTES_MAX = 123;
/** Waiting bytes from which on datagrams are dropped: a newer one repeats what they say. */
const WAITING_BYTES_MAX = 4096;
/** Time that a server has to answer a close. */
const CLOSE_MS = 200;

/** The path at which a server accepts WebSockets. */
export const WEBSOCKET_PATH = '/ws';

/** Opens a WebSocket. Throws a {@link TickwireError}. */
export async function openWebSocket(url: string, deadline: Deadline): Promise<Transport> {
  if (!('WebSocket' in globalThis)) throw new TickwireError('NoWebSocket');
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  const opened = new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    // A browser does not say why, and node 20 says nothing of a close; but a server's immediate
    // close may overtake the opening.
    socket.onerror = () => reject(new TickwireError('Unreachable'));
    socket.onclose = (event) => reject(closedBy(event));
  });
  try {
    await inTime(opened, deadline);
    socket.onerror = null;
    return new SocketTransport(socket);
  } catch (error) {
    giveUp(socket);
    throw error;
  }
}

/** Closes the socket once it is open: browsers log an error for one that is closed before. */
function giveUp(socket: WebSocket): void {
  if (socket.readyState !== socket.CONNECTING) return socket.close();
  socket.onopen = () => socket.close();
  socket.onerror = socket.onclose = null;
}

/**
 * The WebSocket address of the server at `url`, on the same host and port. Without TLS if `url` is,
 * or if the server has only a certificate for development, which it does not use over TCP; with TLS
 * in any case on a page that was loaded with it.
 */
export function webSocketUrl(url: string | URL, hasHashes: boolean): string {
  const target = new URL(url);
  const plain = (hasHashes || target.protocol === 'http:') && !ownOrigin()?.startsWith('https:');
  return `${plain ? 'ws' : 'wss'}://${target.host}${WEBSOCKET_PATH}`;
}

/** The part of a text that fits into a close. */
export function closeReason(text: string): string {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= REASON_BYTES_MAX) return text;
  // Bytes that continue a character are 10xxxxxx.
  let end = REASON_BYTES_MAX;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return new TextDecoder().decode(bytes.subarray(0, end));
}

/** The streams and the datagrams in one socket. */
class SocketTransport implements Transport {
  readonly kind = 'websocket';
  datagramsDropped = 0;
  readonly #socket: WebSocket;
  /** Lanes that have begun: the first message of a stream contains its lane already. */
  readonly #began = new Set<number>();
  /** The end, if it came before anybody listened. */
  #end: TransportEnd | undefined;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onclose = (event) => (this.#end = endOf(event));
  }

  start(handler: TransportHandler): void {
    const socket = this.#socket;
    socket.onmessage = ({ data }: MessageEvent<unknown>) => {
      const message = data instanceof ArrayBuffer ? new Uint8Array(data) : new Uint8Array();
      switch (message[0]) {
        case LANE_DATAGRAM:
          return handler.onDatagram(message.subarray(1));
        case LANE_CONTROL:
          return handler.onControl(message.subarray(1));
        case LANE_CHAT:
          return handler.onChat(message.subarray(1));
        case LANE_STATIC:
          return handler.onStatic(message.subarray(1));
        case LANE_TOPICS:
          return handler.onTopics(message.subarray(1));
        default:
          return ended({ closeCode: closeNumberOf('ServerMisbehaved'), reason: textOf('ServerMisbehaved') });
      }
    };
    const ended = (end: TransportEnd) => {
      socket.onmessage = socket.onclose = null;
      handler.onClosed(end);
    };
    socket.onclose = (event) => ended(endOf(event));
    const end = this.#end;
    if (end) setTimeout(() => ended(end));
  }

  sendControl(bytes: Uint8Array): void {
    this.#sendStream(LANE_CONTROL, bytes);
  }

  sendChat(bytes: Uint8Array): void {
    this.#sendStream(LANE_CHAT, bytes);
  }

  sendStatic(bytes: Uint8Array): void {
    this.#sendStream(LANE_STATIC, bytes);
  }

  sendTopics(bytes: Uint8Array): void {
    this.#sendStream(LANE_TOPICS, bytes);
  }

  sendDatagram(bytes: Uint8Array): void {
    if (this.#socket.bufferedAmount > WAITING_BYTES_MAX) {
      this.datagramsDropped++;
      return;
    }
    this.#socket.send(behind(LANE_DATAGRAM, bytes));
  }

  close(closeCode: number, reason: string): Promise<void> {
    const socket = this.#socket;
    const closed = new Promise<void>((resolve) => {
      if (socket.readyState === socket.CLOSED) return resolve();
      socket.addEventListener('close', () => resolve(), { once: true });
      setTimeout(resolve, CLOSE_MS);
    });
    socket.close(CLOSE_BASE + closeCode, closeReason(reason));
    return closed;
  }

  #sendStream(lane: number, bytes: Uint8Array): void {
    this.#socket.send(this.#began.has(lane) ? behind(lane, bytes) : Uint8Array.from(bytes));
    this.#began.add(lane);
  }
}

function behind(lane: number, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(1 + bytes.length);
  message[0] = lane;
  message.set(bytes, 1);
  return message;
}

function endOf({ code, reason }: { code: number; reason: string }): TransportEnd {
  return { closeCode: ownNumber(code), reason };
}

/** The reason why a socket did not open. */
function closedBy(event: { code: number; reason: string }): TickwireError {
  const { closeCode, reason } = endOf(event);
  if (closeCode === undefined) return new TickwireError('Unreachable');
  const code = closeCodeOf(closeCode);
  return new TickwireError(code, reason || textOf(code));
}

/** The number of a close code of ours; undefined for any other code. */
function ownNumber(code: number): number | undefined {
  const number = code - CLOSE_BASE;
  return number >= 0 && number < CLOSE_NUMBERS ? number : undefined;
}
