import { showBest } from './best';
import { byId, setText } from './dom';
import { recall, remember } from './memory';
import { PrivateForm, type PrivateRoom } from './private';
import { RoomList } from './rooms';
import type { Stay } from './stay';

/** The start page: asks for a name and an action. */
export class EnterScreen {
  /** Its list of rooms. */
  readonly rooms: RoomList;
  readonly #private: PrivateForm;
  readonly #root = byId('enter');
  readonly #name = byId<HTMLInputElement>('name');
  readonly #error = byId('enter-error');
  readonly #play = byId<HTMLButtonElement>('play');
  readonly #room: string | undefined;
  readonly #enter: (stay: Stay) => void;
  #isWaiting = false;

  /** `room` is the target of Play; undefined for any room. `enter` gets the choice. */
  constructor(room: string | undefined, enter: (stay: Stay) => void) {
    this.#room = room;
    this.#enter = enter;
    this.#name.value = recall('name');
    this.rooms = new RoomList({ join: (name) => this.#join(name), watch: (name) => this.#watch(name) });
    this.#private = new PrivateForm((room) => this.#join(room.room, room));
    byId('enter-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#join(room);
    });
  }

  /** Shows the page, with the mistake in the last input if any. */
  show(error = ''): void {
    this.#root.hidden = false;
    this.#setWaiting(false);
    void showBest();
    setText(this.#error, error);
    this.#name.setAttribute('aria-invalid', String(error !== ''));
    // On a phone the focus would open the keyboard over half of the page.
    if (document.body.classList.contains('touch') && !error) return;
    this.#name.focus();
    this.#name.select();
  }

  /** Shows that the request is being handled. */
  wait(): void {
    this.#root.hidden = false;
    this.#setWaiting(true);
    setText(this.#error, '');
  }

  /** Hides the page. */
  hide(): void {
    this.#root.hidden = true;
    this.#name.blur();
  }

  #setWaiting(isWaiting: boolean): void {
    this.#isWaiting = isWaiting;
    // `disabled` would lose the focus.
    this.#play.setAttribute('aria-disabled', String(isWaiting));
    setText(this.#play, isWaiting ? 'Connecting …' : this.#room === undefined ? 'Play' : `Play in ${this.#room}`);
  }

  /** Shows the page, with what was wrong with the private room. */
  showPrivate(error: string): void {
    this.show();
    this.#private.tell(error);
  }

  #join(room: string | undefined, how?: PrivateRoom): void {
    if (this.#isWaiting) return;
    const name = this.#name.value.trim();
    if (!name) return this.show('Type a name first.');
    remember('name', name);
    this.#enter({ name, room, watches: false, password: how?.password, makes: how?.makes ?? false });
  }

  /** Watching needs no typed name. */
  #watch(room: string): void {
    if (this.#isWaiting) return;
    const name = this.#name.value.trim() || `Guest-${1000 + Math.floor(Math.random() * 9000)}`;
    this.#enter({ name, room, watches: true });
  }
}

/** The content of a full-screen message. */
export interface Message {
  title: string;
  text: string;
  /** The code in small print, for reports. */
  code: string;
  /** The button's text. */
  action: string;
  /** The button's action. */
  act(): void;
  /** The way back to the start page, if any. */
  back?: (() => void) | undefined;
}

/** A full-screen message, with buttons to continue and to go back. */
export class MessageScreen {
  readonly #root = byId('message');
  readonly #action = byId<HTMLButtonElement>('message-action');
  readonly #back = byId<HTMLButtonElement>('message-back');
  readonly #retry = byId('message-retry');

  /** Shows the message until {@link hide}, and focuses its button. */
  show({ title, text, code, action, act, back }: Message): void {
    setText(byId('message-title'), title);
    setText(byId('message-text'), text);
    setText(byId('message-code'), code);
    setText(this.#action, action);
    this.#action.ariaDisabled = 'false';
    this.#action.onclick = act;
    this.#back.hidden = !back;
    this.#back.onclick = back ?? null;
    this.#retry.hidden = true;
    if (!this.#root.hidden) return;
    this.#root.hidden = false;
    this.#action.focus();
  }

  /** Shows the time until the next attempt. */
  countDown(seconds: number): void {
    setText(this.#retry, `Trying again in ${seconds} s`);
    this.#retry.hidden = false;
  }

  /** Shows that an attempt is being made; the button does nothing until the next {@link show}. */
  wait(): void {
    setText(this.#retry, 'Connecting …');
    this.#retry.hidden = false;
    this.#action.ariaDisabled = 'true';
    this.#action.onclick = null;
  }

  /** Hides the message. */
  hide(): void {
    this.#root.hidden = true;
  }
}
