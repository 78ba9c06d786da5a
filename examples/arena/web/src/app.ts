import { type Closed, connect, type ErrorCode, TickwireError, type TransportKind } from 'tickwire';
import { endingOf } from './endings';
import type { Arena, ArenaClient } from './game';
import { Play } from './play';
import { loadRules } from './rules';
import { Scene } from './scene/scene';
import { EnterScreen, MessageScreen } from './screens';
import { Sound } from './sound';

const FRAME_SECONDS_MAX = 0.1;
/** The player can mend these by another name. */
const NAME_CODES: readonly ErrorCode[] = ['NameInvalid', 'NameTaken'];
/** Another way to the server may do. */
const NO_WAY_CODES: readonly ErrorCode[] = ['Unreachable', 'ConnectTimeout', 'NoWebTransport', 'InsecurePage'];
/** Rocks drift evenly, and the own ship bounces off them: they are shown where it will meet them. */
const OPTIONS = { client: 'arena-web 0.1.0', core: loadRules, modes: { Asteroid: 'extrapolate' } } as const;
const TRANSPORTS: readonly TransportKind[] = ['webtransport', 'websocket'];

/** What the page is doing. */
export type State = 'enter' | 'connecting' | 'playing' | 'message';

/** How the page reaches its server. */
export type Connect = () => Promise<ArenaClient>;

/** The page: screens before and after, the game between. */
export class App {
  /** What it is doing. */
  state: State = 'enter';
  /** The session while playing. */
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
    let client: ArenaClient | undefined;
    let play: Play | undefined;
    try {
      client = await this.#connect();
      play = new Play(client, this.#scene, this.#sound);
      await client.join({ name, room: new URLSearchParams(location.search).get('room') ?? undefined });
      this.#begin(client, play);
    } catch (error) {
      play?.stop();
      void client?.close();
      this.#fail(error);
    }
  }

  #begin(client: ArenaClient, play: Play): void {
    this.state = 'playing';
    this.error = undefined;
    this.client = client;
    this.play = play;
    this.#enter.hide();
    play.begin();
    void client.closed.then((closed) => this.#end(closed));
  }

  #end({ code, text }: Closed): void {
    this.play?.stop();
    this.play = this.client = undefined;
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

/**
 * The server of this page: the same host and port number, over UDP or, where that is blocked, TCP.
 * `?transport=webtransport` or `websocket` in the page's address takes that one and no other.
 */
export async function connectHome(): Promise<ArenaClient> {
  // For people who look at bad networks: a proxy of `tickwire-bench proxy` on this host.
  const port = new URLSearchParams(location.search).get('port');
  if (port) return connect<Arena>(`https://${location.hostname}:${port}/`, { ...OPTIONS, transport: 'webtransport' });
  const open = (host: string, transport?: TransportKind) =>
    connect<Arena>(`https://${host}/`, { ...OPTIONS, transport });
  const asked = new URLSearchParams(location.search).get('transport');
  const only = TRANSPORTS.find((kind) => kind === asked);
  if (location.hostname !== 'localhost' || only === 'websocket') return open(location.host, only);
  try {
    return await open(location.host, 'webtransport');
  } catch (error) {
    // Over TCP a browser tries every address of "localhost", over UDP only the first, ::1.
    if (!(error instanceof TickwireError && NO_WAY_CODES.includes(error.code))) throw error;
    return open(`127.0.0.1:${location.port}`, only);
  }
}
