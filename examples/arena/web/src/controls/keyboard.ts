import type { Controls } from '../game';

/** By `KeyboardEvent.code`, so that the keys have the same places on every layout. */
const KEYS: Record<string, 'left' | 'right' | 'thrust' | 'brake' | 'fire'> = {
  KeyA: 'left',
  ArrowLeft: 'left',
  KeyD: 'right',
  ArrowRight: 'right',
  KeyW: 'thrust',
  ArrowUp: 'thrust',
  KeyS: 'brake',
  ArrowDown: 'brake',
  Space: 'fire',
};

/** Steering by keys. Keys typed into a field do not count. */
export class Keyboard {
  readonly #held = new Set<string>();
  readonly #stop = new AbortController();

  /** Listens until {@link stop}. `onPress` gets the keys that do not steer. */
  constructor(onPress: (code: string) => boolean) {
    const { signal } = this.#stop;
    addEventListener(
      'keydown',
      (event) => {
        if (isTyping(event) || pressesButton(event) || event.ctrlKey || event.metaKey || event.altKey) return;
        const steers = event.code in KEYS;
        if (steers) this.#held.add(event.code);
        if (steers || (!event.repeat && onPress(event.code))) event.preventDefault();
      },
      { signal },
    );
    addEventListener('keyup', (event) => this.#held.delete(event.code), { signal });
    addEventListener('blur', () => this.#held.clear(), { signal });
    // A key held while a field takes the focus would stay held for ever.
    addEventListener('focusin', () => this.#held.clear(), { signal });
  }

  /** The current input. */
  read(): Controls {
    const held = (what: string) => [...this.#held].some((code) => KEYS[code] === what);
    return {
      turn: Number(held('left')) - Number(held('right')),
      thrust: held('thrust'),
      brake: held('brake'),
      fire: held('fire'),
    };
  }

  /** Stops listening. */
  stop(): void {
    this.#stop.abort();
  }
}

function isTyping(event: KeyboardEvent): boolean {
  return event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement;
}

/** Handles the keys of a button that has the focus from the Tab key; Escape returns to flying. */
function pressesButton({ target, code }: KeyboardEvent): boolean {
  if (!(target instanceof HTMLButtonElement && target.matches(':focus-visible'))) return false;
  if (code === 'Escape') target.blur();
  return code === 'Enter' || code === 'NumpadEnter' || code === 'Space';
}
