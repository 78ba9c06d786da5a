import type { Core } from './core.js';
import { delay } from './deadline.js';
import type { Transport, TransportKind } from './transport.js';
import type { Upgrade } from './upgrade.js';

/** How long a connection that stalls may speak again while the other one is open. */
const LAST_CHANCE_MS = 1000;
/**
 * Where the other transport took longer than this to open, the network was away: the silence says nothing of the transport that was
 * silent. A system repeats a lost request for a TCP connection after a second.
 */
const AWAY_MS = 900;
/** Silence after which a connection counts as lost though it is open, as where a router has forgotten it. */
const LOST_MS = 15_000;

/**
 * Time after which another opening begins beside those of an attempt that have no answer. Retransmissions of a handshake come ever
 * more seldom: an old one would notice late that the network is back.
 */
const FRESH_MS = 2000;
/** Most openings at a time. */
const OPENINGS_MAX = 4;
/** Time after which an attempt without an answer has failed: the session's backoff follows. */
const ATTEMPT_MS = 10_000;

/** How connections are opened after the first. */
export interface Ways {
  /** Opens what the path allows, as `connect()` does, until the signal fires. */
  open(signal: AbortSignal): Promise<Transport>;
  /** Opens the other transport than this one. Absent if only one may be used. */
  openOther?: (than: TransportKind, signal: AbortSignal) => Promise<Transport>;
  /** Hears of a transport that stalled while the other one opened at once. */
  stalled?: (kind: TransportKind) => void;
  /** Opens WebTransport for a session on a WebSocket. Absent if the WebSocket was asked for. */
  upgrade?: Upgrade;
}

/** The session that goes on over one transport after another. */
export interface Carried {
  readonly core: Core;
  /** The transport now, or the last one. */
  transport(): Transport;
  isStalled(): boolean;
  /** How long what is due has not come, in milliseconds. */
  silentMs(): number;
  /** The stall is known: it is one again after as long. */
  excuse(): void;
  /** Takes the transport, and no other any more. */
  carry(transport: Transport): void;
}

/** Opens new connections for a session: when its own is lost, and when it stalls. */
export class Reconnector {
  readonly #ways: Ways | undefined;
  readonly #session: Carried;
  /** Stops the openings of the attempt under way, after a loss. */
  readonly #openings = new Set<AbortController>();
  #openedMs = 0;
  /** The beginning of the attempt under way. */
  #begunMs = 0;
  /** Stops the opening of the other transport, beside one that stalls. */
  #detour: AbortController | undefined;
  /**
   * Transports that were left. They stay open until the session goes on: closing one would end the session, if it is the one
   * that the server listens to.
   */
  #left: Transport[] = [];
  /** What carried the session before it was lost. */
  #from: TransportKind | undefined;
  /** No transport carries the session. */
  #isOff = false;
  readonly #hurry = () => this.#hurryUp();
  readonly #wake = () => globalThis.document?.hidden || this.#hurryUp();

