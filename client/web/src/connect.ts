import { type CertificateHash, type Directions, fetchDirections } from './certificates.js';
import { Client } from './client.js';
import { loadCore, type MakeCore } from './core.js';
import { type Deadline, inTime } from './deadline.js';
import type { AnyGame, Game } from './entities.js';
import { takeSeat } from './joining.js';
import type { Modes } from './modes.js';
import { type Known, planFor, recall, remember, roundTripMs } from './path.js';
import type { Steps } from './prediction.js';
import { race } from './race.js';
import type { Ways } from './reconnect.js';
import { joinAgain } from './rejoin.js';
import type { BuiltFor } from './showing.js';
import { browserCache, type StaticCache } from './static-data.js';
import { signIn, type Token } from './token.js';
import type { Transport, TransportKind } from './transport.js';
import { openWebSocket, webSocketUrl } from './websocket.js';
import { openWebTransport } from './webtransport.js';

/** How to connect. */
export interface ConnectOptions<G extends Game = AnyGame> {
  /**
   * Certificates to trust although no authority signed them. Without it they are fetched from
   * `/certificate.json` of the server. Give `[]` for a server with a certificate of a public authority.
   */
  certificateHashes?: readonly CertificateHash[] | undefined;
  /** What is to carry the session. Without it WebTransport, or a WebSocket where that does not come about. */
  transport?: TransportKind | undefined;
  /** Where the WebSocket is, if not at `/ws` of the server's own host and port. */
  webSocketUrl?: string | URL | undefined;
  /**
   * Loads the game's own module, for the client to predict what its player steers: a module of the
   * `tickwire-client` crate and the game's rules. Without it, or while it gives none, nothing is predicted.
   */
  core?: (() => Promise<MakeCore | undefined>) | undefined;
  /**
   * Predicts what the player steers by JavaScript: a step for each kind of entity that players steer. Not
   * beside `core`.
   */
  predict?: Steps<G> | undefined;
  /** How each kind of entity is shown that the player does not steer; `interpolate` if not given. */
  modes?: Modes<G> | undefined;
  /** What the page was built for, from the file that `npx tickwire types` made: a server of other rules is told on the console. */
  schema?: BuiltFor | undefined;
  /** Where static data of rooms is kept between sessions: the browser's own cache if not given, `false` for nowhere. */
  staticCache?: StaticCache | false | undefined;
  /**
   * Identifies the player: a join token, which the game's backend signs. A token is valid for one session; a function is called
   * for a new one at the start of each session, also when the client changes its transport.
   */
  token?: Token | undefined;
  /** The display name. With it a seat is taken at once; without it call `client.join()`. */
  name?: string | undefined;
  /** The room to join; any with a free seat if not given. */
  room?: string | undefined;
  /**
   * The game's room options, such as a map: what JSON can hold. Beside `room`: the room is made with them if there is none of this
   * name, and joined as it is if there is one.
   */
  roomOptions?: unknown;
  /** The game's join options, such as a team: what JSON can hold. */
  options?: unknown;
  /** The room's password. */
  password?: string | undefined;
  /**
   * Goes back, when the page is loaded anew, into the room that this tab was in (beside `name`). The tab's `sessionStorage` holds the
   * room's name, the join options and the password until the tab is closed or the player leaves the room.
   */
  rejoin?: boolean | undefined;
  /** Gives up when it fires, until the promise has settled. */
  signal?: AbortSignal | undefined;
  /** How long to wait for the server, in milliseconds. */
  timeoutMs?: number | undefined;
  /** What the client is, for the server's log: a name and a version. */
  client?: string | undefined;
}

const TIMEOUT_MS = 10_000;

/**
 * Opens a session on the server at `url` (`https://host:port/`; with `http` a WebSocket is without TLS). WebTransport is
 * tried first; if it fails, or takes longer than the path to the server explains, a WebSocket as well.
 *
 * Settles once the server has welcomed the client and, if a name was given, seated it; listeners that are added right then
 * are told of everything since. Rejects with a
 * `TickwireError` whose `code` says why and whose text says what to do.
 */
