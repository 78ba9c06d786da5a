import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { isRunning } from './processes.mjs';

const ROOT = resolve(import.meta.dirname, '../../../..');
/** What servers run: a program, the variable that may name another build of it, and its page. */
export const ARENA = { name: 'arena-server', variable: 'ARENA_SERVER', page: resolve(import.meta.dirname, '../dist') };
const MINIMAL = { name: 'tickwire-minimal', variable: 'MINIMAL_SERVER', page: resolve(ROOT, 'examples/minimal/web/dist') };
const TRACKING = { name: 'tickwire-tracking', variable: 'TRACKING_SERVER', page: resolve(ROOT, 'examples/tracking/web/dist') };
const QUOTES = { name: 'tickwire-quotes', variable: 'QUOTES_SERVER', page: resolve(ROOT, 'examples/quotes/web/dist') };
const ROOMS = { name: 'tickwire-rooms', variable: 'ROOMS_SERVER', page: resolve(ROOT, 'examples/rooms/web/dist') };
const ECHO = { name: 'tickwire-echo', variable: 'ECHO_SERVER' };
const START_MS = 60_000;
const STOP_MS = 30_000;

/** The server at TICKWIRE_URL, which someone else starts and stops; without it one of our own. */
export async function findServer() {
  const url = process.env.TICKWIRE_URL;
  return url ? { url, stop: async () => 0, clean: () => {} } : startServer();
}

/** Starts an arena server on a free port, with flags of its own. Its rooms have no bots: tests count players. */
export function startServer(...flags) {
  return start(ARENA, ['--room-bots-max', '0', ...flags]);
}

/** The same with the bots of a server that is played on. */
export function startServerWithBots() {
  return start(ARENA, []);
}

/** The same of the minimal example. `page` is a directory in place of its own page. */
export function startMinimal(page = MINIMAL.page, ...flags) {
  return start({ ...MINIMAL, page }, flags);
}

/** The same of the tracking example, which publishes to topics. */
export function startTracking(...flags) {
  return start(TRACKING, ['--config', resolve(ROOT, 'examples/tracking/tracking.toml'), ...flags]);
}

/** The same of the quotes example, which publishes to topics. */
export function startQuotes(...flags) {
  return start(QUOTES, ['--config', resolve(ROOT, 'examples/quotes/quotes.toml'), ...flags]);
}

/** The same of the rooms example, a chat that keeps what is said. Ann moderates. */
export function startRooms(...flags) {
  const settings = ['--config', resolve(ROOT, 'examples/rooms/rooms.toml'), '--store', 'store'];
  return start({ ...ROOMS, env: { ROOMS_MODERATORS: 'ann' } }, [...settings, ...flags]);
}

/** The same of the game with a field of every type, which has no page. */
export function startEcho(...flags) {
  return start(ECHO, flags);
}

/** Takes more chat than members who chat all the time say. */
export const CHATTY = ['--room-chat-burst-messages', '1000', '--room-chat-refill-s', '1'];

/** Keeps rooms and chat, and may hand over. */
export const LASTING = ['--journal', 'journals', '--store', 'store'];

/** A server whose rooms have a map, with the page in this directory. */
export function startMine(page) {
  return start({ name: 'tickwire-mine', variable: 'MINE_SERVER', page }, []);
}

/** A server that shows the journal in this folder to those who watch. */
export function startReplay(journal) {
  return start({ ...ARENA, replay: journal }, []);
}

