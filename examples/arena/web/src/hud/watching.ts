import type { RoomInfo } from 'tickwire';
import { byId, setText } from '../dom';
import type { Frame } from '../game';

/** Replaces the gauges for spectators: the pilot whom the camera follows, and a button to play. */
export class Watching {
  readonly #root = byId('watching');
  readonly #text = byId('watching-text');
  readonly #room: string;
  readonly #stop = new AbortController();

  /** Shows the panel. The button calls `join`; a room without seats, as that of a replay, has none. */
  constructor(room: RoomInfo | undefined, join: () => void) {
    this.#room = room?.name ?? '';
    byId('watching-join').hidden = room?.playersMax === 0;
    byId('watching-join').addEventListener('click', join, { signal: this.#stop.signal });
    document.body.classList.add('watching');
    this.#root.hidden = false;
  }

  /** Names the followed pilot. */
  draw({ followed, roster }: Frame): void {
    const name = followed && roster.nameOf(followed.id);
    setText(this.#text, name ? `Watching ${name} in ${this.#room}` : `Watching ${this.#room}`);
  }

  /** Hides the panel. */
  stop(): void {
    this.#stop.abort();
    this.#root.hidden = true;
    document.body.classList.remove('watching');
  }
}
