import type { ErrorCode } from 'tickwire';
import type { App, State } from './app';
import type { ArenaClient } from './game';
import type { ChatLine } from './hud/chat';
import { scriptHash } from './rules';

/**
 * For tests only: what a test in a browser reads from `window.arena`. It only looks; whatever a
 * player does, a test does as well, with keys and clicks.
 */
export interface ArenaHook {
  /** Settles once the first screen can be used. */
  readonly ready: Promise<void>;
  /** What the page is doing. */
  readonly state: State | 'loading';
  /** Why the last session ended, or did not come about. */
  readonly error: ErrorCode | undefined;
  /** The session, while there is one: the start page has one as well, to list the rooms. */
  readonly client: ArenaClient | undefined;
  /** Copies of everything seen, in plain objects. */
  entities(): unknown[];
  /** The lines of the chat, oldest first. */
  chat(): ChatLine[];
  /** Plays a fixed game with the rules of the page's module. */
  scriptHash(ticks: number): Promise<string>;
}

declare global {
  interface Window {
    arena: ArenaHook;
  }
}

/** Puts the hook in place. */
export function installHook(app: Promise<App>): void {
  let current: App | undefined;
  const ready = app.then((made) => {
    current = made;
  });
  window.arena = {
    ready,
    get state() {
      return current?.state ?? 'loading';
    },
    get error() {
      return current?.error;
    },
    get client() {
      return current?.client;
    },
    entities: () => structuredClone([...(current?.client?.entities ?? [])]),
    chat: () => structuredClone(current?.play?.chat.lines ?? []),
    scriptHash,
  };
}
