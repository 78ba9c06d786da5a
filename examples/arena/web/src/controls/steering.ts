import { type Controls, TURN_PER_TICK } from '../game';

/** The position of a virtual stick: right and up are positive, 1 is the maximum. */
export interface Stick {
  x: number;
  y: number;
}

const DEAD_ZONE = 0.18;
const THRUST_FROM = 0.55;
/**
 * Ticks in which a turn may be completed: turning slows down in advance, so that the nose does not
 * swing.
 */
const SETTLE_TICKS = 6;

/** The input that flies in the direction of the stick. */
export function steer(stick: Stick, heading: number): Pick<Controls, 'turn' | 'thrust'> {
  const reach = Math.hypot(stick.x, stick.y);
  if (reach < DEAD_ZONE) return { turn: 0, thrust: false };
  const error = wrap(Math.atan2(stick.y, stick.x) - heading);
  const turn = Math.max(-1, Math.min(1, error / (TURN_PER_TICK * SETTLE_TICKS)));
  return { turn, thrust: reach > THRUST_FROM && Math.abs(error) < Math.PI / 2 };
}

/** The same angle from -π to π. */
export function wrap(angle: number): number {
  return angle - 2 * Math.PI * Math.round(angle / (2 * Math.PI));
}
