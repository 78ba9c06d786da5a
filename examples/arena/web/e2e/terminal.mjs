import { execFileSync } from 'node:child_process';
import { program } from './server.mjs';

const WAIT_MS = 60_000;

/** The native terminal client in a terminal of its own (tmux). */
export class Terminal {
  #socket = `tickwire-arena-${process.pid}`;

  /** Joins a room of the server at this page's address. */
  constructor(url, name, room) {
    const client = [program('arena-terminal', 'ARENA_TERMINAL'), '--server', new URL(url).host, '--name', name, '--room', room];
    this.#tmux('-f', '/dev/null', 'new-session', '-d', '-x', '120', '-y', '40', ...client);
  }

  /** Presses keys by tmux's names, or types text with `-l` before it. */
  press(...keys) {
    this.#tmux('send-keys', ...keys);
  }

  /** Chats as a player does. */
  say(text) {
    this.press('Enter');
    this.press('-l', text);
    this.press('Enter');
  }

  /** What is on the screen. */
  screen() {
    return this.#tmux('capture-pane', '-p');
  }

  /** Waits for text on the screen. */
  async until(text) {
    const end = Date.now() + WAIT_MS;
    while (!this.screen().includes(text)) {
      if (Date.now() > end) throw new Error(`waited ${WAIT_MS} ms for "${text}" in the terminal:\n${this.screen()}`);
      await new Promise((done) => setTimeout(done, 100));
    }
  }

  /** Ends it with its terminal. */
  close() {
    try {
      this.#tmux('kill-server');
    } catch {
      // It ended with the client.
    }
  }

  #tmux(...command) {
    return execFileSync('tmux', ['-L', this.#socket, ...command], { encoding: 'utf8', stdio: 'pipe' });
  }
}
