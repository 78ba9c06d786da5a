import { TickwireError } from './errors.js';
import type { ChatHistory, ChatMessage } from './messages.js';

/** Characters that the core passes on. */
const CHARACTERS_MAX = 4096;

/** Most messages of a page. */
const PAGE_MAX = 200;

/** Which earlier messages: at most `count` (50 without, 200 at most) with ids below `before`, or the newest. */
export interface HistoryRequest {
  before?: number | undefined;
  count?: number | undefined;
}

/** Sends chat; what comes in is reported by the client's `message` event. */
export class Chat {
  readonly #ask: (request: { to?: number; text: string }) => Promise<ChatMessage>;
  readonly #recall: (before: number | undefined, count: number) => Promise<ChatHistory>;

  /** @internal */
  constructor(
    ask: (request: { to?: number; text: string }) => Promise<ChatMessage>,
    recall: (before: number | undefined, count: number) => Promise<ChatHistory>,
  ) {
    this.#ask = ask;
    this.#recall = recall;
  }

  /** To everyone in the room. Gives the message as the server stamped it, or rejects with why not. */
  send(text: string): Promise<ChatMessage> {
    return refused(text) ?? this.#ask({ text });
  }

  /** To one member of the room. */
  tell(player: number, text: string): Promise<ChatMessage> {
    return refused(text) ?? this.#ask({ to: player, text });
  }

  /**
   * Earlier messages to the room, from old to new; none from a server that keeps none. For those before a page, ask with
   * `before` the id of its first message. Rejects with `NotInRoom`, or with `Busy` while the server's disk fails.
   */
  history({ before, count = 50 }: HistoryRequest = {}): Promise<ChatHistory> {
    return this.#recall(before, Math.max(0, Math.min(Math.trunc(count), PAGE_MAX)));
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
