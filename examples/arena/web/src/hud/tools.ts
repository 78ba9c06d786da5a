import { byId } from '../dom';

/** Actions of the buttons at the top. `sound` and `stats` return true if it is now on. */
export interface ToolActions {
  leave(): void;
  sound(): boolean;
  stats(): boolean;
}

/** The buttons at the top; two of them also have a key. */
export class Tools {
  readonly #sound = byId('sound');
  readonly #stats = byId('stats');
  readonly #actions: ToolActions;
  readonly #stop = new AbortController();

  /** Listens until {@link stop}. `on` says what is on initially. */
  constructor(actions: ToolActions, on: { sound: boolean; stats: boolean }) {
    this.#actions = actions;
    this.#sound.ariaPressed = String(on.sound);
    this.#stats.ariaPressed = String(on.stats);
    this.#listen(byId('leave'), () => actions.leave());
    this.#listen(this.#sound, () => this.toggleSound());
    this.#listen(this.#stats, () => this.toggleStats());
  }

  /** Turns sound on or off. Returns true if it is now on. */
  toggleSound(): boolean {
    const isOn = this.#actions.sound();
    this.#sound.ariaPressed = String(isOn);
    return isOn;
  }

  /** Shows or hides the network statistics. */
  toggleStats(): void {
    this.#stats.ariaPressed = String(this.#actions.stats());
  }

  /** Stops listening. */
  stop(): void {
    this.#stop.abort();
  }

  #listen(button: HTMLElement, act: () => void): void {
    const press = (event: MouseEvent) => {
      act();
      // After a click the keys steer again; after the Tab key the focus stays on the button.
      if (event.detail > 0) button.blur();
    };
    button.addEventListener('click', press, { signal: this.#stop.signal });
  }
}
