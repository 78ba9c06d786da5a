import type { Container } from 'pixi.js';
import type { Vec2 } from 'tickwire';
import { type AsteroidSize, type Gift, ROCK_RADII } from '../game';
import { DUST, EMBER, OVERDRIVE, REPAIR } from '../palette';
import { Particles } from './particles';
import type { Textures } from './textures';

/** Explosions, glows and smoke. They are random, as nothing else depends on them. */
export class Effects {
  readonly #sparks: Particles;
  readonly #glows: Particles;
  readonly #rings: Particles;

  /** Adds itself to the world, above what is there. */
  constructor(world: Container, textures: Textures) {
    this.#glows = new Particles(textures.glow);
    this.#rings = new Particles(textures.ring);
    this.#sparks = new Particles(textures.spark);
    world.addChild(this.#glows.container, this.#rings.container, this.#sparks.container);
  }

  /** Advances all effects. */
  draw(seconds: number): void {
    this.#glows.draw(seconds);
    this.#rings.draw(seconds);
    this.#sparks.draw(seconds);
  }

  /** A ship is lost. */
  explosion({ x, y }: Vec2, color: number): void {
    this.#glows.add({ x, y, life: 0.35, size: 420, sizeEnd: 120, color: 0xffffff });
    this.#glows.add({ x, y, life: 0.9, size: 300, sizeEnd: 200, color, alpha: 0.9 });
    this.#rings.add({ x, y, life: 0.7, size: 20, sizeEnd: 420, color, alpha: 0.9 });
    this.#rings.add({ x, y, life: 0.45, size: 10, sizeEnd: 220, color: EMBER, alpha: 0.8 });
    this.#burst({ x, y }, 44, { speed: 460, life: 1, size: 19, color: EMBER });
    this.#burst({ x, y }, 26, { speed: 280, life: 1.4, size: 22, color });
    for (let puff = 0; puff < 10; puff++) {
      const [angle, reach] = [Math.random() * 2 * Math.PI, Math.random() * 26];
      const speed = 20 + Math.random() * 60;
      const at = { x: x + Math.cos(angle) * reach, y: y + Math.sin(angle) * reach };
      const flight = { vx: Math.cos(angle) * speed, vy: Math.sin(angle) * speed };
      this.#glows.add({ ...at, ...flight, drag: 1, life: 0.8 + Math.random() * 0.7, size: 80, sizeEnd: 150, color: 0xff6a3c, alpha: 0.42 });
    }
  }

  /** A shot struck. */
  hit({ x, y }: Vec2, color: number): void {
    this.#glows.add({ x, y, life: 0.16, size: 80, sizeEnd: 30, color: 0xffffff });
    this.#burst({ x, y }, 9, { speed: 240, life: 0.45, size: 14, color });
  }

  /** A rock broke. */
  crack({ x, y }: Vec2, size: AsteroidSize): void {
    const radius = ROCK_RADII[size];
    const pieces = size === 'Large' ? 34 : size === 'Medium' ? 22 : 14;
    this.#glows.add({ x, y, life: 0.3, size: radius * 3, sizeEnd: radius, color: EMBER, alpha: 0.8 });
    this.#rings.add({ x, y, life: 0.5, size: radius, sizeEnd: radius * 4, color: DUST, alpha: 0.4 });
    this.#burst({ x, y }, pieces, { speed: 90 + radius * 2, life: 1, size: 16, color: DUST });
    this.#burst({ x, y }, pieces / 3, { speed: 200, life: 0.6, size: 14, color: EMBER });
  }

  /** A pickup was taken. */
  taken({ x, y }: Vec2, gift: Gift): void {
    const color = gift === 'Overdrive' ? OVERDRIVE : REPAIR;
    this.#rings.add({ x, y, life: 0.5, size: 16, sizeEnd: 140, color });
    this.#glows.add({ x, y, life: 0.4, size: 120, sizeEnd: 40, color });
    this.#burst({ x, y }, 16, { speed: 130, life: 0.7, size: 15, color });
  }

  /** A gun fired. */
  muzzle({ x, y }: Vec2, color: number): void {
    this.#glows.add({ x, y, life: 0.09, size: 52, sizeEnd: 20, color });
  }

  /** A ship appears. */
  launch({ x, y }: Vec2, color: number): void {
    this.#rings.add({ x, y, life: 0.6, size: 180, sizeEnd: 30, color });
    this.#glows.add({ x, y, life: 0.5, size: 160, sizeEnd: 60, color });
  }

  /** An engine burns: a puff behind a ship. */
  exhaust(at: Vec2, vel: Vec2, heading: number, color: number): void {
    const angle = heading + Math.PI + (Math.random() - 0.5) * 0.5;
    const speed = 120 + Math.random() * 110;
    this.#sparks.add({
      x: at.x - Math.cos(heading) * 13,
      y: at.y - Math.sin(heading) * 13,
      vx: vel.x * 0.5 + Math.cos(angle) * speed,
      vy: vel.y * 0.5 + Math.sin(angle) * speed,
      drag: 2.5,
      life: 0.3 + Math.random() * 0.3,
      size: 19,
      sizeEnd: 5,
      color: Math.random() < 0.4 ? 0xffffff : color,
      alpha: 0.7,
    });
  }

  #burst({ x, y }: Vec2, pieces: number, of: { speed: number; life: number; size: number; color: number }): void {
    for (let piece = 0; piece < pieces; piece++) {
      const angle = Math.random() * 2 * Math.PI;
      const speed = of.speed * (0.15 + 0.85 * Math.random());
      this.#sparks.add({
        x,
        y,
        vx: Math.cos(angle) * speed,
        vy: Math.sin(angle) * speed,
        drag: 1.8,
        life: of.life * (0.4 + 0.6 * Math.random()),
        size: of.size * (0.6 + 0.8 * Math.random()),
        sizeEnd: 1,
        color: of.color,
        stretch: 1 + speed / 160,
      });
    }
  }
}
