import type { MyGame } from './types';

const KEYS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] } as Record<string, [number, number]>;
/** How far from the middle of the canvas, in parts of its side, a finger steers. */
const DEAD = 0.08;

const down = new Set<string>();
let finger: { x: number; y: number } | undefined;

addEventListener('keydown', (event) => {
  if (!KEYS[event.key] || (event.target as Element).closest('form')) return;
  event.preventDefault();
  down.add(event.key);
});
addEventListener('keyup', ({ key }) => down.delete(key));
addEventListener('blur', () => down.clear());

const canvas = document.querySelector('canvas')!;
for (const type of ['pointerdown', 'pointermove'] as const) canvas.addEventListener(type, point);
for (const type of ['pointerup', 'pointercancel', 'pointerleave'] as const) canvas.addEventListener(type, () => (finger = undefined));

/** A finger or the mouse steers away from the middle of the canvas. */
function point({ buttons, clientX, clientY }: PointerEvent): void {
  const { left, top, width, height } = canvas.getBoundingClientRect();
  finger = buttons === 0 ? undefined : { x: (clientX - left) / width - 0.5, y: 0.5 - (clientY - top) / height };
}

/** What the player holds down. */
export function held(): MyGame['input'] {
  const axis = (part: number) => (Math.abs(part) < DEAD ? 0 : Math.sign(part));
  const sum = { right: axis(finger?.x ?? 0), up: axis(finger?.y ?? 0) };
  for (const key of down) {
    sum.right += KEYS[key]![0];
    sum.up += KEYS[key]![1];
  }
  return { right: Math.sign(sum.right), up: Math.sign(sum.up) };
}
