import type { Core, MoveOutcome } from './core.js';
import { TickwireError } from './errors.js';
import type { Transport } from './transport.js';

/**
 * Milliseconds to each attempt: from the join or the beginning of the WebSocket, then from the end of the attempt before. A pause
 * differs at random, so that clients which a server lost together do not come together.
 */
const PAUSES_MS = [5_000, 20_000, 60_000, 180_000, 600_000] as const;
/** Largest part of a pause by which it differs. */
const SPREAD = 0.2;

/** WebTransport for a session that goes over a WebSocket. */
export interface Upgrade {
  /** Opens it. */
  open(signal: AbortSignal): Promise<Transport>;
  /** False if experience says that it does not last. */
  isWise(): boolean;
  /** The session goes over it, and datagrams come. */
  worked(): void;
}

/** The session that moves. */
export interface Movable {
  readonly core: Core;
  /** The transport that carries it. */
  transport(): Transport;
  /** In a room, with a connection that speaks. */
  isSettled(): boolean;
  /** Reads a transport beside the one that carries the session. */
  listen(transport: Transport): void;
  /** The server may listen to a transport that the session did not move to: it stays open until the session goes on. */
  keep(transport: Transport): void;
  /** The old transport is lost, and there is no new one. */
  lost(): void;
}

/**
 * Moves a session from a WebSocket to WebTransport. That opens in the background while the WebSocket carries everything; the
 * session changes over once the server has answered over it, and otherwise stays.
 */
export class Upgrader {
  readonly #upgrade: Upgrade | undefined;
  readonly #session: Movable;
  /** The transport that the attempts are counted for. */
  #from: Transport | undefined;
  #attempts = 0;
  #dueMs = 0;
  #opening: AbortController | undefined;
  #next: Transport | undefined;
  /** The session moved, and no datagram has come over WebTransport since. */
  #isUnproven = false;

  /** Without `upgrade` a session stays on its transport. */
  constructor(upgrade: Upgrade | undefined, session: Movable) {
    this.#upgrade = upgrade;
    this.#session = session;
  }

  /** The transport that the session moves to, until it has. */
  get next(): Transport | undefined {
    return this.#next;
  }

  /** Begins an attempt that is due. */
  advance(nowMs: number): void {
    const upgrade = this.#upgrade;
    if (!upgrade) return;
    const { core } = this.#session;
    if (this.#next) {
      if (!core.isMoving()) this.#giveUp();
      return;
    }
    const transport = this.#session.transport();
    if (transport !== this.#from) this.#begin(transport, nowMs);
    if (transport.kind !== 'websocket' || this.#opening) return;
    if (!this.#session.isSettled()) {
      this.#dueMs = Math.max(this.#dueMs, nowMs + this.#pauseMs(0));
      return;
    }
    if (nowMs < this.#dueMs || this.#attempts >= PAUSES_MS.length || globalThis.document?.hidden || !upgrade.isWise()) return;
    void this.#try(upgrade, transport);
  }

  /** Takes what the core made of bytes over the new transport. Returns that transport if it carries the session now. */
  take(outcome: MoveOutcome): Transport | undefined {
    const next = this.#next;
    if (!next || outcome === 'pending') return undefined;
    if (outcome === 'moved') {
      this.#next = undefined;
      this.#isUnproven = true;
      return next;
    }
    // A refusal may come of this attempt's delay: the server no longer keeps what `Resume` lacked.
    this.#later();
    this.#giveUp();
    return undefined;
  }

  /** The new transport ended before the session moved. */
  ended(): void {
    this.#next = undefined;
    this.#session.core.cancelMove();
    this.#later();
    this.#check();
  }

  /** A datagram came over the transport that carries the session. */
  heardDatagram(): void {
    if (!this.#isUnproven || this.#session.transport().kind !== 'webtransport') return;
    this.#isUnproven = false;
    this.#upgrade?.worked();
  }

  /** The session is over, for this reason. The server may have moved it by now. */
  end(closeCode: number, reason: string): void {
    this.#opening?.abort();
    void this.#next?.close(closeCode, reason).catch(() => {});
    this.#next = undefined;
  }

  /** Counts for another transport. A move that brought no datagrams is an attempt that failed. */
  #begin(transport: Transport, nowMs: number): void {
    this.#opening?.abort();
    this.#opening = undefined;
    this.#from = transport;
    if (!this.#isUnproven) this.#attempts = 0;
    this.#dueMs = nowMs + this.#pauseMs(this.#attempts);
  }

  async #try(upgrade: Upgrade, from: Transport): Promise<void> {
    const opening = (this.#opening = new AbortController());
    this.#attempts++;
    try {
      const transport = await upgrade.open(opening.signal);
      if (this.#opening !== opening || opening.signal.aborted || this.#session.transport() !== from) return drop(transport);
      this.#move(transport);
    } catch (error) {
      const { code } = error as { code?: unknown };
      const isMissing = error instanceof TickwireError && (code === 'NoWebTransport' || code === 'InsecurePage');
      if (isMissing && this.#opening === opening) this.#attempts = PAUSES_MS.length;
    }
    if (this.#opening !== opening) return;
    this.#opening = undefined;
    this.#later();
  }

  #move(transport: Transport): void {
    const { core } = this.#session;
    const streams = this.#session.isSettled() ? core.beginMove(performance.now()) : undefined;
    if (!streams) return drop(transport);
    this.#next = transport;
    this.#session.listen(transport);
    transport.sendControl(streams[0]);
    transport.sendChat(streams[1]);
  }

  /** The core waits no longer for the server's answer, which may be under way. */
  #giveUp(): void {
    if (this.#next) this.#session.keep(this.#next);
    this.#next = undefined;
    this.#check();
  }

  /** Both transports may be lost. */
  #check(): void {
    if (this.#session.core.isReconnecting()) this.#session.lost();
  }

  #later(): void {
    this.#dueMs = performance.now() + this.#pauseMs(this.#attempts);
  }

  #pauseMs(attempt: number): number {
    return (PAUSES_MS[attempt] ?? 0) * (1 + SPREAD * Math.random());
  }
}

function drop(transport: Transport): void {
  void transport.close(0, 'the session goes on over another connection').catch(() => {});
}
