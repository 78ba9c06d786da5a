import { Sprite, Texture } from 'pixi.js';
import { css } from '../palette';
import { painted } from './textures';

const FONT = '600 13px "Chakra Petch", system-ui, sans-serif';
/** Pixels of the picture per pixel of the page. */
const DETAIL = 2;
const HEIGHT = 20;
const MARGIN = 4;
const OUTLINE = 3;

/** A name above a ship: a picture of its own, repainted when the name changes. */
export class NamePlate {
  /** Anchored at its lower edge. */
  readonly sprite = new Sprite({ texture: Texture.EMPTY, anchor: { x: 0.5, y: 1 }, scale: 1 / DETAIL });
  #name = '';

  /** Shows this name; nothing if it is empty. */
  show(name: string): void {
    if (name === this.#name) return;
    this.#name = name;
    this.#drop();
    if (name) this.sprite.texture = paintName(name);
  }

  /** Removes the picture. */
  destroy(): void {
    this.#drop();
    this.sprite.destroy();
  }

  #drop(): void {
    const { texture } = this.sprite;
    this.sprite.texture = Texture.EMPTY;
    if (texture !== Texture.EMPTY) texture.destroy(true);
  }
}

let measuring: CanvasRenderingContext2D | null | undefined;

function paintName(name: string): Texture {
  measuring ??= document.createElement('canvas').getContext('2d');
  if (measuring) measuring.font = FONT;
  const width = Math.ceil(measuring?.measureText(name).width ?? 0) + 2 * MARGIN;
  return painted(width * DETAIL, HEIGHT * DETAIL, (pen) => {
    pen.scale(DETAIL, DETAIL);
    pen.font = FONT;
    pen.textBaseline = 'middle';
    pen.lineJoin = 'round';
    pen.lineWidth = OUTLINE;
    pen.strokeStyle = css(0x05070f, 0.8);
    pen.strokeText(name, MARGIN, HEIGHT / 2);
    pen.fillStyle = '#fff';
    pen.fillText(name, MARGIN, HEIGHT / 2);
  });
}
