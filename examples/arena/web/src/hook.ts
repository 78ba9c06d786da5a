import type { ErrorCode } from 'tickwire';
import type { App, State } from './app';
import type { ArenaClient } from './game';
import type { ChatLine } from './hud/chat';
import { scriptHash } from './rules';

/**
 * For browser tests only, which read it from `window.arena`. It is read-only: tests play with keys
 * and clicks, as players do.
 */
export interface ArenaHook {
  /** Settles once the first screen is usable. */
  readonly ready: Promise<void>;
  /** The state of the page. */
  readonly state: State | 'loading';
  /** The reason why the last session ended or failed to open. */
  readonly error: ErrorCode | undefined;
  /** The open session, if any: the start page has one too, to list the rooms. */
  readonly client: ArenaClient | undefined;
  /** Copies of all visible entities, as plain objects. */
  entities(): unknown[];
  /** The lines of the chat, oldest first. */
  chat(): ChatLine[];
  /** The hash of a fixed game played with the rules of the page's module. */
  scriptHash(ticks: number): Promise<string>;
}

declare global {
  interface Window {
    arena: ArenaHook;
  }
}

/** Installs the hook. */
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
