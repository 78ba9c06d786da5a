import { byId } from '../dom';
import type { Controls } from '../game';
import { steer, type Stick } from './steering';

const STICK_PIXELS = 54;

/**
 * Marks the page as one on a touch screen: at once if there is no finer pointer, else at the first
 * touch.
 */
export function noteTouch(): void {
  const note = () => document.body.classList.add('touch');
  if (matchMedia('(pointer: coarse)').matches) note();
  else addEventListener('touchstart', note, { once: true, passive: true });
}

/** A virtual stick for the left thumb and a fire button for the right one. */
export class Touch {
  readonly #root = byId('touch');
  readonly #base = byId('stick');
  readonly #knob = this.#base.querySelector('i') as HTMLElement;
  readonly #fire = byId('fire');
  readonly #stop = new AbortController();
  #stick: Stick = { x: 0, y: 0 };
  #firing = false;

  /** `onChat` opens the chat, as there is no Enter key. */
  constructor(onChat: () => void) {
    const { signal } = this.#stop;
    byId('touch-chat').addEventListener('click', onChat, { signal });
    this.#listen(this.#base, (event) => this.#push(event), () => this.#release());
    this.#listen(this.#fire, () => this.#setFiring(true), () => this.#setFiring(false));
  }

  /** Shows the controls on a touch screen: see {@link noteTouch}. */
  begin(): void {
    this.#root.hidden = false;
  }

  /** The input of the thumbs, for a ship with this heading. */
  read(heading: number | undefined): Controls {
    const { turn, thrust } = steer(this.#stick, heading ?? 0);
    return { turn, thrust, brake: false, fire: this.#firing };
  }

  /** Hides the controls. */
  stop(): void {
    this.#stop.abort();
    this.#root.hidden = true;
  }

  #listen(target: HTMLElement, hold: (event: PointerEvent) => void, release: () => void): void {
    const { signal } = this.#stop;
    target.addEventListener(
      'pointerdown',
      (event) => {
        target.setPointerCapture(event.pointerId);
        hold(event);
      },
      { signal },
    );
    target.addEventListener('pointermove', (event) => target.hasPointerCapture(event.pointerId) && hold(event), { signal });
    for (const end of ['pointerup', 'pointercancel'] as const) target.addEventListener(end, release, { signal });
  }

  #push(event: PointerEvent): void {
    const box = this.#base.getBoundingClientRect();
    const [x, y] = [event.clientX - box.x - box.width / 2, event.clientY - box.y - box.height / 2];
    const limit = Math.max(1, Math.hypot(x, y) / STICK_PIXELS);
    this.#stick = { x: x / limit / STICK_PIXELS, y: -y / limit / STICK_PIXELS };
    this.#knob.style.transform = `translate(${x / limit}px, ${y / limit}px)`;
  }

  #release(): void {
    this.#stick = { x: 0, y: 0 };
    this.#knob.style.transform = '';
  }

  #setFiring(firing: boolean): void {
    this.#firing = firing;
    this.#fire.classList.toggle('held', firing);
  }
}