/** A bad network before a server: a proxy on a port of its own, which ends with this program. */
export async function startProxy(server, ...network) {
  const flags = ['proxy', '--to', new URL(server.url).host, ...network, '--until-eof'];
  const proxy = spawn(program('tickwire-bench', 'TICKWIRE_BENCH'), flags, { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = await once(proxy.stdout, 'data');
  return { port: Number(/udp=\S+:(\d+)/.exec(line)[1]), stop: () => proxy.stdin.end() };
}

async function start(game, flags) {
  const folder = mkdtempSync(join(tmpdir(), `tickwire-${game.name}-`));
  const server = new Server(game, folder, flags);
  try {
    await server.start('127.0.0.1:0');
    return server;
  } catch (error) {
    await server.stop('SIGKILL');
    throw error;
  }
}

/** Servers that are not cleaned up yet. */
const running = new Set();
process.once('exit', () => running.forEach((server) => server.kill()));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

class Server {
  /** The page's address. */
  url = '';
  #game;
  #child;
  #log = '';
  #folder;
  #flags;
  #handsOver = false;

  constructor(game, folder, flags) {
    this.#game = game;
    this.#folder = folder;
    this.#flags = flags;
    // A test that ends without stopping it leaves nothing behind.
    running.add(this);
  }

  /** For the end of this program. */
  kill() {
    this.#child?.kill('SIGKILL');
    if (this.#handsOver && isRunning(this.#successor)) process.kill(this.#successor, 'SIGKILL');
  }

  /** Hands over to a new process, as to a new version. It must be one of the `LASTING`, and does so once. */
  async handOver() {
    const child = this.#child;
    this.#handsOver = true;
    const ended = once(child, 'exit');
    child.kill('SIGUSR2');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    const [code] = await ended;
    clearTimeout(timer);
    if (code !== 0 || !isRunning(this.#successor)) throw new Error(`the server did not hand over:\n${this.#log}`);
  }

  /** The process that has the journals. */
  get #successor() {
    return Number(readFileSync(join(this.#folder, 'journals/lock'), 'utf8'));
  }

  /** Starts it, or starts it again at the same address. */
  async start(listen = new URL(this.url).host) {
    const own = this.#game.replay ? ['replay', this.#game.replay, '--watch'] : ['--certs-dir', join(this.#folder, 'certs')];
    const flags = [...own, '--listen', listen, '--page-dir', this.#game.page ?? this.#folder, ...this.#flags];
    this.#child = spawn(program(this.#game.name, this.#game.variable), flags, { cwd: this.#folder, env: { ...process.env, ...this.#game.env }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#log = '';
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream.on('data', (bytes) => (this.#log += bytes));
    const until = Date.now() + START_MS;
    while (Date.now() < until) {
      if (this.#child.exitCode !== null) throw new Error(`the server ended with ${this.#child.exitCode}:\n${this.#log}`);
      const [, scheme, port] = /http=(https?):\/\/\S+:(\d+)/.exec(this.#log.replace(/\x1b\[[0-9;]*m/g, '')) ?? [];
      const url = `${scheme}://127.0.0.1:${port}/`;
      if (port && (await isReady(url))) {
        this.url = url;
        return;
      }
      await new Promise((done) => setTimeout(done, 50));
    }
    throw new Error(`the server was not ready in ${START_MS} ms:\n${this.#log}`);
  }

  /** What it printed since it was started. */
  get log() {
    return this.#log;
  }

  /** Ends it, by default the way an operator does. Gives its exit code. */
  async stop(signal = 'SIGTERM') {
    const child = this.#child;
    if (this.#handsOver && child.exitCode !== null) return this.#stopSuccessor(signal);
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await once(child, 'exit');
      clearTimeout(timer);
    }
    return child.exitCode;
  }

  async #stopSuccessor(signal) {
    const pid = this.#successor;
    if (isRunning(pid)) process.kill(pid, signal);
    for (const end = Date.now() + STOP_MS; isRunning(pid); await new Promise((done) => setTimeout(done, 50))) {
      if (Date.now() > end) process.kill(pid, 'SIGKILL');
    }
    return 0;
  }

  /** Removes what it left behind. */
  clean() {
    running.delete(this);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Its certificate may be one that nobody signed. */
function isReady(url) {
  const { get } = url.startsWith('https') ? https : http;
  return new Promise((done) => {
    const request = get(`${url}readyz`, { rejectUnauthorized: false, agent: false }, (response) => {
      response.resume();
      done(response.statusCode === 200);
    });
    request.on('error', () => done(false));
  });
}

/** The newest build of one of the examples' programs, or the one that a variable names. */
export function program(name, variable) {
  if (process.env[variable]) return resolve(process.env[variable]);
  const built = ['release', 'debug', 'play'].map((profile) => join(ROOT, 'target', profile, name));
  const when = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const [newest] = built.sort((a, b) => when(b) - when(a));
  if (when(newest) === 0) throw new Error(`no ${name}: run \`cargo build -p tickwire-arena -p tickwire-minimal -p tickwire-quotes -p tickwire-rooms -p tickwire-tracking -p tickwire-bench -p tickwire-samples\`, or set ${variable}`);
  return newest;
}
