import type { Closed } from 'tickwire';
import type { ArenaClient } from './game';

/** Connects the page to its server. */
export type Connect = () => Promise<ArenaClient>;

/** Events that a session reports by itself. */
export interface SessionEvents {
  /** The host removed this player from the room; the session goes on. */
  removed(text: string): void;
  /** The session is over. */
  ended(closed: Closed): void;
}

/** The page's session: one at a time, opened by its first user. */
export class Session {
  /** The open session, if any. */
  client: ArenaClient | undefined;
  readonly #connect: Connect;
  readonly #events: SessionEvents;
  #opening: Promise<ArenaClient> | undefined;

  /** Opens nothing yet. */
  constructor(connect: Connect, events: SessionEvents) {
    this.#connect = connect;
    this.#events = events;
  }

  /** Returns the open session, or opens one. Concurrent calls share its outcome. */
  open(): Promise<ArenaClient> {
    if (this.client) return Promise.resolve(this.client);
    this.#opening ??= this.#open().finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  /** Ends the session without calling {@link SessionEvents}. */
  close(): void {
    const { client } = this;
    this.client = undefined;
    void client?.close();
  }

  async #open(): Promise<ArenaClient> {
    const client = await this.#connect();
    this.client = client;
    client.on('removed', ({ text }) => this.#events.removed(text));
    void client.closed.then((closed) => {
      if (this.client !== client) return;
      this.client = undefined;
      this.#events.ended(closed);
    });
    return client;
  }
}
