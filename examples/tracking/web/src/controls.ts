import type { Camera } from './camera';

/** What hands do with the map. */
export interface Hands {
  camera(): Camera | undefined;
  /** A place of the canvas was clicked. */
  pick(x: number, y: number): void;
  /** The map was moved. */
  moved(): void;
  /** The next courier is asked for. */
  next(): void;
  /** No courier is. */
  leave(): void;
}

/** A press that moves less is a click. */
const CLICK_PX = 5;
const KEY_PX = 80;

/** Moves the map by pointers, wheel and keys. */
export function moveByHand(canvas: HTMLCanvasElement, hands: Hands): void {
  const pointers = new Map<number, { x: number; y: number }>();
  let travelled = 0;
  canvas.addEventListener('pointerdown', ({ pointerId, offsetX: x, offsetY: y }) => {
    canvas.setPointerCapture(pointerId);
    if (pointers.size === 0) travelled = 0;
    pointers.set(pointerId, { x, y });
  });
  canvas.addEventListener('pointermove', ({ pointerId, offsetX: x, offsetY: y }) => {
    const [own, camera] = [pointers.get(pointerId), hands.camera()];
    if (!own || !camera) return;
    const other = [...pointers].find(([id]) => id !== pointerId)?.[1];
    travelled += Math.hypot(x - own.x, y - own.y);
    if (travelled > CLICK_PX) {
      canvas.classList.add('moves');
      hands.moved();
      const share = other ? 2 : 1;
      camera.pan((x - own.x) / share, (y - own.y) / share);
      if (other) {
        const [before, after] = [Math.hypot(own.x - other.x, own.y - other.y), Math.hypot(x - other.x, y - other.y)];
        if (before > 0) camera.zoom(after / before, { x: (x + other.x) / 2, y: (y + other.y) / 2 });
      }
    }
    pointers.set(pointerId, { x, y });
  });
  const release = ({ pointerId, offsetX, offsetY, type }: PointerEvent) => {
    if (!pointers.delete(pointerId)) return;
    canvas.classList.remove('moves');
    if (type === 'pointerup' && pointers.size === 0 && travelled <= CLICK_PX) hands.pick(offsetX, offsetY);
  };
  canvas.addEventListener('pointerup', release);
  canvas.addEventListener('pointercancel', release);
  canvas.addEventListener(
    'wheel',
    (event) => {
      event.preventDefault();
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 30 : 1;
      hands.camera()?.zoom(Math.exp((-event.deltaY * lines) / 500), { x: event.offsetX, y: event.offsetY });
    },
    { passive: false },
  );
  // Wherever the focus is: the page has no field for text.
  document.addEventListener('keydown', (event) => {
    const camera = hands.camera();
    if (!camera || event.ctrlKey || event.metaKey || event.altKey) return;
    const pan = { ArrowLeft: [KEY_PX, 0], ArrowRight: [-KEY_PX, 0], ArrowUp: [0, KEY_PX], ArrowDown: [0, -KEY_PX] }[event.key];
    if (pan) {
      hands.moved();
      camera.pan(pan[0]!, pan[1]!);
    } else if (event.key === '+' || event.key === '=') camera.zoom(1.6);
    else if (event.key === '-') camera.zoom(1 / 1.6);
    else if (event.key.toLowerCase() === 'n') hands.next();
    else if (event.key === 'Escape') hands.leave();
    else return;
    event.preventDefault();
  });
}
