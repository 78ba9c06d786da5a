import type { Core } from './core.js';
import { delay } from './deadline.js';
import type { Detour } from './detour.js';
import type { CloseCode } from './errors.js';
import type { Transport } from './transport.js';

/** How long a connection that stalls may speak again while the other one is open. */
const LAST_CHANCE_MS = 1000;

/** A session that may go on over another transport. */
export interface Movable {
  /** What carries it now. */
  transport(): Transport;
  isOver(): boolean;
  isStalled(): boolean;
  /** Goes on over this transport, with the core of a new session. */
  goOn(core: Core, transport: Transport): Promise<void>;
  /** The other transport did not come about: the one there is has its time again. */
  stay(): void;
  /** Neither carries it. */
  lose(): void;
}

/** Changes the transport of a session whose connection stalls, if the other one comes about. */
export class Mover {
  readonly #session: Movable;
  readonly #detour: Detour | undefined;
  /** The connection that is to be left for another one, until the session goes on there. */
  #leaving: Transport | undefined;
  /** That connection ended. */
  #isLost = false;

  constructor(detour: Detour | undefined, session: Movable) {
    this.#detour = detour;
    this.#session = session;
  }

  /** Whether a change has begun. */
  get isMoving(): boolean {
    return this.#leaving !== undefined;
  }

  /** The connection ended, by a stall of its own or by a code. Gives whether the session goes on all the same. */
  survives(code: CloseCode, stalled: boolean): boolean {
    const isLeft = this.#leaving === this.#session.transport();
    const mayGoOn = this.#leaving ? isLeft && (stalled || code === 'ConnectionLost') : stalled;
    if (!this.#detour || !mayGoOn) return false;
    this.#isLost = true;
    void this.move();
    return true;
  }

  /** Goes on over the other transport, if that comes about while this one still says nothing: then it is not the path. */
  async move(): Promise<void> {
    if (!this.#detour || this.#leaving) return;
    const session = this.#session;
    const old = session.transport();
    this.#leaving = old;
    try {
      const { core, transport } = await this.#detour(old.kind);
      if (!this.#isLost) await delay(LAST_CHANCE_MS);
      const goesOn = !session.isOver() && (this.#isLost || session.isStalled());
      if (goesOn) await session.goOn(core, transport);
      else void transport.close(0, 'the other transport goes on');
    } catch {
      // The other one did not come about either, and is not tried again at once.
      session.stay();
      if (this.#isLost) session.lose();
    }
    this.#leaving = undefined;
    this.#isLost = false;
  }
}
