import type { Camera } from './camera';
import type { CityMap, Point } from './city';
import type { Courier } from './fleet';

/** Couriers have a trail from this scale on. */
const TRAIL_SCALE = 0.22;

/** Draws the city once for a view, and the couriers over it in each frame. */
export class Picture {
  readonly #canvas: HTMLCanvasElement;
  readonly #map: CityMap;
  readonly #ground = document.createElement('canvas');
  #groundOf = '';

  constructor(canvas: HTMLCanvasElement, map: CityMap) {
    this.#canvas = canvas;
    this.#map = map;
  }

  draw(camera: Camera, couriers: readonly Courier[], chosen: Courier | undefined, shownMs: number): void {
    const context = this.#canvas.getContext('2d')!;
    const density = devicePixelRatio;
    const color = colors();
    this.#drawGround(camera, color, density);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.drawImage(this.#ground, 0, 0);
    context.setTransform(density, 0, 0, density, 0, 0);
    context.lineJoin = context.lineCap = 'round';
    if (camera.scale >= TRAIL_SCALE) {
      for (const courier of couriers) if (courier !== chosen) trail(context, camera, courier, shownMs, color(stateOf(courier)), 0.35);
    }
    if (chosen) trail(context, camera, chosen, shownMs, color(stateOf(chosen)), 0.9);
    const radius = Math.min(2.2 + camera.scale * 12, 7);
    for (const courier of couriers) dot(context, camera, courier.at(shownMs), color(stateOf(courier)), radius);
    if (chosen) ring(context, camera, chosen.at(shownMs), color('--text'), radius + 5);
  }

  #drawGround(camera: Camera, color: (name: string) => string, density: number): void {
    const { width, height, scale, middle } = camera;
    const of = [width, height, scale, middle.x, middle.y, density, color('--land')].join();
    if (of === this.#groundOf) return;
    this.#groundOf = of;
    [this.#ground.width, this.#ground.height] = [width * density, height * density];
    const context = this.#ground.getContext('2d')!;
    context.scale(density, density);
    context.fillStyle = color('--land');
    context.fillRect(0, 0, width, height);
    context.translate(width / 2, height / 2);
    context.scale(scale, scale);
    context.translate(-middle.x, -middle.y);
    context.lineJoin = context.lineCap = 'round';
    context.fillStyle = color('--park');
    for (const park of this.#map.parks) {
      context.beginPath();
      context.ellipse(park.middle.x, park.middle.y, park.half.x, park.half.y, 0, 0, 2 * Math.PI);
      context.fill();
    }
    stroke(context, this.#map.river.map((at, number, all) => [all[number - 1] ?? at, at]), color('--water'), this.#map.riverHalf * 2);
    const ofKind = (isAvenue: boolean) => this.#map.streets.filter((street) => street.isAvenue === isAvenue).map(({ from, to }) => [from, to]);
    const [streets, avenues] = [ofKind(false), ofKind(true)];
    const wide = (metres: number, pixels: number) => Math.max(metres, pixels / scale);
    stroke(context, streets, color('--street-edge'), wide(13, 1.8));
    stroke(context, avenues, color('--avenue-edge'), wide(22, 3.4));
    stroke(context, streets, color('--street'), wide(10, 1));
    stroke(context, avenues, color('--avenue'), wide(17, 2.2));
  }
}

function colors(): (name: string) => string {
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(name).trim();
}

export function stateOf(courier: Courier): string {
  if (courier.waits) return '--waits';
  return courier.hasParcel ? '--loaded' : '--free';
}

function stroke(context: CanvasRenderingContext2D, lines: Point[][], color: string, width: number): void {
  context.strokeStyle = color;
  context.lineWidth = width;
  context.beginPath();
  for (const [from, to] of lines) {
    context.moveTo(from!.x, from!.y);
    context.lineTo(to!.x, to!.y);
  }
  context.stroke();
}

function trail(context: CanvasRenderingContext2D, camera: Camera, courier: Courier, shownMs: number, color: string, opacity: number): void {
  const points = courier.trail(shownMs).map((place) => camera.toPixel(place));
  context.strokeStyle = color;
  context.lineWidth = 2.5;
  for (let at = 1; at < points.length; at++) {
    context.globalAlpha = (opacity * at) / points.length;
    context.beginPath();
    context.moveTo(points[at - 1]!.x, points[at - 1]!.y);
    context.lineTo(points[at]!.x, points[at]!.y);
    context.stroke();
  }
  context.globalAlpha = 1;
}

function dot(context: CanvasRenderingContext2D, camera: Camera, place: Point | undefined, color: string, radius: number): void {
  if (!place) return;
  const { x, y } = camera.toPixel(place);
  if (x < -20 || y < -20 || x > camera.width + 20 || y > camera.height + 20) return;
  context.fillStyle = color;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}

function ring(context: CanvasRenderingContext2D, camera: Camera, place: Point | undefined, color: string, radius: number): void {
  if (!place) return;
  const { x, y } = camera.toPixel(place);
  context.strokeStyle = color;
  context.lineWidth = 2;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.stroke();
}
