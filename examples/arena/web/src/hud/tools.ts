import { byId } from '../dom';

/** What the buttons at the top do. `sound` and `stats` give whether it is on now. */
export interface ToolActions {
  leave(): void;
  sound(): boolean;
  stats(): boolean;
}

/** The buttons at the top; two of them have a key as well. */
export class Tools {
  readonly #sound = byId('sound');
  readonly #stats = byId('stats');
  readonly #actions: ToolActions;
  readonly #stop = new AbortController();

  /** Listens until {@link stop}. `on` says what is on already. */
  constructor(actions: ToolActions, on: { sound: boolean; stats: boolean }) {
    this.#actions = actions;
    this.#sound.ariaPressed = String(on.sound);
    this.#stats.ariaPressed = String(on.stats);
    this.#listen(byId('leave'), () => actions.leave());
    this.#listen(this.#sound, () => this.toggleSound());
    this.#listen(this.#stats, () => this.toggleStats());
  }

  /** Sound on or off; gives which it is now. */
  toggleSound(): boolean {
    const isOn = this.#actions.sound();
    this.#sound.ariaPressed = String(isOn);
    return isOn;
  }

  /** The network statistics, shown or hidden. */
  toggleStats(): void {
    this.#stats.ariaPressed = String(this.#actions.stats());
  }

  /** Listens no more. */
  stop(): void {
    this.#stop.abort();
  }

  #listen(button: HTMLElement, act: () => void): void {
    const press = (event: MouseEvent) => {
      act();
      // After a click the keys steer again; who came by the Tab key stays on the button.
      if (event.detail > 0) button.blur();
    };
    button.addEventListener('click', press, { signal: this.#stop.signal });
  }
}
