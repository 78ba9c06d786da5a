import { CanvasSource, Texture } from 'pixi.js';
import { type AsteroidSize, ROCK_RADII, type Team } from '../game';
import { css, TEAM_COLORS } from '../palette';
import { Random } from '../random';
import { drawRock } from './rock-drawing';

/** Texture pixels per world unit: sharp up to this zoom. */
export const DETAIL = 3;
/** Number of different rocks of each size. */
export const ROCK_SHAPES = 5;

/** All pictures, painted once at the start: there are no files to load. */
export interface Textures {
  /** A soft round light. */
  glow: Texture;
  /** A small bright spot with a halo. */
  spark: Texture;
  /** A thin ring. */
  ring: Texture;
  /** A bubble, bright at the edge. */
  bubble: Texture;
  /** A bolt along x. */
  bolt: Texture;
  /** An engine's flame, pointing to -x with its root at the right edge. */
  flame: Texture;
  /** Ships by team, the nose along x. */
  ships: Record<Team, Texture>;
  /** Rocks by size, then shape. */
  rocks: Record<AsteroidSize, Texture[]>;
  /** Light from above left on a round body. */
  shade: Texture;
  /** A faceted crystal, white. */
  crystal: Texture;
  /** A marker at the edge of the screen, pointing along x. */
  arrow: Texture;
}

/** Paints all textures; takes about ten milliseconds. */
export function paintTextures(): Textures {
  return {
    glow: painted(128, 128, (pen) => radial(pen, 64, [[0, 1], [0.25, 0.5], [0.55, 0.14], [1, 0]])),
    spark: painted(64, 64, (pen) => radial(pen, 32, [[0, 1], [0.18, 0.95], [0.3, 0.4], [1, 0]])),
    ring: painted(256, 256, (pen) => radial(pen, 128, [[0.8, 0], [0.93, 0.75], [0.955, 0.9], [1, 0]])),
    bubble: painted(192, 192, (pen) => radial(pen, 96, [[0, 0.04], [0.7, 0.1], [0.92, 0.75], [1, 0]])),
    bolt: painted(128, 48, paintBolt),
    flame: painted(128, 64, paintFlame),
    ships: mapped(TEAM_COLORS, (color) => painted(60 * DETAIL, 48 * DETAIL, (pen) => paintShip(pen, color))),
    rocks: mapped(ROCK_RADII, (radius) =>
      Array.from({ length: ROCK_SHAPES }, (_, shape) => {
        const side = Math.ceil(radius * 2.3 * DETAIL * 0.75);
        return painted(side, side, (pen) => drawRock(pen, side / 2, side / 2.3, new Random(radius * 31 + shape)));
      }),
    ),
    shade: painted(128, 128, paintShade),
    crystal: painted(96, 96, paintCrystal),
    arrow: painted(48, 48, paintArrow),
  };
}

/** What `make` makes of each value, by the same names. */
function mapped<K extends string, T>(values: Readonly<Record<K, number>>, make: (value: number) => T): Record<K, T> {
  const made = Object.entries<number>(values).map(([name, value]) => [name, make(value)]);
  return Object.fromEntries(made) as Record<K, T>;
}

/** A texture from a canvas that `paint` drew on. */
export function painted(width: number, height: number, paint: (pen: CanvasRenderingContext2D) => void): Texture {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  const pen = canvas.getContext('2d');
  if (!pen) throw new Error('this browser cannot draw on a canvas');
  paint(pen);
  const source = new CanvasSource({ resource: canvas, autoGenerateMipmaps: true, scaleMode: 'linear' });
  return new Texture({ source });
}

type Pen = CanvasRenderingContext2D;

function radial(pen: Pen, radius: number, stops: readonly (readonly [at: number, alpha: number])[]): void {
  const gradient = pen.createRadialGradient(radius, radius, 0, radius, radius, radius);
  for (const [at, alpha] of stops) gradient.addColorStop(at, `rgb(255 255 255 / ${alpha})`);
  pen.fillStyle = gradient;
  pen.fillRect(0, 0, radius * 2, radius * 2);
}

function paintBolt(pen: Pen): void {
  pen.scale(1, 48 / 128);
  radial(pen, 64, [[0, 0.55], [0.5, 0.16], [1, 0]]);
  pen.setTransform(1, 0, 0, 1, 0, 0);
  const core = pen.createLinearGradient(14, 0, 116, 0);
  core.addColorStop(0, 'rgb(255 255 255 / 0)');
  core.addColorStop(0.7, 'rgb(255 255 255 / 0.95)');
  core.addColorStop(1, 'rgb(255 255 255 / 1)');
  pen.fillStyle = core;
  pen.beginPath();
  pen.roundRect(14, 19, 100, 10, 5);
  pen.fill();
}

