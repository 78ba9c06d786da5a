import { TickwireError } from './errors.js';
import type { ChatMessage } from './messages.js';

/** Characters that the core passes on. */
const CHARACTERS_MAX = 4096;

/** Sends chat; what comes in is reported by the client's `message` event. */
export class Chat {
  readonly #ask: (request: { to?: number; text: string }) => Promise<ChatMessage>;

  /** @internal */
  constructor(ask: (request: { to?: number; text: string }) => Promise<ChatMessage>) {
    this.#ask = ask;
  }

  /** To everyone in the room. Gives the message as the server stamped it, or rejects with why not. */
  send(text: string): Promise<ChatMessage> {
    return refused(text) ?? this.#ask({ text });
  }

  /** To one member of the room. */
  tell(player: number, text: string): Promise<ChatMessage> {
    return refused(text) ?? this.#ask({ to: player, text });
  }
}

/** What is longer than any server takes is not sent: cut to what is, its length would be told wrong. */
function refused(text: string): Promise<never> | undefined {
  // Of UTF-16 here, where a character has one or two.
  const characters = text.length > CHARACTERS_MAX ? [...text].length : 0;
  if (characters <= CHARACTERS_MAX) return undefined;
  const words = `this chat message has ${characters} characters, and ${CHARACTERS_MAX} are the most that can be sent; shorten it`;
  const promise = Promise.reject(new TickwireError('ChatTooLong', words));
  promise.catch(() => {});
  return promise;
}
