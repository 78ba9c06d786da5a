import { byId, setText } from '../dom';
import type { Frame } from '../game';

/** In place of the gauges of someone who only watches: whom the camera follows, and the way to play. */
export class Watching {
  readonly #root = byId('watching');
  readonly #text = byId('watching-text');
  readonly #room: string;
  readonly #stop = new AbortController();

  /** Shows itself. `join` is called for the button. */
  constructor(room: string, join: () => void) {
    this.#room = room;
    byId('watching-join').addEventListener('click', join, { signal: this.#stop.signal });
    document.body.classList.add('watching');
    this.#root.hidden = false;
  }

  /** Says who is followed. */
  draw({ followed, roster }: Frame): void {
    const name = followed && roster.nameOf(followed.id);
    setText(this.#text, name ? `Watching ${name} in ${this.#room}` : `Watching ${this.#room}`);
  }

  /** Hides itself. */
  stop(): void {
    this.#stop.abort();
    this.#root.hidden = true;
    document.body.classList.remove('watching');
  }
}
