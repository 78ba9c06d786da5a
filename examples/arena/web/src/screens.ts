import { byId, setText } from './dom';

const NAME_KEY = 'tickwire-arena-name';

/** The first screen: asks for a name. */
export class EnterScreen {
  readonly #root = byId('enter');
  readonly #name = byId<HTMLInputElement>('name');
  readonly #error = byId('enter-error');
  readonly #play = byId<HTMLButtonElement>('play');

  /** `enter` is given the name. */
  constructor(enter: (name: string) => void) {
    this.#name.value = lastName();
    byId('enter-form').addEventListener('submit', (event) => {
      event.preventDefault();
      const name = this.#name.value.trim();
      if (!name) return this.show('Type a name first.');
      rememberName(name);
      enter(name);
    });
  }

  /** Asks, and says what was wrong with the last answer. */
  show(error = ''): void {
    this.#root.hidden = false;
    this.#play.disabled = false;
    setText(this.#play, 'Play');
    setText(this.#error, error);
    this.#name.focus();
    this.#name.select();
  }

  /** The answer is being worked on. */
  wait(): void {
    this.#root.hidden = false;
    this.#play.disabled = true;
    setText(this.#play, 'Connecting …');
    setText(this.#error, '');
  }

  /** Out of the way. */
  hide(): void {
    this.#root.hidden = true;
    this.#name.blur();
  }
}

/** What a full-screen message says and offers. */
export interface Message {
  title: string;
  text: string;
  /** Small print: the code, for reports. */
  code: string;
  /** The button's text. */
  action: string;
  /** What the button does. */
  act(): void;
}

/** A message over everything, with one way on. */
export class MessageScreen {
  readonly #root = byId('message');
  readonly #action = byId<HTMLButtonElement>('message-action');

  /** Shows it until its button is pressed. */
  show({ title, text, code, action, act }: Message): void {
    setText(byId('message-title'), title);
    setText(byId('message-text'), text);
    setText(byId('message-code'), code);
    setText(this.#action, action);
    this.#action.onclick = () => {
      this.hide();
      act();
    };
    this.#root.hidden = false;
    this.#action.focus();
  }

  /** Out of the way. */
  hide(): void {
    this.#root.hidden = true;
  }
}

/** Storage may be forbidden; then nothing is remembered. */
function lastName(): string {
  try {
    return localStorage.getItem(NAME_KEY) ?? '';
  } catch {
    return '';
  }
}

function rememberName(name: string): void {
  try {
    localStorage.setItem(NAME_KEY, name);
  } catch {
    // Not remembered: the player types it again.
  }
}
