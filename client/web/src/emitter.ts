/** A listener of one event. */
export type Listener<T> = (value: T) => void;

/** Calls listeners by the name of an event. Listeners run in the order they were added. */
export class Emitter<Events> {
  readonly #listeners = new Map<keyof Events, Set<Listener<never>>>();
  #held: (() => void)[] | undefined;
  #unheld: ReadonlySet<keyof Events> = new Set();

  /** Calls `listener` for every `name` from now on. The result removes it. */
  on<K extends keyof Events>(name: K, listener: Listener<Events[K]>): () => void {
    let listeners = this.#listeners.get(name);
    if (!listeners) this.#listeners.set(name, (listeners = new Set()));
    listeners.add(listener as Listener<never>);
    return () => this.off(name, listener);
  }

  /** Calls `listener` for the next `name` only. The result removes it. */
  once<K extends keyof Events>(name: K, listener: Listener<Events[K]>): () => void {
    const off = this.on(name, (value) => {
      off();
      listener(value);
    });
    return off;
  }

  /** Removes a listener. */
  off<K extends keyof Events>(name: K, listener: Listener<Events[K]>): void {
    this.#listeners.get(name)?.delete(listener as Listener<never>);
  }

  /** Keeps what is emitted from now on, in its order, for listeners who are yet to come; `except` for these names. */
  hold(...except: (keyof Events)[]): void {
    this.#held ??= [];
    this.#unheld = new Set(except);
  }

  /** Tells of what was kept, and from now on of everything at once. */
  release(): void {
    for (let tell = this.#held?.shift(); tell; tell = this.#held?.shift()) tell();
    this.#held = undefined;
  }

  /** Calls the listeners of `name`, also after one of them throws; `otherwise` where nobody listens. */
  emit<K extends keyof Events>(name: K, value: Events[K], otherwise?: Listener<Events[K]>): void {
    if (this.#held && !this.#unheld.has(name)) this.#held.push(() => this.#tell(name, value, otherwise));
    else this.#tell(name, value, otherwise);
  }

  #tell<K extends keyof Events>(name: K, value: Events[K], otherwise?: Listener<Events[K]>): void {
    const listeners = [...(this.#listeners.get(name) ?? [])] as Listener<Events[K]>[];
    if (listeners.length === 0) otherwise?.(value);
    for (const listener of listeners) {
      try {
        listener(value);
      } catch (error) {
        report(error);
      }
    }
  }
}

/** Reports an error that nobody caught, as the browser does: node has no `reportError`. */
export function report(error: unknown): void {
  if ('reportError' in globalThis) return reportError(error);
  setTimeout(() => {
    throw error;
  });
}
