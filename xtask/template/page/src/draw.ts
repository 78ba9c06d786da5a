import type { Client } from 'tickwire';
import type { MyGame, Team } from './types';

/** Half of the plane's side, in units: `HALF` of the rules. */
const HALF = 50;
const COLOURS: Record<Team, string> = { Red: '#ff7a6b', Blue: '#6bb2ff' };
const pen = document.querySelector('canvas')!.getContext('2d')!;

/** Draws what is seen. */
export function draw({ entities, members }: Client<MyGame>): void {
  const { width, height, clientWidth } = pen.canvas;
  /** Letters of 14 pixels or more, however small the canvas is shown. */
  const letters = Math.max(24, (14 * width) / clientWidth);
  pen.clearRect(0, 0, width, height);
  for (const coin of entities.of('Coin')) dot(coin.pos, 12, 'gold', coin.presence);
  for (const runner of entities.of('Runner')) {
    const { x, y } = dot(runner.pos, runner.mine ? 20 : 16, COLOURS[runner.team], runner.presence);
    pen.lineWidth = 4;
    pen.strokeStyle = '#f4f7ff';
    if (runner.mine) pen.stroke();
    pen.fillStyle = COLOURS[runner.team];
    pen.font = `${letters}px system-ui, sans-serif`;
    pen.textAlign = x < 150 ? 'left' : x > width - 150 ? 'right' : 'center';
    pen.fillText(`${members.get(runner.id)?.name ?? ''} · ${runner.coins}`, x, y < 70 ? y + 28 + letters : y - 30);
  }
  pen.globalAlpha = 1;
}

function dot(pos: { x: number; y: number }, radius: number, colour: string, presence: number): { x: number; y: number } {
  const x = (pos.x / HALF + 1) * (pen.canvas.width / 2);
  const y = (1 - pos.y / HALF) * (pen.canvas.height / 2);
  pen.globalAlpha = presence;
  pen.fillStyle = colour;
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fill();
  return { x, y };
}
