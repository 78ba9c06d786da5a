import { TickwireError } from './errors.js';
import type { Known, Plan } from './path.js';
import type { Transport, TransportKind } from './transport.js';

/** Opens each transport, until the signal fires. */
export type Openers = Record<TransportKind, (signal: AbortSignal) => Promise<Transport>>;

/** The caller of a race. */
export interface Audience {
  /** Gives up when it fires. */
  signal?: AbortSignal | undefined;
  /** Receives what the race showed of the path, maybe after the race is over. */
  learn?: (known: Known) => void;
}

/**
 * Opens a transport, WebTransport if the path allows it. The WebSocket starts when the plan says
 * so, or when WebTransport fails; once open, it waits for WebTransport as long as the plan says.
 *
 * A WebTransport that opens after the WebSocket has won is closed and reported to `learn`, so that
 * the next race waits for it. If neither opens, WebTransport's failure is thrown, or the
 * WebSocket's where the browser has no WebTransport.
 */
export function race(open: Openers, plan: Plan, audience: Audience = {}): Promise<Transport> {
  return new Promise((resolve, reject) => new Race(open, plan, audience, { resolve, reject }).start());
}

interface Settle {
  resolve: (transport: Transport) => void;
  reject: (error: unknown) => void;
}

class Race {
  readonly #open: Openers;
  readonly #plan: Plan;
  readonly #audience: Audience;
  readonly #settle: Settle;
  readonly #stop = new AbortController();
  readonly #abort = () => this.#stop.abort();
  readonly #begun = new Set<TransportKind>();
  readonly #failures: Partial<Record<TransportKind, unknown>> = {};
  #timers: (() => void)[] = [];
  /** An open WebSocket that waits for WebTransport. */
  #held: Transport | undefined;
  #isHolding: boolean;
  #isOver = false;

  constructor(open: Openers, plan: Plan, audience: Audience, settle: Settle) {
    this.#open = open;
    this.#plan = plan;
    this.#audience = audience;
    this.#settle = settle;
    this.#isHolding = plan.holdMs > 0;
  }

  start(): void {
    const { signal } = this.#audience;
    signal?.addEventListener('abort', this.#abort);
    if (signal?.aborted) this.#abort();
    const { beginMs, holdMs } = this.#plan;
    for (const kind of ['webtransport', 'websocket'] as const) {
      const atMs = beginMs[kind];
      if (atMs === 0) this.#begin(kind);
      else if (atMs !== undefined) this.#timers.push(whenRun(atMs, () => this.#begin(kind)));
    }
    if (this.#isHolding) this.#timers.push(whenRun(holdMs, () => this.#release()));
  }

  #begin(kind: TransportKind): void {
    if (this.#begun.has(kind) || this.#isOver) return;
    this.#begun.add(kind);
    this.#open[kind](this.#stop.signal).then(
      (transport) => this.#opened(transport),
      (error: unknown) => this.#failed(kind, error),
    );
  }

  #opened(transport: Transport): void {
    if (transport.kind === 'webtransport') this.#audience.learn?.('webtransport');
    if (this.#isOver) return close(transport);
    if (transport.kind === 'webtransport' || !this.#isHolding) return this.#win(transport);
    this.#held = transport;
  }

  #failed(kind: TransportKind, error: unknown): void {
    this.#failures[kind] = error;
    if (this.#isOver) return;
    const { webtransport, websocket } = this.#failures;
    if (webtransport !== undefined && websocket !== undefined) {
      this.#finish();
      return this.#settle.reject(isMissing(webtransport) ? websocket : webtransport);
    }
    if (kind === 'webtransport') this.#release();
    this.#begin(kind === 'webtransport' ? 'websocket' : 'webtransport');
  }

  /** Ends the WebSocket's wait. */
  #release(): void {
    this.#isHolding = false;
    if (this.#held) this.#win(this.#held);
  }

  #win(transport: Transport): void {
    this.#finish();
    const isBlocked = transport.kind === 'websocket' && this.#begun.has('webtransport') && !isMissing(this.#failures.webtransport);
    if (isBlocked) this.#audience.learn?.('blocked');
    if (transport.kind === 'webtransport') {
      this.#stop.abort();
      if (this.#held) close(this.#held);
    }
    this.#settle.resolve(transport);
  }

  #finish(): void {
    this.#isOver = true;
    for (const clear of this.#timers) clear();
    this.#audience.signal?.removeEventListener('abort', this.#abort);
  }
}

function close(transport: Transport): void {
  void transport.close(0, 'the other transport is taken').catch(() => {});
}

/** True if the browser has no WebTransport, which says nothing about the path. */
function isMissing(failure: unknown): boolean {
  return failure instanceof TickwireError && (failure.code === 'NoWebTransport' || failure.code === 'InsecurePage');
}

const STEP_MS = 25;
/**
 * Most that one step counts: on a machine that is busier than this, a handshake is just as slow.
 */
const STEP_COUNTED_MS_MAX = 50;
/** The same for a hidden page, whose timers are slow on an idle machine too. */
const HIDDEN_COUNTED_MS_MAX = 1000;

/**
 * Calls `then` once the page has run for `ms`. A page that stood still has not read what arrived
 * meanwhile, so a long gap counts as a short one. Returns a function that cancels it.
 */
function whenRun(ms: number, then: () => void): () => void {
  let leftMs = ms;
  let lastMs = performance.now();
  const timer = setInterval(() => {
    const nowMs = performance.now();
    leftMs -= Math.min(nowMs - lastMs, globalThis.document?.hidden ? HIDDEN_COUNTED_MS_MAX : STEP_COUNTED_MS_MAX);
    lastMs = nowMs;
    if (leftMs > 0) return;
    clearInterval(timer);
    then();
  }, STEP_MS);
  return () => clearInterval(timer);
}