export async function connect<G extends Game = AnyGame>(url: string | URL, options: ConnectOptions<G> = {}): Promise<Client<G>> {
  const { signal, timeoutMs = TIMEOUT_MS, predict, modes, schema } = options;
  if (options.roomOptions !== undefined && options.room === undefined) {
    throw new TypeError('"roomOptions" make a room of a name; give "room" too');
  }
  if (predict && options.core) throw new TypeError('"core" and "predict" are two ways to predict; give one of them');
  const deadline = { timeoutMs, signal };
  const makeCore = async () => signIn(await loadCore(options.client ?? 'tickwire-web 0.1.0', options.core), options.token);
  const core = makeCore();
  core.catch(() => {});
  const askingMs = performance.now();
  const open = await openers(url, options, deadline);
  const askedMs = performance.now() - askingMs;
  const server = new URL(url);
  const { host } = server;
  const plan = planFor(recall(host), roundTripMs(server), askedMs);
  const learn = (known: Known) => remember(host, known);
  const transport = await (options.transport ? open[options.transport](signal) : race(open, plan, { signal, learn }));
  let client: Client<G>;
  try {
    const staticCache = options.staticCache === false ? undefined : (options.staticCache ?? browserCache());
    const showing = { predict, modes, schema, staticCache, ways: waysOf(open, server, options.transport) };
    client = new Client<G>(await inTime(core, deadline), transport, showing);
    client.holdEvents();
  } catch (error) {
    await transport.close(0, 'the client could not start');
    throw error;
  }
  try {
    await inTime(client.welcomed(), deadline);
    await inTime(enter(client, host, options), deadline);
    client.releaseEvents();
    return client;
  } catch (error) {
    void client.close();
    throw error;
  }
}

/** How a session goes on over another connection: over `only`, if that was asked for. */
function waysOf(open: Record<TransportKind, Open>, server: URL, only: TransportKind | undefined): Ways {
  if (only) return { open: open[only] };
  const { host } = server;
  // What fails just after a connection was lost says nothing of the path.
  const learn = (known: Known) => known === 'webtransport' && remember(host, known);
  return {
    open: (signal) => race(open, planFor(recall(host), roundTripMs(server)), { signal, learn }),
    openOther: (than, signal) => open[than === 'webtransport' ? 'websocket' : 'webtransport'](signal),
    stalled: (kind) => kind === 'webtransport' && remember(host, 'stalled'),
    upgrade: {
      open: open.webtransport,
      isWise: () => recall(host) !== 'stalled',
      worked: () => remember(host, 'webtransport'),
    },
  };
}

/** Takes a seat, if a name was given. */
async function enter<G extends Game>(client: Client<G>, host: string, given: ConnectOptions<G>): Promise<void> {
  const { name, room, roomOptions, options, password, rejoin } = given;
  if (name === undefined) return;
  const request = { name, room, roomOptions, options, password };
  await (rejoin ? joinAgain(client, host, request) : takeSeat(client, request));
}

/** How to open each transport to the server at `url`. */
async function openers(url: string | URL, options: ConnectOptions<never>, deadline: Deadline): Promise<Record<TransportKind, Open>> {
  const { timeoutMs } = deadline;
  const { certificateHashes, webTransportUrl = url } = await directions(url, options, deadline);
  const socketUrl = String(options.webSocketUrl ?? webSocketUrl(url, certificateHashes.length > 0));
  return {
    webtransport: (signal) => openWebTransport(String(webTransportUrl), { certificateHashes, timeoutMs, signal }),
    websocket: (signal) => openWebSocket(socketUrl, { timeoutMs, signal }),
  };
}

async function directions(url: string | URL, { certificateHashes }: ConnectOptions<never>, deadline: Deadline): Promise<Directions> {
  return certificateHashes ? { certificateHashes } : inTime(fetchDirections(url, deadline.signal), deadline);
}

type Open = (signal?: AbortSignal) => Promise<Transport>;
