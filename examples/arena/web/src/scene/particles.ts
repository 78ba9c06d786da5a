import { Particle, ParticleContainer, type Texture } from 'pixi.js';

const PARTICLES_MAX = 900;

/** The initial state and motion of a particle. Lengths are in units, times in seconds. */
export interface Spawn {
  x: number;
  y: number;
  vx?: number;
  vy?: number;
  /** Part of the speed lost in a second. */
  drag?: number;
  life: number;
  /** Diameter at the start and at the end. */
  size: number;
  sizeEnd?: number;
  color: number;
  alpha?: number;
  /** Length as a multiple of the width, along the flight. */
  stretch?: number;
}

interface Live extends Required<Spawn> {
  age: number;
  sprite: Particle;
}

/**
 * Short-lived lights: sparks, smoke, rings. All have one texture and are added to the light behind.
 */
export class Particles {
  /** Add it to the world. */
  readonly container: ParticleContainer;
  readonly #texture: Texture;
  readonly #live: Live[] = [];
  readonly #free: Particle[] = [];

  /** Starts without particles. */
  constructor(texture: Texture) {
    this.#texture = texture;
    this.container = new ParticleContainer({
      blendMode: 'add',
      texture,
      dynamicProperties: { position: true, vertex: true, rotation: true, color: true },
    });
  }

  /** Adds a particle, unless too many are alive. World y points up. */
  add(spawn: Spawn): void {
    if (this.#live.length >= PARTICLES_MAX) return;
    const sprite = this.#free.pop() ?? new Particle({ texture: this.#texture, anchorX: 0.5, anchorY: 0.5 });
    sprite.tint = spawn.color;
    this.container.addParticle(sprite);
    this.#live.push({
      vx: 0,
      vy: 0,
      drag: 0,
      sizeEnd: 0,
      alpha: 1,
      stretch: 1,
      ...spawn,
      age: 0,
      sprite,
    });
  }

  /** Advances all particles. */
  draw(seconds: number): void {
    for (let at = this.#live.length - 1; at >= 0; at--) {
      const one = this.#live[at]!;
      one.age += seconds;
      if (one.age < one.life) {
        this.#move(one, seconds);
        continue;
      }
      this.container.removeParticle(one.sprite);
      this.#free.push(one.sprite);
      this.#live[at] = this.#live.at(-1)!;
      this.#live.pop();
    }
  }

  #move(one: Live, seconds: number): void {
    const keep = Math.max(0, 1 - one.drag * seconds);
    one.vx *= keep;
    one.vy *= keep;
    one.x += one.vx * seconds;
    one.y += one.vy * seconds;
    const share = one.age / one.life;
    const size = (one.size + (one.sizeEnd - one.size) * (1 - (1 - share) ** 2)) / this.#texture.width;
    const { sprite } = one;
    sprite.x = one.x;
    sprite.y = -one.y;
    sprite.scaleX = size * one.stretch;
    sprite.scaleY = size;
    sprite.rotation = Math.atan2(-one.vy, one.vx);
    sprite.alpha = one.alpha * (1 - share) ** 1.5;
  }
}
