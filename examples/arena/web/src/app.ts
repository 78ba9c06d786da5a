import { CLOSE_CODES, type Closed, type ErrorCode, TickwireError } from 'tickwire';
import { canRetry, endingOf } from './endings';
import type { ArenaClient } from './game';
import { Lobby } from './lobby';
import { Play } from './play';
import { Retry } from './retry';
import type { Scene } from './scene/scene';
import { EnterScreen, MessageScreen } from './screens';
import { type Connect, Session } from './session';
import { Sound } from './sound';
import { type Stay, take, takeAgain } from './stay';

const FRAME_SECONDS_MAX = 0.1;
/** Errors that another name may solve. */
const NAME_CODES: readonly ErrorCode[] = ['NameInvalid', 'NameTaken'];
/** Errors that another name or password of a private room may solve. */
const PRIVATE_CODES: readonly ErrorCode[] = ['RoomTaken', 'WrongPassword', 'RoomNameInvalid', 'NoSuchRoom'];
/** Attempts during which the own name may still be taken by the lost seat. */
const OLD_SEAT_ATTEMPTS = 5;

/** The page's state. During automatic retries it is `message`. */
export type State = 'enter' | 'connecting' | 'playing' | 'message';

/** The page: the screens before and after the game, and the game itself. */
export class App {
  /** The current state. */
  state: State = 'enter';
  /** The game while playing or watching. */
  play: Play | undefined;
  /** The reason why the last session ended or failed to open. */
  error: ErrorCode | undefined;
  readonly #scene: Scene;
  readonly #sound = new Sound();
  readonly #session: Session;
  readonly #enter: EnterScreen;
  readonly #message = new MessageScreen();
  readonly #lobby: Lobby;
  readonly #retry = new Retry(
    () => void this.#tryAgain(),
    (seconds) => this.#message.countDown(seconds),
  );
  #stay: Stay | undefined;
  /** The room of the lost session. */
  #lastRoom: string | undefined;
  #isBusy = false;
  /** Settles once the previous seat is free. */
  #left: Promise<void> | undefined;
  #lastMs = performance.now();

  /** Shows the start page. */
  constructor(scene: Scene, connect: Connect) {
    this.#scene = scene;
    this.#session = new Session(connect, {
      removed: (text) => this.#end({ code: 'Kicked', text }),
      ended: (closed) => this.#onEnded(closed),
    });
    const asked = new URLSearchParams(location.search);
    const room = asked.get('room') ?? undefined;
    this.#enter = new EnterScreen(room, (stay) => {
      this.#sound.start();
      void this.enter(stay);
    });
    const { rooms } = this.#enter;
    this.#lobby = new Lobby(this.#session, {
      show: (list) => rooms.show(list),
      paused: () => rooms.paused(),
      // An outdated page could not be understood: say so before a name is typed.
      failed: (code) => (endingOf(code, '').reload ? this.#tell(code, '') : rooms.failed(code)),
    });
    const watched = asked.get('watch');
    if (watched) void this.enter({ name: viewerName(), room: watched, watches: true });
    else this.#start();
    requestAnimationFrame((nowMs) => this.#draw(nowMs));
    addEventListener('pagehide', () => void this.client?.close());
  }

  /** The open session, if any. */
  get client(): ArenaClient | undefined {
    return this.#session.client;
  }

  /**
   * Connects and joins as `stay` asks. Settles once that succeeds or the page shows the reason why
   * not.
   */
  async enter(stay: Stay): Promise<void> {
    if (this.#isBusy || this.state === 'playing') return;
    this.#stay = stay;
    this.#lastRoom = undefined;
    this.#retry.stop();
    this.#lobby.stop();
    this.#message.hide();
    this.state = 'connecting';
    this.#enter.wait();
    await this.#takePlace((client) => take(client, stay));
  }

  /** Tries to get the lost place back. */
  async #tryAgain(): Promise<void> {
    const stay = this.#stay;
    if (this.#isBusy || !stay) return;
    this.#message.wait();
    await this.#takePlace((client) => takeAgain(client, stay, this.#lastRoom));
  }

  async #takePlace(ask: (client: ArenaClient) => Promise<void>): Promise<void> {
    this.#isBusy = true;
    let play: Play | undefined;
    try {
      await this.#left;
      const client = await this.#session.open();
      play = new Play(client, this.#scene, this.#sound, { leave: () => this.#leave(), join: () => void this.#join() });
      await ask(client);
      this.#begin(play);
    } catch (error) {
      play?.stop();
      this.#fail(error);
    } finally {
      this.#isBusy = false;
    }
  }

  #begin(play: Play): void {
    this.state = 'playing';
    this.error = undefined;
    this.#lastRoom = this.client?.room?.name;
    this.#retry.stop();
    this.#play(play);
    this.#enter.hide();
    this.#message.hide();
    play.begin();
  }

  /** Returns to the start page, as the player wished. */
  #leave(): void {
    this.#play(undefined);
    this.#start();
    // The session goes on. If it ends meanwhile, that is reported elsewhere.
    this.#left = this.client?.leave().catch(() => {});
  }

  /** Changes from watching to playing, in the same room. */
  async #join(): Promise<void> {
    const stay = this.#stay;
    if (!stay) return;
    this.#play(undefined);
    this.state = 'connecting';
    await this.enter({ ...stay, watches: false });
  }

  #onEnded(closed: Closed): void {
    // A pending request reports the failure itself.
    if (this.#isBusy) return;
    if (this.state === 'enter') this.#lobby.lost(closed.code);
    else if (this.state === 'playing') this.#end(closed);
  }

  /** The stay in the room is over. */
  #end({ code, text }: Closed): void {
    this.#play(undefined);
    this.#tell(code, text);
  }

  #fail(error: unknown): void {
    const known = error instanceof TickwireError;
    if (!known) reportError(error);
    const code = known ? error.code : 'ServerMisbehaved';
    const text = error instanceof Error ? error.message : String(error);
    if (!known || (CLOSE_CODES as readonly ErrorCode[]).includes(code)) this.#session.close();
    const isOldSeat = code === 'NameTaken' && this.#lastRoom !== undefined && this.#retry.attempts < OLD_SEAT_ATTEMPTS;
    if (NAME_CODES.includes(code) && !isOldSeat) this.#start(code, text);
    else if (this.#stay?.password && PRIVATE_CODES.includes(code)) this.#start(code, text, true);
    else this.#tell(code, text);
  }

  /** Shows the start page; `text` says what was wrong with the last input. */
  #start(code?: ErrorCode, text = '', isPrivate = false): void {
    this.state = 'enter';
    this.error = code;
    this.#retry.stop();
    this.#message.hide();
    if (isPrivate) this.#enter.showPrivate(text);
    else this.#enter.show(text);
    this.#lobby.start();
  }

  #tell(code: ErrorCode, text: string): void {
    const { reload, ...ending } = endingOf(code, text);
    const retries = canRetry(code) && this.#stay !== undefined;
    this.state = 'message';
    this.error = code;
    this.#lobby.stop();
    this.#enter.hide();
    const act = () => {
      if (reload) location.reload();
      else if (retries) this.#retry.now();
      else if (this.#stay) void this.enter(this.#stay);
    };
    this.#message.show({ ...ending, ...(retries && { action: 'Try now' }), code, act, back: reload ? undefined : () => this.#start() });
    if (retries) this.#retry.wait();
    else this.#retry.stop();
  }

  #play(play: Play | undefined): void {
    this.play?.stop();
    this.play = play;
  }

  #draw(nowMs: number): void {
    requestAnimationFrame((next) => this.#draw(next));
    const seconds = Math.min(FRAME_SECONDS_MAX, (nowMs - this.#lastMs) / 1000);
    this.#lastMs = nowMs;
    if (this.play) this.play.draw(nowMs, seconds);
    else this.#scene.idle(seconds);
  }
}

/** A name for someone who only watches. */
function viewerName(): string {
  return `Viewer ${1000 + Math.floor(Math.random() * 9000)}`;
}
