/** Silence that counts as a stall, while a snapshot each tick or an answer is due. */
const STALL_MS = 3000;
/** The same for the first datagram over a transport that the session moved to. */
const UNPROVEN_MS = 1000;
/** Fewest snapshots of a slow game that a stall lacks. */
const STALL_TICKS = 12;
/** Silence from which on a connection is not settled. */
const SETTLED_MS = 1000;
/** The same for a slow game, in snapshots. */
const SETTLED_TICKS = 2;
/** Most that one gap counts: a page that stood still has not read what arrived meanwhile. */
const GAP_MS_MAX = 250;
/** The same while the page is hidden: browsers run its timers once a second. */
const HIDDEN_GAP_MS_MAX = 1250;

/**
 * Detects a connection that is open and brings nothing: datagrams that stop in a room, or streams
 * that leave a request unanswered. Only time in which the page runs counts.
 */
export class StallWatch {
  /** Silence of this long is known. */
  #excusedMs = 0;
  #lastMs: number | undefined;
  #datagramsMs = 0;
  #streamsMs = 0;
  #quietMs = 0;
  #isAsking = false;
  #stallMs: number;

  /** `isUnproven` says that datagrams have not come over this connection yet: their silence is a stall sooner. */
  constructor(isUnproven = false) {
    this.#stallMs = isUnproven ? UNPROVEN_MS : STALL_MS;
  }

  /** A datagram came. */
  heardDatagram(): void {
    this.#datagramsMs = 0;
    this.#stallMs = STALL_MS;
    this.#heard();
  }

  /** Bytes of a stream came. */
  heardStream(): void {
    this.#isAsking = false;
    this.#streamsMs = 0;
    this.#heard();
  }

  /** A request was sent that will be answered on a stream. */
  asked(): void {
    this.#isAsking = true;
  }

  /** How long what is due has not come, in milliseconds in which the page ran. */
  get silentMs(): number {
    return Math.max(this.#datagramsMs, this.#streamsMs);
  }

  /** How long nothing at all has come while nothing is due, in milliseconds in which the page ran. */
  get quietMs(): number {
    return this.#isAsking ? 0 : this.#quietMs;
  }

  /** Whether what is due comes; `tickHz` is the room's tick rate. */
  isSettled(tickHz: number): boolean {
    return this.silentMs < Math.max(SETTLED_MS, (1000 / tickHz) * SETTLED_TICKS);
  }

  /** The stall is known: it is one again after as long. */
  excuse(): void {
    this.#excusedMs = this.silentMs;
  }

  /**
   * Advances to `nowMs`. Returns true if the connection stalls; `tickHz` is the room's tick rate,
   * if in a room.
   */
  isStalled(nowMs: number, tickHz: number | undefined): boolean {
    const gapMsMax = globalThis.document?.hidden ? HIDDEN_GAP_MS_MAX : GAP_MS_MAX;
    const gapMs = Math.min(nowMs - (this.#lastMs ?? nowMs), gapMsMax);
    this.#lastMs = nowMs;
    this.#quietMs += gapMs;
    this.#datagramsMs = tickHz === undefined ? 0 : this.#datagramsMs + gapMs;
    this.#streamsMs = this.#isAsking ? this.#streamsMs + gapMs : 0;
    const datagramsMs = this.#datagramsMs - this.#excusedMs;
    const isSilent = datagramsMs >= this.#stallMs && datagramsMs >= (1000 / (tickHz ?? 1000)) * STALL_TICKS;
    return isSilent || this.#streamsMs - this.#excusedMs >= STALL_MS;
  }

  #heard(): void {
    this.#quietMs = 0;
    this.#excusedMs = Math.min(this.#excusedMs, this.silentMs);
  }
}
