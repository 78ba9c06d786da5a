import type { Point } from './city';

/** A part of the map, in metres. */
export interface Rectangle {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

const CLOSEST = 2;

/** What of the city is seen, and how large. */
export class Camera {
  /** The middle of the picture, in metres. */
  middle: Point;
  /** Pixels for a metre. */
  scale = 0.1;
  width = 1;
  height = 1;
  readonly #size: Point;

  constructor(size: Point) {
    this.#size = size;
    this.middle = { x: size.x / 2, y: size.y / 2 };
  }

  resize(width: number, height: number): void {
    [this.width, this.height] = [width, height];
    this.#keep();
  }

  /** The scale at which the whole city fits. */
  get farthest(): number {
    return Math.min(this.width / this.#size.x, this.height / this.#size.y);
  }

  get seen(): Rectangle {
    const [x, y] = [this.width / 2 / this.scale, this.height / 2 / this.scale];
    return { left: this.middle.x - x, top: this.middle.y - y, right: this.middle.x + x, bottom: this.middle.y + y };
  }

  toPixel({ x, y }: Point): Point {
    return { x: (x - this.middle.x) * this.scale + this.width / 2, y: (y - this.middle.y) * this.scale + this.height / 2 };
  }

  toMetres({ x, y }: Point): Point {
    return { x: (x - this.width / 2) / this.scale + this.middle.x, y: (y - this.height / 2) / this.scale + this.middle.y };
  }

  /** Moves the picture by pixels. */
  pan(dx: number, dy: number): void {
    this.lookAt({ x: this.middle.x - dx / this.scale, y: this.middle.y - dy / this.scale });
  }

  /** Looks at this place. */
  lookAt(place: Point): void {
    this.middle = place;
    this.#keep();
  }

  /** Changes the scale; what is under `pixel` stays there. */
  zoom(factor: number, pixel: Point = { x: this.width / 2, y: this.height / 2 }): void {
    const place = this.toMetres(pixel);
    this.scale = clamp(this.scale * factor, this.farthest, CLOSEST);
    const after = this.toMetres(pixel);
    this.lookAt({ x: this.middle.x + place.x - after.x, y: this.middle.y + place.y - after.y });
  }

  #keep(): void {
    this.scale = clamp(this.scale, this.farthest, CLOSEST);
    this.middle = { x: clamp(this.middle.x, 0, this.#size.x), y: clamp(this.middle.y, 0, this.#size.y) };
  }
}

/** The tiles that a rectangle touches, of those that the city has: `X/Y`. */
export function tilesIn({ left, top, right, bottom }: Rectangle, size: Point, tileM: number): string[] {
  const range = (from: number, to: number, most: number) => {
    const first = clamp(Math.floor(from / tileM), 0, Math.ceil(most / tileM) - 1);
    const last = clamp(Math.floor(to / tileM), 0, Math.ceil(most / tileM) - 1);
    return Array.from({ length: last - first + 1 }, (_, at) => first + at);
  };
  const rows = range(top, bottom, size.y);
  return range(left, right, size.x).flatMap((x) => rows.map((y) => `${x}/${y}`));
}

export function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
