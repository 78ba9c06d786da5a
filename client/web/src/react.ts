/**
 * Hooks for React: {@link useTickwire} gives a component a session, {@link useFrame} draws it.
 *
 * @module
 */
import { useEffect, useRef, useState, useSyncExternalStore } from 'react';
import type { Client } from './client.js';
import { connect, type ConnectOptions } from './connect.js';
import type { AnyGame, Game } from './entities.js';
import { TickwireError } from './errors.js';
import type { Member, RoomInfo } from './messages.js';

/** A session as seen by a component; a new object after each change. */
export interface Session<G extends Game = AnyGame> {
  /**
   * `connecting` until there is a client, `reconnecting` while its connection is lost and another one is tried, `closed` once the
   * session is over or could not connect.
   */
  readonly status: 'connecting' | 'open' | 'reconnecting' | 'closed';
  /** Set while the session is open or reconnecting. */
  readonly client: Client<G> | undefined;
  /** The reason why it is closed. */
  readonly error: TickwireError | undefined;
  /** The client's room. */
  readonly room: RoomInfo | undefined;
  /** The members of the room, by number. */
  readonly members: ReadonlyMap<number, Member>;
  /** Connects again once it is closed. */
  readonly reconnect: () => void;
}

/**
 * A session with the server at `url`, as long as the component is mounted; see {@link connect} for the options. A change of `url`,
 * `name`, `room`, `password`, `transport` or the join options starts another session; other options count when a session starts.
 *
 * In StrictMode, and when React mounts a component again in the same moment, there is only one session.
 */
export function useTickwire<G extends Game = AnyGame>(url: string | URL, options: ConnectOptions<G> = {}): Session<G> {
  const key = keyOf(url, options);
  // State instead of a memo: it survives a hot reload of the component.
  const [held, hold] = useState(() => new Held<G>(key));
  if (held.key !== key) hold(new Held<G>(key));
  useEffect(() => held.hold(url, options), [held]);
  return useSyncExternalStore(held.subscribe, held.session, held.session);
}

/**
 * Calls `client.update()` and then `draw` once a frame, as long as the component is mounted: to draw on a canvas. Entities change
 * too often for React to render them.
 */
export function useFrame<G extends Game>(client: Client<G> | undefined, draw?: (client: Client<G>) => void): void {
  const latest = useRef(draw);
  useEffect(() => {
    latest.current = draw;
  });
  useEffect(() => {
    if (!client) return undefined;
    let frame = requestAnimationFrame(function next() {
      client.update();
      latest.current?.(client);
      frame = requestAnimationFrame(next);
    });
    return () => cancelAnimationFrame(frame);
  }, [client]);
}

function keyOf(url: string | URL, { name, room, password, transport, options }: ConnectOptions<never>): string {
  return JSON.stringify([String(url), name, room, password, transport, options]);
}

const NOBODY: ReadonlyMap<number, Member> = new Map();
const CHANGES = [
  'joined',
  'left',
  'removed',
  'memberJoined',
  'memberLeft',
  'memberAway',
  'memberBack',
  'host',
  'reconnecting',
  'resumed',
  'moved',
] as const;

/** One session, as long as components hold it. */
class Held<G extends Game> {
  readonly key: string;
  readonly #listeners = new Set<() => void>();
  #session: Session<G>;
  #holders = 0;
  #begin: () => Promise<Client<G>> = () => Promise.reject(new TypeError('nobody holds the session'));
  #end: (() => void) | undefined;

  constructor(key: string) {
    this.key = key;
    this.#session = this.#with('connecting');
  }

  readonly session = (): Session<G> => this.#session;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Starts the session, unless it runs. The returned function lets it end, unless it is held again at once. */
  hold(url: string | URL, options: ConnectOptions<G>): () => void {
    this.#holders++;
    if (!this.#end) {
      const stop = new AbortController();
      const abort = () => stop.abort();
      options.signal?.addEventListener('abort', abort);
      this.#begin = () => connect<G>(url, { ...options, signal: stop.signal });
      let isOver = false;
      this.#end = () => {
        isOver = true;
        options.signal?.removeEventListener('abort', abort);
        stop.abort();
        void this.#session.client?.close();
      };
      void this.#run(() => isOver);
    }
    return () => {
      this.#holders--;
      setTimeout(() => this.#release(), 0);
    };
  }

  #release(): void {
    if (this.#holders > 0) return;
    this.#end?.();
    this.#end = undefined;
    this.#set(this.#with('connecting'));
  }

  async #run(isOver: () => boolean): Promise<void> {
    this.#set(this.#with('connecting'));
    let client: Client<G>;
    try {
      client = await this.#begin();
    } catch (error) {
      const known = error instanceof TickwireError ? error : new TickwireError('Unreachable', String(error), { cause: error });
      if (!isOver()) this.#set(this.#with('closed', undefined, known, isOver));
      return;
    }
    if (isOver()) return void client.close();
    const refresh = () => void (isOver() || this.#set(this.#with(client.isReconnecting ? 'reconnecting' : 'open', client)));
    for (const change of CHANGES) client.on(change, refresh);
    refresh();
    const { code, text } = await client.closed;
    if (!isOver()) this.#set(this.#with('closed', undefined, new TickwireError(code, text), isOver));
  }

  #with(status: Session<G>['status'], client?: Client<G>, error?: TickwireError, isOver = () => true): Session<G> {
    const reconnect = () => {
      if (!isOver() && this.#session.status === 'closed') void this.#run(isOver);
    };
    return { status, client, error, room: client?.room, members: client ? new Map(client.members) : NOBODY, reconnect };
  }

  #set(session: Session<G>): void {
    this.#session = session;
    for (const listener of this.#listeners) listener();
  }
}