function paintFlame(pen: Pen): void {
  const gradient = pen.createRadialGradient(116, 32, 2, 116, 32, 116);
  gradient.addColorStop(0, 'rgb(255 255 255 / 1)');
  gradient.addColorStop(0.25, 'rgb(255 255 255 / 0.75)');
  gradient.addColorStop(0.6, 'rgb(255 255 255 / 0.25)');
  gradient.addColorStop(1, 'rgb(255 255 255 / 0)');
  pen.fillStyle = gradient;
  pen.filter = 'blur(3px)';
  pen.beginPath();
  pen.moveTo(122, 16);
  pen.quadraticCurveTo(60, 14, 4, 32);
  pen.quadraticCurveTo(60, 50, 122, 48);
  pen.quadraticCurveTo(128, 32, 122, 16);
  pen.fill();
}

/** Paints in world units around the ship's middle. */
function paintShip(pen: Pen, color: number): void {
  pen.setTransform(DETAIL, 0, 0, DETAIL, 30 * DETAIL, 24 * DETAIL);
  pen.lineJoin = 'round';
  const hull = new Path2D('M19 0 L3 5.2 L-6 15.5 L-13 15.5 L-9.5 5 L-12 0 L-9.5 -5 L-13 -15.5 L-6 -15.5 L3 -5.2 Z');
  pen.shadowColor = css(color, 0.9);
  pen.shadowBlur = 5 * DETAIL;
  const metal = pen.createLinearGradient(-13, 0, 19, 0);
  metal.addColorStop(0, '#0b1526');
  metal.addColorStop(0.55, '#1c2d4a');
  metal.addColorStop(1, '#41597f');
  pen.fillStyle = metal;
  pen.fill(hull);
  pen.shadowBlur = 0;
  pen.fillStyle = css(color, 0.85);
  pen.fill(new Path2D('M-2 10.9 L-6 15.5 L-13 15.5 L-11.6 11 Z M-2 -10.9 L-6 -15.5 L-13 -15.5 L-11.6 -11 Z'));
  pen.fillStyle = css(color, 0.35);
  pen.fill(new Path2D('M19 0 L3 5.2 L-1 3 L-1 -3 L3 -5.2 Z'));
  pen.strokeStyle = css(color);
  pen.lineWidth = 1.5;
  pen.stroke(hull);
  pen.fillStyle = '#eaf7ff';
  pen.beginPath();
  pen.ellipse(4, 0, 4.4, 2, 0, 0, 2 * Math.PI);
  pen.fill();
  pen.fillStyle = css(color, 0.9);
  pen.fillRect(-12.4, -3, 2.6, 6);
}

function paintShade(pen: Pen): void {
  const gradient = pen.createRadialGradient(44, 42, 6, 64, 64, 64);
  gradient.addColorStop(0, 'rgb(255 244 226 / 0.26)');
  gradient.addColorStop(0.45, 'rgb(255 244 226 / 0)');
  gradient.addColorStop(0.5, 'rgb(2 4 12 / 0)');
  gradient.addColorStop(0.9, 'rgb(2 4 12 / 0.72)');
  gradient.addColorStop(1, 'rgb(2 4 12 / 0)');
  pen.fillStyle = gradient;
  pen.fillRect(0, 0, 128, 128);
}

function paintCrystal(pen: Pen): void {
  pen.translate(48, 48);
  const facets: readonly (readonly [path: string, alpha: number])[] = [
    ['M0 -36 L-20 -8 L0 0 Z', 0.95],
    ['M0 -36 L20 -8 L0 0 Z', 0.7],
    ['M-20 -8 L0 36 L0 0 Z', 0.6],
    ['M20 -8 L0 36 L0 0 Z', 0.4],
  ];
  pen.shadowColor = '#fff';
  pen.shadowBlur = 10;
  for (const [path, alpha] of facets) {
    pen.fillStyle = `rgb(255 255 255 / ${alpha})`;
    pen.fill(new Path2D(path));
  }
}

function paintArrow(pen: Pen): void {
  pen.translate(24, 24);
  pen.fillStyle = '#fff';
  pen.fill(new Path2D('M16 0 L-8 12 L-3 0 L-8 -12 Z'));
}
