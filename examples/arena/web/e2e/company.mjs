import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Not how long anything takes, but when it is given up. */
const WAIT_MS = 60_000;
const POLL_MS = 20;

/** A member that needs no browser and chats all the time. */
export async function startPeer(server, room) {
  const peer = new Peer(spawn(process.execPath, ['--experimental-websocket', '--no-warnings', join(import.meta.dirname, 'peer.mjs'), server.url, room]));
  try {
    await peer.until('its first line', () => peer.lines.length > 0);
    return peer;
  } catch (error) {
    peer.stop();
    throw error;
  }
}

/** What the member heard and was told, in order. */
class Peer {
  lines = [];
  past = [];
  saved = [];
  told = [];
  #child;
  #said;
  #trouble = '';

  constructor(child) {
    this.#child = child;
    child.stderr.on('data', (bytes) => (this.#trouble += bytes));
    createInterface({ input: child.stdout }).on('line', (line) => this.#take(JSON.parse(line)));
  }

  /** Says nothing more. Gives how many lines it said, once all are answered. */
  async quiet() {
    this.#child.stdin.write('quiet\n');
    await this.until('the answers to its lines', () => this.#said !== undefined);
    return this.#said;
  }

  async until(what, isSo) {
    const end = Date.now() + WAIT_MS;
    while (!isSo()) {
      const { lines, told } = this;
      if (Date.now() > end || this.#child.exitCode !== null) {
        throw new Error(`waited for ${what}; the peer: ${JSON.stringify({ told, last: lines.at(-1) })}; ${this.#trouble}`);
      }
      await new Promise((done) => setTimeout(done, POLL_MS));
    }
  }

  stop() {
    this.#child.kill('SIGKILL');
  }

  #take({ line, past, saved, event, said, refused }) {
    if (line) this.lines.push(line);
    if (past) this.past.push(past);
    if (saved !== undefined) this.saved.push(saved);
    if (event) this.told.push(event);
    if (said !== undefined) this.#said = said;
    if (refused) this.#trouble += `a line was refused: ${refused}\n`;
  }
}

/** In the page: chats by this word from now on, and notes the chat, what the session tells, and the time of each snapshot that is newer. */
export function note(speaker) {
  const session = (window.session = window.arena.client);
  Object.assign(window, { lines: [], past: [], saved: [], told: [], toldMs: [], cameMs: [], refused: [], said: 0 });
  session.on('message', ({ id, text }) => window.lines.push({ id, text }));
  session.on('chatHistory', ({ messages }) => window.past.push(...messages.map(({ id, text }) => ({ id, text }))));
  session.on('chatSent', ({ id, isSaved }) => isSaved && window.saved.push(id));
  for (const event of ['reconnecting', 'resumed', 'moved', 'joined', 'left', 'removed', 'close']) {
    session.on(event, () => (window.told.push(event), window.toldMs.push(Date.now())));
  }
  let { tick } = session.stats();
  setInterval(() => {
    const newest = session.stats().tick;
    if (newest !== tick) window.cameMs.push(Date.now());
    tick = newest;
  }, 2);
  const say = () => session.chat.send(`${speaker} ${++window.said}`).catch(({ code }) => window.refused.push(code));
  window.talking = setInterval(say, 400);
}

/**
 * Waits for the first snapshot after a time, and gives how long after it came. With an event, the first one since the session told that:
 * a page that is busy may read one of the time before it late.
 */
export async function firstAfter(page, sinceMs, event) {
  const first = ({ sinceMs, event }) => {
    const at = window.told.indexOf(event);
    if (event && at < 0) return 0;
    const came = window.cameMs.find((ms) => ms > Math.max(sinceMs, window.toldMs[at] ?? 0));
    return came && came - sinceMs;
  };
  return page.until(event ? `a snapshot after "${event}"` : 'a snapshot', first, { sinceMs, event });
}

/** Lines of a speaker that are missing between its first and its last one, and those that came again. */
export function countsOf(lines, speaker) {
  const numbers = lines.filter(({ text }) => text.startsWith(`${speaker} `)).map(({ text }) => Number(text.split(' ')[1]));
  const different = new Set(numbers).size;
  const span = numbers.length === 0 ? 0 : Math.max(...numbers) - Math.min(...numbers) + 1;
  return { heard: numbers.length, gap: span - different, doubled: numbers.length - different };
}
