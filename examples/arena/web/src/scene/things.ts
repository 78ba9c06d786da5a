import { Container, Sprite } from 'pixi.js';
import { type Asteroid, type Frame, type Pickup, ROCK_RADII, type Shot } from '../game';
import { OVERDRIVE, REPAIR, TEAM_COLORS } from '../palette';
import type { Effects } from './effects';
import { ROCK_SHAPES, type Textures } from './textures';
import { Views } from './views';

/** Texture size of a rock relative to its diameter: its drawing leaves a margin. */
const ROCK_MARGIN = 2.3 / 2;

interface Lit {
  body: Container;
  spinning: Sprite;
  light: Sprite;
}

/** Rocks, shots and pickups. */
export class Things {
  readonly #rocks: Views<Asteroid, Lit>;
  readonly #shots: Views<Shot, Sprite>;
  readonly #pickups: Views<Pickup, Lit>;
  readonly #effects: Effects;

  /** Adds itself to the world. */
  constructor(world: Container, textures: Textures, effects: Effects) {
    this.#effects = effects;
    const [rocks, shots, pickups] = [new Container(), new Container(), new Container()];
    world.addChild(pickups, rocks, shots);
    const remove = ({ body }: Lit) => body.destroy({ children: true });
    this.#rocks = new Views<Asteroid, Lit>((rock) => makeRock(rocks, textures, rock), remove);
    this.#pickups = new Views<Pickup, Lit>((pickup) => makePickup(pickups, textures, pickup), remove);
    this.#shots = new Views<Shot, Sprite>((shot) => makeShot(shots, textures, shot), (sprite) => sprite.destroy());
  }

  /** Draws all things. */
  draw({ entities, nowMs }: Frame): void {
    this.#rocks.sync(entities.of('Asteroid'), ({ body, spinning }, { pos, spin, id, presence }) => {
      body.alpha = presence;
      body.position.set(pos.x, -pos.y);
      spinning.rotation = id - (spin * nowMs) / 1000;
    });
    // A shot is fired, or flies in from beyond the screen: there is nothing to fade.
    const fired = entities.of('Shot').filter(({ presence }) => presence > 0);
    this.#shots.sync(fired, (sprite, { pos, vel, team }, fresh) => {
      sprite.position.set(pos.x, -pos.y);
      sprite.rotation = Math.atan2(-vel.y, vel.x);
      if (fresh) this.#effects.muzzle(pos, TEAM_COLORS[team]);
    });
    this.#pickups.sync(entities.of('Pickup'), ({ body, spinning, light }, { pos, id, presence }) => {
      body.alpha = presence;
      const phase = nowMs / 420 + id;
      body.position.set(pos.x, -pos.y + 3 * Math.sin(phase));
      spinning.setSize(26 * Math.abs(Math.cos(phase * 0.7)) + 4, 30);
      light.alpha = 0.5 + 0.2 * Math.sin(phase * 1.7);
    });
  }
}

function makeRock(layer: Container, textures: Textures, { id, size }: Asteroid): Lit {
  const radius = ROCK_RADII[size];
  const texture = textures.rocks[size][id % ROCK_SHAPES]!;
  const spinning = new Sprite({ texture, anchor: 0.5 });
  spinning.setSize(radius * 2 * ROCK_MARGIN);
  const light = new Sprite({ texture: textures.shade, anchor: 0.5 });
  light.setSize(radius * 2.12);
  return lit(layer, spinning, light, [spinning, light]);
}

function makePickup(layer: Container, textures: Textures, { gift }: Pickup): Lit {
  const color = gift === 'Overdrive' ? OVERDRIVE : REPAIR;
  const spinning = new Sprite({ texture: textures.crystal, anchor: 0.5, tint: color });
  const light = new Sprite({ texture: textures.glow, anchor: 0.5, tint: color, blendMode: 'add' });
  light.setSize(110);
  return lit(layer, spinning, light, [light, spinning]);
}

function lit(layer: Container, spinning: Sprite, light: Sprite, order: Sprite[]): Lit {
  const body = new Container();
  body.addChild(...order);
  layer.addChild(body);
  return { body, spinning, light };
}

function makeShot(layer: Container, textures: Textures, { team }: Shot): Sprite {
  const sprite = new Sprite({ texture: textures.bolt, anchor: { x: 0.82, y: 0.5 }, blendMode: 'add' });
  sprite.setSize(58, 22);
  sprite.tint = TEAM_COLORS[team];
  layer.addChild(sprite);
  return sprite;
}
