import type { Vec2 } from 'tickwire';
import { VIEW_RADIUS } from '../game';

/** Rate, per second, at which the camera approaches its target. */
const STIFFNESS = 6;
/** Seconds of flight that the camera looks ahead. */
const LEAD_SECONDS = 0.32;
/** The farthest corner of the screen must lie within the shown world. */
const SEEN = VIEW_RADIUS * 0.93;
/** On small screens the visible area shrinks, not the ships. */
const SCALE_MIN = 0.72;
const SHAKE_PER_SECOND = 2.4;
const SHAKE_PIXELS = 26;

/** The screen's place in the world. World y points up, screen y down. */
export class Camera {
  /** The middle of the screen, in world units. */
  x = 0;
  y = 0;
  /** Pixels per unit. */
  scale = 1;
  /** Size of the screen in pixels. */
  width = 1;
  height = 1;
  /** Offset by shaking, in pixels. */
  shakeX = 0;
  shakeY = 0;
  #shake = 0;

  /** Sets the size of the screen. */
  resize(width: number, height: number): void {
    this.width = width;
    this.height = height;
    this.scale = Math.max(SCALE_MIN, Math.hypot(width, height) / 2 / SEEN);
  }

  /** Moves to its target at once. */
  jump(to: Vec2): void {
    this.x = to.x;
    this.y = to.y;
  }

  /** Moves towards the target; stays without one. */
  follow(target: { pos: Vec2; vel: Vec2 } | undefined, seconds: number, nowMs: number): void {
    if (target) {
      const x = target.pos.x + target.vel.x * LEAD_SECONDS;
      const y = target.pos.y + target.vel.y * LEAD_SECONDS;
      if (Math.hypot(x - this.x, y - this.y) > VIEW_RADIUS) this.jump(target.pos);
      const share = 1 - Math.exp(-STIFFNESS * seconds);
      this.x += (x - this.x) * share;
      this.y += (y - this.y) * share;
    }
    this.#shake = Math.max(0, this.#shake - SHAKE_PER_SECOND * seconds);
    const reach = this.#shake ** 2 * SHAKE_PIXELS;
    this.shakeX = Math.sin(nowMs * 0.083) * reach;
    this.shakeY = Math.cos(nowMs * 0.107) * reach;
  }

  /** Shakes with a strength of up to 1. */
  shake(strength: number): void {
    this.#shake = Math.min(1, Math.max(this.#shake, strength));
  }

  /** The pixels from the left and top for a place in the world. */
  toScreen(at: Vec2): Vec2 {
    return {
      x: this.width / 2 + this.shakeX + (at.x - this.x) * this.scale,
      y: this.height / 2 + this.shakeY - (at.y - this.y) * this.scale,
    };
  }

  /** The nearness of a place to the middle: 1 there, 0 outside the screen. */
  nearness(at: Vec2): number {
    const reach = Math.hypot(this.width, this.height) / 2 / this.scale;
    return Math.max(0, 1 - Math.hypot(at.x - this.x, at.y - this.y) / reach);
  }
}
