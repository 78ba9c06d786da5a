import { byId } from '../dom';
import { type Frame, ROCK_RADII, WORLD_HALF } from '../game';
import { css, OVERDRIVE, REPAIR, TEAM_COLORS } from '../palette';
import type { Camera } from '../scene/camera';

const EVERY_MS = 66;

/** A map of the whole world: visible things, and the approximate places of the best players. */
export class WorldMap {
  readonly #canvas = byId<HTMLCanvasElement>('map');
  readonly #pen = this.#canvas.getContext('2d');
  #lastMs = 0;

  /** Draws the map, about fifteen times a second. */
  draw(frame: Frame, camera: Camera): void {
    if (frame.nowMs - this.#lastMs < EVERY_MS || !this.#pen) return;
    this.#lastMs = frame.nowMs;
    const side = this.#canvas.clientWidth * Math.min(devicePixelRatio, 2);
    if (this.#canvas.width !== side) this.#canvas.width = this.#canvas.height = side;
    const pen = this.#pen;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, side, side);
    const scale = side / (2 * WORLD_HALF) / 1.04;
    pen.setTransform(scale, 0, 0, -scale, side / 2, side / 2);
    const unit = 1 / scale;
    drawGround(pen, camera, unit);
    drawSeen(pen, frame, unit);
    drawOwn(pen, frame, unit);
  }
}

type Pen = CanvasRenderingContext2D;

function drawGround(pen: Pen, camera: Camera, unit: number): void {
  pen.lineWidth = unit;
  pen.strokeStyle = css(0xff5f86, 0.45);
  pen.strokeRect(-WORLD_HALF, -WORLD_HALF, 2 * WORLD_HALF, 2 * WORLD_HALF);
  pen.strokeStyle = css(0x6aa2ff, 0.16);
  pen.beginPath();
  pen.moveTo(0, -WORLD_HALF);
  pen.lineTo(0, WORLD_HALF);
  pen.moveTo(-WORLD_HALF, 0);
  pen.lineTo(WORLD_HALF, 0);
  pen.stroke();
  const [width, height] = [camera.width / camera.scale, camera.height / camera.scale];
  pen.strokeStyle = css(0xffffff, 0.3);
  pen.strokeRect(camera.x - width / 2, camera.y - height / 2, width, height);
}

function drawSeen(pen: Pen, { entities, player, roster }: Frame, unit: number): void {
  for (const { pos, size } of entities.of('Asteroid')) dot(pen, pos, Math.max(1.1 * unit, ROCK_RADII[size]), 0x8a8494, 0.75);
  for (const { pos, gift } of entities.of('Pickup')) dot(pen, pos, 2 * unit, gift === 'Repair' ? REPAIR : OVERDRIVE);
  for (const leader of entities.of('Leader')) {
    if (leader.player === player || entities.get(leader.player)?.kind === 'Ship') continue;
    ring(pen, leader.pos, 3 * unit, TEAM_COLORS[leader.team], unit);
  }
  for (const { pos, id } of entities.of('Ship')) {
    if (id !== player) dot(pen, pos, 2.4 * unit, TEAM_COLORS[roster.teamOf(id) ?? 'Azure']);
  }
}

function drawOwn(pen: Pen, { own }: Frame, unit: number): void {
  if (!own) return;
  pen.save();
  pen.translate(own.pos.x, own.pos.y);
  pen.rotate(own.heading);
  pen.fillStyle = '#fff';
  pen.beginPath();
  pen.moveTo(6 * unit, 0);
  pen.lineTo(-4 * unit, 3.6 * unit);
  pen.lineTo(-2 * unit, 0);
  pen.lineTo(-4 * unit, -3.6 * unit);
  pen.fill();
  pen.restore();
}

function dot(pen: Pen, at: { x: number; y: number }, radius: number, color: number, alpha = 1): void {
  pen.fillStyle = css(color, alpha);
  pen.beginPath();
  pen.arc(at.x, at.y, radius, 0, 2 * Math.PI);
  pen.fill();
}

function ring(pen: Pen, at: { x: number; y: number }, radius: number, color: number, width: number): void {
  pen.strokeStyle = css(color, 0.8);
  pen.lineWidth = 1.2 * width;
  pen.beginPath();
  pen.arc(at.x, at.y, radius, 0, 2 * Math.PI);
  pen.stroke();
}
