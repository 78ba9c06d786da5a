import { Container, Particle, ParticleContainer, Sprite, Texture } from 'pixi.js';
import { WORLD_HALF } from '../game';
import { Random } from '../random';
import type { Camera } from './camera';
import { painted, type Textures } from './textures';

const GRID_UNITS = 128;
/** Size of the sky relative to the screen, which lets it move. */
const SKY_OVERSIZE = 1.25;
const SKY_WIDTH = 1200;
const SKY_HEIGHT = 800;
/** Layers of stars: their number, size, and motion with the camera. */
const LAYERS = [
  { stars: 190, size: 2.2, depth: 0.05, alpha: 0.5 },
  { stars: 110, size: 3.4, depth: 0.12, alpha: 0.75 },
  { stars: 40, size: 6, depth: 0.26, alpha: 1 },
] as const;
const STAR_TINTS = [0xffffff, 0xbed7ff, 0xffe2c4, 0xcdbeff] as const;
/** Clouds of the nebula: place and size as parts of the sky. */
const CLOUDS = [
  [0.25, 0.3, 0.42, '24 52 120', 0.5],
  [0.72, 0.62, 0.4, '84 34 112', 0.42],
  [0.55, 0.12, 0.3, '14 84 104', 0.34],
  [0.1, 0.85, 0.36, '96 36 56', 0.3],
  [0.92, 0.15, 0.3, '36 64 150', 0.36],
  [0.4, 0.7, 0.22, '40 76 160', 0.3],
] as const;

interface Star {
  sprite: Particle;
  x: number;
  y: number;
  depth: number;
}

/** The distant nebula and stars, and the grid and walls of the world. */
export class Backdrop {
  /** The background, in pixels. */
  readonly sky = new Container();
  /** Part of the world, in units. */
  readonly ground = new Container();
  readonly #nebula: Sprite;
  readonly #stars: Star[];

