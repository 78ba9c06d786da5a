import type { ChatMessage } from './messages.js';

/** Sends chat; what comes in is reported by the client's `message` event. */
export class Chat {
  readonly #ask: (request: { to?: number; text: string }) => Promise<ChatMessage>;

  /** @internal */
  constructor(ask: (request: { to?: number; text: string }) => Promise<ChatMessage>) {
    this.#ask = ask;
  }

  /** To everyone in the room. Gives the message as the server stamped it, or rejects with why not. */
  send(text: string): Promise<ChatMessage> {
    return this.#ask({ text });
  }

  /** To one member of the room. */
  tell(player: number, text: string): Promise<ChatMessage> {
    return this.#ask({ to: player, text });
  }
}
