import type { CertificateHash } from './certificates.js';
import { type Deadline, delay, inTime } from './deadline.js';
import { TickwireError, closeCodeOf, textOf } from './errors.js';
import type { Transport, TransportEnd, TransportHandler } from './transport.js';

/** Datagrams the browser may hold for us; older ones are useless to a game. */
const DATAGRAMS_IN_MAX = 64;
/** Datagrams that may wait to be sent. */
const DATAGRAMS_OUT_MAX = 8;
/** Milliseconds to wait for the session's close reason after its streams failed. */
const CLOSED_MS = 2000;

/** Settings of {@link openWebTransport}. */
export interface WebTransportOptions extends Deadline {
  /** Certificates to trust; empty for one of a public authority. */
  certificateHashes: readonly CertificateHash[];
}

/** Opens a session and its two streams, control first. Throws a {@link TickwireError}. */
export async function openWebTransport(url: string, options: WebTransportOptions): Promise<Transport> {
  checkSupport();
  const session = new WebTransport(url.replace(/^http:/, 'https:'), {
    congestionControl: 'low-latency',
    requireUnreliable: true,
    serverCertificateHashes: [...options.certificateHashes],
  });
  // Both also report what `ready` reports; without a handler they would count as unhandled.
  session.ready.catch(() => {});
  session.closed.catch(() => {});
  try {
    return await inTime(begin(session), options);
  } catch (cause) {
    if (cause instanceof TickwireError) {
      session.close();
      throw cause;
    }
    throw (await closedBy(session, cause)) ?? new TickwireError('Unreachable', undefined, { cause });
  }
}

async function begin(session: WebTransport): Promise<Transport> {
  await session.ready;
  const control = await session.createBidirectionalStream();
  const chat = await session.createBidirectionalStream();
  return new BrowserTransport(session, control, chat);
}

/**
 * The reason why the server closed a session that had just begun, if it did: its page may not
 * connect, for instance.
 */
async function closedBy(session: WebTransport, cause: unknown): Promise<TickwireError | undefined> {
  const closed = session.closed.catch(() => undefined);
  const info = await Promise.race([closed, delay(CLOSED_MS)]);
  session.close();
  if (!info?.closeCode) return undefined;
  const code = closeCodeOf(info.closeCode);
  return new TickwireError(code, info.reason || textOf(code), { cause });
}

function checkSupport(): void {
  if ('WebTransport' in globalThis) return;
  throw new TickwireError(globalThis.isSecureContext === false ? 'InsecurePage' : 'NoWebTransport');
}

type Datagrams = WebTransport['datagrams'];
type Stream = WebTransportBidirectionalStream;

class BrowserTransport implements Transport {
  readonly kind = 'webtransport';
  datagramsDropped = 0;
  readonly #session: WebTransport;
  readonly #control: ByteWriter;
  readonly #chat: ByteWriter;
  readonly #datagrams: WritableStreamDefaultWriter<Uint8Array>;
  readonly #streams: readonly [Stream, Stream];
  #handler: TransportHandler | undefined;
  /** Opened when something is to be written to it. */
  #static: Promise<ByteWriter> | undefined;
  #topics: Promise<ByteWriter> | undefined;

  constructor(session: WebTransport, control: Stream, chat: Stream) {
    this.#session = session;
    this.#streams = [control, chat];
    this.#control = control.writable.getWriter();
    this.#chat = chat.writable.getWriter();
    this.#datagrams = datagramWriter(session.datagrams);
  }

  start(handler: TransportHandler): void {
    this.#handler = handler;
    const [control, chat] = this.#streams;
    const reading = [
      pump(control.readable, (bytes) => handler.onControl(bytes)),
      pump(chat.readable, (bytes) => handler.onChat(bytes)),
      pump(this.#session.datagrams.readable, (bytes) => handler.onDatagram(bytes)),
    ];
    // What arrived before the end, such as a goodbye, is read before the end is reported.
    void this.#ended().then(async (end) => {
      await Promise.race([Promise.all(reading), delay(100)]);
      handler.onClosed(end);
    });
  }

  sendControl(bytes: Uint8Array): void {
    this.#control.write(bytes).catch(() => {});
  }

  sendChat(bytes: Uint8Array): void {
    this.#chat.write(bytes).catch(() => {});
  }

  sendStatic(bytes: Uint8Array): void {
    this.#static ??= this.#open((bytes) => this.#handler?.onStatic(bytes));
    this.#static.then((writer) => writer.write(bytes)).catch(() => {});
  }

  sendTopics(bytes: Uint8Array): void {
    this.#topics ??= this.#open((bytes) => this.#handler?.onTopics(bytes));
    this.#topics.then((writer) => writer.write(bytes)).catch(() => {});
  }

  async #open(take: (bytes: Uint8Array) => void): Promise<ByteWriter> {
    const stream = await this.#session.createBidirectionalStream();
    void pump(stream.readable, take);
    return stream.writable.getWriter();
  }

  sendDatagram(bytes: Uint8Array): void {
    if ((this.#datagrams.desiredSize ?? 0) <= 0) {
      this.datagramsDropped++;
      return;
    }
    this.#datagrams.write(bytes).catch(() => {});
  }

  async close(closeCode: number, reason: string): Promise<void> {
    // A closed stream has handed over its bytes; a peer that no longer reads must not hold us up.
    await Promise.race([Promise.allSettled([this.#control.close(), this.#chat.close()]), delay(200)]);
    this.#session.close({ closeCode, reason });
  }

  async #ended(): Promise<TransportEnd> {
    try {
      const info = await this.#session.closed;
      const { closeCode, reason = '' } = info;
      // A session that ends without a word has these as well: a server that says goodbye says it in words.
      const saysNothing = closeCode === 0 && reason === '';
      return { closeCode: saysNothing ? undefined : closeCode, reason };
    } catch (error) {
      return { reason: error instanceof Error ? error.message : String(error) };
    }
  }
}

type ByteWriter = WritableStreamDefaultWriter<Uint8Array>;

/** Newer browsers have `createWritable()`, older ones one `writable`; buffer sizes differ too. */
function datagramWriter(datagrams: Datagrams): ByteWriter {
  const found = datagrams as unknown as Record<string, unknown> & {
    createWritable?: () => WritableStream<Uint8Array>;
    writable?: WritableStream<Uint8Array>;
  };
  const set = (names: readonly string[], value: number) => {
    const name = names.find((name) => name in found);
    if (name) found[name] = value;
  };
  set(['incomingMaxBufferedDatagrams', 'incomingHighWaterMark'], DATAGRAMS_IN_MAX);
  set(['outgoingMaxBufferedDatagrams', 'outgoingHighWaterMark'], DATAGRAMS_OUT_MAX);
  const writable = found.createWritable?.() ?? found.writable;
  if (!writable) throw new TickwireError('NoWebTransport');
  return writable.getWriter();
}

/** Passes on every chunk until the stream ends, however it ends. */
async function pump(readable: ReadableStream<Uint8Array>, take: (bytes: Uint8Array) => void): Promise<void> {
  const reader = readable.getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      take(value);
    }
  } catch {
    // The session's end says why.
  }
}
