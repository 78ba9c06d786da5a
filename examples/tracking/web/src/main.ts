// Tracking: a thousand couriers on a map, by the topics of a server without a game.
import { Camera, tilesIn } from './camera';
import type { CityMap } from './city';
import { moveByHand } from './controls';
import { Picture } from './draw';
import { Feed, type FeedState } from './feed';
import { type Courier, Fleet } from './fleet';

const TILE_M = 1000;
/** Tiles are followed that are seen, and so many metres around. */
const MARGIN_M = 120;
const FIGURES_MS = 500;

const byId = <E extends HTMLElement = HTMLElement>(id: string) => document.getElementById(id) as E;
const canvas = byId<HTMLCanvasElement>('map');
const fleet = new Fleet();
let view: { map: CityMap; camera: Camera; picture: Picture } | undefined;
let chosen: string | undefined;
let figures = { atMs: performance.now(), taken: 0 };

const feed = new Feed(fleet, showState, (map) => {
  const camera = view?.camera ?? new Camera(map.size);
  const isFirst = !view;
  view = { map, camera, picture: new Picture(canvas, map) };
  resize();
  if (isFirst) camera.zoom(2.6);
});

function showState(state: FeedState, text: string): void {
  byId('state').dataset.state = state;
  byId('state').textContent = text;
}

function resize(): void {
  const { clientWidth, clientHeight } = canvas;
  [canvas.width, canvas.height] = [clientWidth * devicePixelRatio, clientHeight * devicePixelRatio];
  view?.camera.resize(clientWidth, clientHeight);
}

function choose(courier: Courier | undefined): void {
  chosen = courier?.name;
  // Not in the next frame: until then the card would show the one before, or nothing.
  if (courier) showCard(courier);
  byId('card').hidden = !courier;
  if (courier) byId<HTMLInputElement>('follow').checked = true;
}

function showCard(courier: Courier): void {
  byId('name').textContent = `Courier ${courier.name.slice(1)}`;
  const does = courier.waits ? 'stops' : courier.hasParcel ? 'brings a parcel' : 'is free';
  byId('what').textContent = `${does} · ${(courier.speed * 3.6).toFixed(0)} km/h`;
}

function showFigures(nowMs: number, inSight: number): void {
  const ms = nowMs - figures.atMs;
  if (ms < FIGURES_MS) return;
  byId('seen').textContent = String(inSight);
  byId('tiles').textContent = String(feed.tiles);
  byId('rate').textContent = `${Math.round(((fleet.taken - figures.taken) * 1000) / ms)}/s`;
  figures = { atMs: nowMs, taken: fleet.taken };
}

function showScale(camera: Camera): void {
  const metres = [20, 50, 100, 200, 500, 1000, 2000].find((it) => it * camera.scale > 60) ?? 2000;
  const scale = byId('scale');
  scale.style.width = `${metres * camera.scale}px`;
  scale.firstElementChild!.textContent = metres < 1000 ? `${metres} m` : `${metres / 1000} km`;
}

function frame(nowMs: number): void {
  requestAnimationFrame(frame);
  if (!view) return;
  const { map, camera, picture } = view;
  fleet.sweep(nowMs);
  const shownMs = fleet.shownMs(nowMs);
  const courier = chosen === undefined ? undefined : fleet.couriers.get(chosen);
  if (courier) {
    const place = courier.at(shownMs);
    if (place && byId<HTMLInputElement>('follow').checked) camera.lookAt(place);
    showCard(courier);
  } else if (chosen !== undefined) byId('what').textContent = 'out of sight';
  const { left, top, right, bottom } = camera.seen;
  const around = { left: left - MARGIN_M, top: top - MARGIN_M, right: right + MARGIN_M, bottom: bottom + MARGIN_M };
  feed.want(tilesIn(around, map.size, TILE_M), nowMs);
  const inSight = [...fleet.couriers.values()].filter((it) => {
    const place = it.at(shownMs);
    return place && place.x > left && place.x < right && place.y > top && place.y < bottom;
  });
  picture.draw(camera, inSight, courier, shownMs);
  showFigures(nowMs, inSight.length);
  showScale(camera);
}

/** Chooses the courier under a pixel, or none. */
function pick(x: number, y: number): void {
  if (!view) return;
  const shownMs = fleet.shownMs(performance.now());
  let [nearest, distance]: [Courier | undefined, number] = [undefined, 22];
  for (const courier of fleet.couriers.values()) {
    const place = courier.at(shownMs);
    if (!place) continue;
    const pixel = view.camera.toPixel(place);
    const apart = Math.hypot(pixel.x - x, pixel.y - y);
    if (apart < distance) [nearest, distance] = [courier, apart];
  }
  choose(nearest);
}

moveByHand(canvas, {
  camera: () => view?.camera,
  pick,
  moved: () => (byId<HTMLInputElement>('follow').checked = false),
  next: () => {
    const names = [...fleet.couriers.keys()].sort();
    const next = names[(names.indexOf(chosen ?? '') + 1) % names.length];
    choose(next === undefined ? undefined : fleet.couriers.get(next));
  },
  leave: () => choose(undefined),
});
byId('closer').onclick = () => view?.camera.zoom(1.6);
byId('farther').onclick = () => view?.camera.zoom(1 / 1.6);
byId('whole').onclick = () => view?.camera.zoom(0.001);
byId('close').onclick = () => choose(undefined);
addEventListener('resize', resize);
Object.assign(globalThis, { tracking: { fleet, feed, view: () => view, choose } });
requestAnimationFrame(frame);
void feed.run();
