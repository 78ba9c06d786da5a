import { type Closed, type ErrorCode, TickwireError } from 'tickwire';
import { endingOf } from './endings';
import type { ArenaClient } from './game';
import { Play } from './play';
import { Scene } from './scene/scene';
import { EnterScreen, MessageScreen } from './screens';
import { Sound } from './sound';

const FRAME_SECONDS_MAX = 0.1;
/** The player can mend these by another name. */
const NAME_CODES: readonly ErrorCode[] = ['NameInvalid', 'NameTaken'];

/** What the page is doing. */
export type State = 'enter' | 'connecting' | 'playing' | 'message';

/** How the page reaches its server. */
export type Connect = () => Promise<ArenaClient>;

/** The page: screens before and after, the game between. */
export class App {
  /** What it is doing. */
  state: State = 'enter';
  /** The session, while there is one. */
  client: ArenaClient | undefined;
  /** The game while playing. */
  play: Play | undefined;
  /** Why the last session ended, or did not come about. */
  error: ErrorCode | undefined;
  readonly #scene: Scene;
  readonly #connect: Connect;
  readonly #sound = new Sound();
  readonly #enter: EnterScreen;
  readonly #message = new MessageScreen();
  #name = '';
  #lastMs = performance.now();

  /** Shows the first screen. */
  constructor(scene: Scene, connect: Connect) {
    this.#scene = scene;
    this.#connect = connect;
    this.#enter = new EnterScreen((name) => {
      this.#sound.start();
      void this.join(name);
    });
    this.#enter.show();
    requestAnimationFrame((nowMs) => this.#draw(nowMs));
    addEventListener('pagehide', () => void this.client?.close());
  }

  /** Connects and takes a seat under this name. Settles once it plays or says why not. */
  async join(name: string): Promise<void> {
    if (this.state === 'connecting' || this.state === 'playing') return;
    this.#name = name;
    this.state = 'connecting';
    this.#message.hide();
    this.#enter.wait();
    let play: Play | undefined;
    try {
      this.client ??= await this.#open();
      play = new Play(this.client, this.#scene, this.#sound);
      await this.client.join({ name, room: new URLSearchParams(location.search).get('room') ?? undefined });
      this.#begin(play);
    } catch (error) {
      play?.stop();
      const client = this.client;
      this.client = undefined;
      void client?.close();
      this.#fail(error);
    }
  }

  async #open(): Promise<ArenaClient> {
    const client = await this.#connect();
    client.on('removed', ({ text }) => this.#end({ code: 'Kicked', text }));
    void client.closed.then((closed) => {
      // While it joins, or once it was given up, the join says what became of it.
      if (this.client !== client || this.state === 'connecting') return;
      this.client = undefined;
      this.#end(closed);
    });
    return client;
  }

  #begin(play: Play): void {
    this.state = 'playing';
    this.error = undefined;
    this.play = play;
    this.#enter.hide();
    play.begin();
  }

  /** The stay in the room is over. */
  #end({ code, text }: Closed): void {
    this.play?.stop();
    this.play = undefined;
    this.#tell(code, text);
  }

  #fail(error: unknown): void {
    const known = error instanceof TickwireError;
    if (!known) reportError(error);
    const code = known ? error.code : 'ServerMisbehaved';
    const text = error instanceof Error ? error.message : String(error);
    if (!NAME_CODES.includes(code)) return this.#tell(code, text);
    this.state = 'enter';
    this.error = code;
    this.#enter.show(text);
  }

  #tell(code: ErrorCode, text: string): void {
    const { reload, ...ending } = endingOf(code, text);
    this.state = 'message';
    this.error = code;
    this.#enter.hide();
    const act = () => (reload ? location.reload() : void this.join(this.#name));
    this.#message.show({ ...ending, code, act });
  }

  #draw(nowMs: number): void {
    requestAnimationFrame((next) => this.#draw(next));
    const seconds = Math.min(FRAME_SECONDS_MAX, (nowMs - this.#lastMs) / 1000);
    this.#lastMs = nowMs;
    if (this.play) this.play.draw(nowMs, seconds);
    else this.#scene.idle(seconds);
  }
}