  /** Without ways, a lost connection is the end. */
  constructor(ways: Ways | undefined, session: Carried) {
    this.#ways = ways;
    this.#session = session;
    if (!ways) return;
    globalThis.addEventListener?.('online', this.#hurry);
    globalThis.document?.addEventListener('visibilitychange', this.#wake);
  }

  /** The connection is lost. Returns false if the session cannot go on. A loss that is known already changes nothing. */
  lose(): boolean {
    if (this.#isOff) return true;
    const { core } = this.#session;
    if (!this.#ways || !core.onLost('', performance.now())) return false;
    // The transport that the session moves to may carry it already.
    if (!core.isMoving()) this.lost();
    return true;
  }

  /** Keeps a transport open until the session goes on: the server may listen to it. */
  keep(transport: Transport): void {
    this.#left.push(transport);
  }

  /** No transport carries the session. */
  lost(): void {
    this.#leave();
    this.#isOff = true;
    this.#tryIfDue();
  }

  /** Does what is due: opens a new connection, or looks for another where this one is silent. */
  advance(): void {
    if (!this.#ways) return;
    if (this.#isOff) return this.#tryIfDue();
    const { core } = this.#session;
    const isStalled = this.#session.isStalled();
    if (!core.canResume()) return;
    // A new connection on which the server does not answer is as none.
    if (this.#session.silentMs() >= LOST_MS || (isStalled && core.isReconnecting())) this.lose();
    else if (isStalled && this.#ways.openOther && !core.isMoving()) void this.#move(this.#ways.openOther);
  }

  /** The server goes on with the session. Returns the transport that carried it before. */
  resumed(): TransportKind | undefined {
    const from = this.#from;
    this.#from = undefined;
    this.#closeLeft();
    return from;
  }

  /** The session is over. */
  end(): void {
    this.#stopAttempt();
    this.#detour?.abort();
    this.#isOff = true;
    this.#closeLeft();
    globalThis.removeEventListener?.('online', this.#hurry);
    globalThis.document?.removeEventListener('visibilitychange', this.#wake);
  }

  #tryIfDue(): void {
    const { core } = this.#session;
    const nowMs = performance.now();
    if (this.#openings.size > 0 && nowMs - this.#begunMs >= ATTEMPT_MS) this.#fail(nowMs);
    const isNew = core.pollReconnect(nowMs);
    if (isNew) this.#begunMs = nowMs;
    if (isNew || this.#isLate(nowMs)) void this.#open(nowMs);
  }

  /** No opening of the attempt has an answer, and there may be another one beside them. */
  #isLate(nowMs: number): boolean {
    const { size } = this.#openings;
    const all = size + (this.#detour ? 1 : 0);
    return size > 0 && all < OPENINGS_MAX && nowMs - this.#openedMs >= FRESH_MS;
  }

  /** Gives the attempt up. */
  #fail(nowMs: number): void {
    this.#stopAttempt();
    this.#session.core.onConnectFailed(nowMs);
  }

  /** One opening of the attempt. The first that comes about carries the session; the attempt failed once all have. */
  async #open(nowMs: number): Promise<void> {
    const opening = new AbortController();
    this.#openings.add(opening);
    this.#openedMs = nowMs;
    try {
      const transport = await this.#ways!.open(opening.signal);
      if (this.#openings.delete(opening)) this.#goOn(transport);
      else drop(transport);
    } catch {
      if (!this.#openings.delete(opening) || this.#openings.size > 0) return;
      this.#session.core.onConnectFailed(performance.now());
    }
  }

  #stopAttempt(): void {
    for (const opening of this.#openings) opening.abort();
    this.#openings.clear();
  }

  /** The network is back, or somebody looks at the page again. What was begun before that may wait for long. */
  #hurryUp(): void {
    const { core } = this.#session;
    if (!this.#isOff || !core.isReconnecting()) return;
    const nowMs = performance.now();
    if (this.#openings.size > 0) this.#fail(nowMs);
    core.reconnectNow(nowMs);
    this.#tryIfDue();
  }

  /** Goes on over the other transport, if that comes about while this one still says nothing: then it is not the path. */
  async #move(openOther: NonNullable<Ways['openOther']>): Promise<void> {
    if (this.#detour) return;
    const detour = (this.#detour = new AbortController());
    const old = this.#session.transport();
    const isOld = () => !this.#isOff && this.#session.transport() === old;
    const begunMs = performance.now();
    try {
      const transport = await openOther(old.kind, detour.signal);
      const wasAway = performance.now() - begunMs > AWAY_MS;
      if (isOld()) await delay(LAST_CHANCE_MS);
      if (detour.signal.aborted) drop(transport);
      else if (this.#isOff) this.#goOn(transport);
      else if (isOld() && this.#session.isStalled()) this.#replace(old, transport, wasAway);
      else drop(transport);
    } catch {
      // It is not tried again at once.
      this.#session.excuse();
    }
    this.#detour = undefined;
  }

  #replace(old: Transport, transport: Transport, wasAway: boolean): void {
    const { core } = this.#session;
    const nowMs = performance.now();
    if (!wasAway) this.#ways?.stalled?.(old.kind);
    if (core.isMoving()) return drop(transport);
    // The first attempt is due at once: it is this one.
    if (!core.onLost('', nowMs) || !core.pollReconnect(nowMs)) return drop(transport);
    this.#leave();
    this.#goOn(transport);
  }

  #goOn(transport: Transport): void {
    this.#stopAttempt();
    const { core } = this.#session;
    if (!core.isReconnecting()) return drop(transport);
    this.#isOff = false;
    core.resume();
    this.#session.carry(transport);
  }

  #leave(): void {
    const transport = this.#session.transport();
    this.#from ??= transport.kind;
    if (!this.#left.includes(transport)) this.#left.push(transport);
  }

  #closeLeft(): void {
    for (const transport of this.#left.splice(0)) drop(transport);
  }
}

function drop(transport: Transport): void {
  void transport.close(0, 'the session goes on over another connection').catch(() => {});
}
