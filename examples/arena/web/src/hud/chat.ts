import { byId, element } from '../dom';
import type { Team } from '../game';
import { teamClass } from '../palette';

const LINES_MAX = 80;
const SHOWN_MS = 12_000;

/** One line of the chat. */
export interface ChatLine {
  kind: 'message' | 'notice' | 'refused';
  /** The sender's display name. */
  name?: string;
  /** The sender's team, if known. */
  team?: Team | undefined;
  /** Sent to one person only. */
  private?: boolean;
  text: string;
}

/** The chat: its last lines, and a field that Enter opens. */
export class ChatPanel {
  /** Every line so far, oldest first. */
  readonly lines: ChatLine[] = [];
  readonly #root = byId('chat');
  readonly #log = byId('chat-log');
  readonly #text = byId<HTMLInputElement>('chat-text');
  readonly #stop = new AbortController();

  /** `send` gets each typed line. */
  constructor(send: (text: string) => void) {
    const { signal } = this.#stop;
    this.#log.replaceChildren();
    byId('chat-form').addEventListener(
      'submit',
      (event) => {
        event.preventDefault();
        const text = this.#text.value.trim();
        if (text) send(text);
        this.close();
      },
      { signal },
    );
    this.#text.addEventListener('keydown', (event) => event.key === 'Escape' && this.close(), { signal });
    this.#text.addEventListener('focus', () => this.#root.classList.add('open'), { signal });
    this.#text.addEventListener('blur', () => this.#root.classList.remove('open'), { signal });
  }

  /** Focuses the field. */
  open(): void {
    this.#text.focus();
  }

  /** Returns to flying and discards the typed text. */
  close(): void {
    this.#text.value = '';
    this.#text.blur();
  }

  /** Adds a line. It disappears after a while, unless the field is open. */
  add(line: ChatLine): void {
    this.lines.push(line);
    const item = element('li', line.kind);
    if (line.private) item.classList.add('private');
    if (line.name !== undefined) item.append(element('b', teamClass(line.team), line.name));
    item.append(line.text);
    this.#log.append(item);
    while (this.#log.children.length > LINES_MAX) this.#log.firstElementChild?.remove();
    if (this.lines.length > LINES_MAX) this.lines.shift();
    setTimeout(() => item.classList.add('old'), SHOWN_MS);
  }

  /** Stops listening. */
  stop(): void {
    this.#stop.abort();
    this.close();
  }
}