  /** Paints the backdrop. */
  constructor(textures: Textures) {
    const random = new Random(7);
    this.#nebula = new Sprite({ texture: painted(SKY_WIDTH, SKY_HEIGHT, paintNebula), anchor: 0.5, blendMode: 'none' });
    const field = new ParticleContainer({ texture: textures.spark, dynamicProperties: { position: true } });
    this.#stars = LAYERS.flatMap((layer) => Array.from({ length: layer.stars }, () => makeStar(layer, textures.spark, random)));
    field.addParticle(...this.#stars.map(({ sprite }) => sprite));
    this.sky.addChild(this.#nebula, field);
    const line = painted(8, 1, paintLine);
    this.ground.addChild(...grid(line), ...walls(line));
  }

  /** Moves the distant layers by their depth. */
  draw(camera: Camera): void {
    const { width, height, scale, shakeX, shakeY } = camera;
    const grow = Math.max(width / SKY_WIDTH, height / SKY_HEIGHT) * SKY_OVERSIZE;
    this.#nebula.scale.set(grow);
    const [slackX, slackY] = [(SKY_WIDTH * grow - width) / 2, (SKY_HEIGHT * grow - height) / 2];
    const share = (at: number) => Math.max(-1, Math.min(1, at / WORLD_HALF));
    this.#nebula.position.set(width / 2 - share(camera.x) * slackX, height / 2 + share(camera.y) * slackY);
    for (const { sprite, x, y, depth } of this.#stars) {
      sprite.x = wrap(x * width - camera.x * scale * depth + shakeX * depth, width);
      sprite.y = wrap(y * height + camera.y * scale * depth + shakeY * depth, height);
    }
  }
}

/** Wraps a coordinate beyond a margin, so that no star vanishes in sight. */
function wrap(at: number, length: number): number {
  const span = length + 16;
  return at - span * Math.floor((at + 8) / span);
}

function makeStar({ size, depth, alpha }: (typeof LAYERS)[number], texture: Texture, random: Random): Star {
  const scale = (size * (0.5 + 1.5 * random.next() ** 3)) / 24;
  const sprite = new Particle({ texture, anchorX: 0.5, anchorY: 0.5, scaleX: scale, scaleY: scale });
  sprite.tint = STAR_TINTS[Math.floor(random.next() * STAR_TINTS.length)] ?? 0xffffff;
  sprite.alpha = alpha * random.between(0.4, 1);
  return { sprite, x: random.next(), y: random.next(), depth };
}

function paintNebula(pen: CanvasRenderingContext2D): void {
  pen.fillStyle = '#05070f';
  pen.fillRect(0, 0, SKY_WIDTH, SKY_HEIGHT);
  pen.globalCompositeOperation = 'lighter';
  const random = new Random(3);
  for (const [x, y, size, color, alpha] of CLOUDS) {
    for (let puff = 0; puff < 14; puff++) {
      const reach = size * SKY_WIDTH * random.between(0.25, 0.8);
      const angle = random.between(0, 2 * Math.PI);
      const away = random.next() * size * SKY_WIDTH * 0.5;
      const [cx, cy] = [x * SKY_WIDTH + Math.cos(angle) * away, y * SKY_HEIGHT + Math.sin(angle) * away * 0.7];
      const gradient = pen.createRadialGradient(cx, cy, 0, cx, cy, reach);
      gradient.addColorStop(0, `rgb(${color} / ${alpha / 7})`);
      gradient.addColorStop(0.5, `rgb(${color} / ${alpha / 18})`);
      gradient.addColorStop(1, `rgb(${color} / 0)`);
      pen.fillStyle = gradient;
      pen.fillRect(0, 0, SKY_WIDTH, SKY_HEIGHT);
    }
  }
  dither(pen, random);
}

/** Adds a little noise, which hides the steps of soft gradients. */
function dither(pen: CanvasRenderingContext2D, random: Random): void {
  const image = pen.getImageData(0, 0, SKY_WIDTH, SKY_HEIGHT);
  for (let at = 0; at < image.data.length; at += 4) {
    const noise = Math.round(random.between(-1, 1));
    for (let channel = 0; channel < 3; channel++) image.data[at + channel]! += noise;
  }
  pen.putImageData(image, 0, 0);
}

/** Paints a line, soft at both sides. */
function paintLine(pen: CanvasRenderingContext2D): void {
  const gradient = pen.createLinearGradient(0, 0, 8, 0);
  gradient.addColorStop(0, 'rgb(255 255 255 / 0)');
  gradient.addColorStop(0.5, 'rgb(255 255 255 / 1)');
  gradient.addColorStop(1, 'rgb(255 255 255 / 0)');
  pen.fillStyle = gradient;
  pen.fillRect(0, 0, 8, 1);
}

function grid(texture: Texture): Sprite[] {
  const lines: Sprite[] = [];
  for (let at = -WORLD_HALF + GRID_UNITS; at < WORLD_HALF; at += GRID_UNITS) {
    const look = at === 0 ? { width: 5, alpha: 0.16 } : { width: 4, alpha: 0.075 };
    lines.push(...cross(texture, at, { ...look, color: 0x6aa2ff }));
  }
  return lines;
}

/** A bright line with a halo, and darkness beyond it. */
function walls(line: Texture): Sprite[] {
  const deep = 2200;
  const beyond = ([[-1, 0], [1, 0], [0, -1], [0, 1]] as const).map(([x, y]) => {
    const dark = new Sprite({ texture: Texture.WHITE, tint: 0x16030d, alpha: 0.78, anchor: 0.5 });
    const away = WORLD_HALF + deep / 2;
    dark.setSize(x === 0 ? 2 * WORLD_HALF : deep, y === 0 ? 2 * (WORLD_HALF + deep) : deep);
    dark.position.set(x * away, y * away);
    return dark;
  });
  const looks = [
    { width: 90, alpha: 0.2, color: 0xff3d6e },
    { width: 26, alpha: 0.4, color: 0xff5f86 },
    { width: 6, alpha: 1, color: 0xffb3c4 },
  ];
  return [...beyond, ...looks.flatMap((look) => [-WORLD_HALF, WORLD_HALF].flatMap((at) => cross(line, at, look)))];
}

/** One vertical and one horizontal line through the world. */
function cross(texture: Texture, at: number, look: { width: number; alpha: number; color: number }): Sprite[] {
  return [0, Math.PI / 2].map((rotation) => {
    const sprite = new Sprite({ texture, tint: look.color, alpha: look.alpha, anchor: 0.5, rotation, blendMode: 'add' });
    sprite.setSize(look.width, 2 * WORLD_HALF);
    sprite.position.set(rotation === 0 ? at : 0, rotation === 0 ? 0 : at);
    return sprite;
  });
}
