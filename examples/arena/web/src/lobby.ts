import { type ErrorCode, type RoomInfo, TickwireError } from 'tickwire';
import { pauseMs } from './retry';
import type { Session } from './session';

const EVERY_MS = 4000;
/** Events that show a person's return to the page. */
const RETURNS = ['pointermove', 'pointerdown', 'keydown', 'focus'] as const;

/** Shows the rooms. */
export interface LobbyView {
  /** Shows the server's current rooms. */
  show(rooms: readonly RoomInfo[]): void;
  /** The rooms are unknown; the lobby asks again by itself. */
  failed(code: ErrorCode): void;
  /** Nobody used the page for a long time; the lobby asks again once someone does. */
  paused(): void;
}

/** Asks for the server's rooms repeatedly while the start page is shown. */
export class Lobby {
  readonly #session: Session;
  readonly #view: LobbyView;
  #isRunning = false;
  #isAsking = false;
  #isPaused = false;
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Idle until {@link start}. */
  constructor(session: Session, view: LobbyView) {
    this.#session = session;
    this.#view = view;
    document.addEventListener('visibilitychange', () => void this.#ask());
    for (const name of RETURNS) addEventListener(name, () => this.#resume(), { passive: true });
  }

  /** Asks at once, and then every few seconds. */
  start(): void {
    this.#isRunning = true;
    this.#isPaused = false;
    this.#failures = 0;
    void this.#ask();
  }

  /** Stops asking. The session stays open. */
  stop(): void {
    this.#isRunning = false;
    clearTimeout(this.#timer);
  }

  /** The session ended between two requests. */
  lost(code: ErrorCode): void {
    if (!this.#isAsking) this.#fail(code);
  }

  #fail(code: ErrorCode): void {
    if (!this.#isRunning) return;
    // The server's places are for players and spectators: wait for a person before opening another
    // session.
    if (code === 'NoRoom') {
      this.#isPaused = true;
      return this.#view.paused();
    }
    this.#view.failed(code);
    this.#askIn(pauseMs(this.#failures++));
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    void this.#ask();
  }

  async #ask(): Promise<void> {
    if (!this.#isRunning || this.#isAsking || this.#isPaused || document.hidden) return;
    this.#isAsking = true;
    try {
      const client = await this.#session.open();
      // Private rooms are joined by their names.
      const { rooms } = await client.listRooms({ noPassword: true });
      this.#failures = 0;
      if (this.#isRunning) this.#view.show(rooms);
      this.#askIn(EVERY_MS);
    } catch (error) {
      if (!(error instanceof TickwireError)) reportError(error);
      this.#fail(error instanceof TickwireError ? error.code : 'ServerMisbehaved');
    } finally {
      this.#isAsking = false;
    }
  }

  #askIn(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#isRunning) this.#timer = setTimeout(() => void this.#ask(), ms);
  }
}
