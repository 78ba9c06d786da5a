/** Silence that is a stall, where there should be a snapshot each tick or an answer. */
const STALL_MS = 3000;
/** The same for a slow game, in snapshots. */
const STALL_TICKS = 12;
/** A page that stands still has not read what came meanwhile: a long gap counts as so much. */
const GAP_MS_MAX = 250;

/**
 * Notices a connection that is said to be open and brings nothing: datagrams that stop in a room, or streams that leave
 * a request without an answer. Time is of a page that runs.
 */
export class StallWatch {
  #lastMs: number | undefined;
  #datagramsMs = 0;
  #streamsMs = 0;
  #isAsking = false;

  /** A datagram came. */
  heardDatagram(): void {
    this.#datagramsMs = 0;
  }

  /** Bytes of a stream came. */
  heardStream(): void {
    this.#isAsking = false;
    this.#streamsMs = 0;
  }

  /** Something was sent that will be answered on a stream. */
  asked(): void {
    this.#isAsking = true;
  }

  /** Whether datagrams come: what stands still is not the path. */
  get hearsDatagrams(): boolean {
    return this.#datagramsMs < STALL_MS;
  }

  /** Takes note of the time. Whether the connection stalls; `tickHz` is that of the room, if there is one. */
  isStalled(nowMs: number, tickHz: number | undefined): boolean {
    const gapMs = Math.min(nowMs - (this.#lastMs ?? nowMs), GAP_MS_MAX);
    this.#lastMs = nowMs;
    this.#datagramsMs = tickHz === undefined ? 0 : this.#datagramsMs + gapMs;
    this.#streamsMs = this.#isAsking ? this.#streamsMs + gapMs : 0;
    const isSilent = this.#datagramsMs >= STALL_MS && this.#datagramsMs >= (1000 / (tickHz ?? 1000)) * STALL_TICKS;
    return isSilent || this.#streamsMs >= STALL_MS;
  }
}
