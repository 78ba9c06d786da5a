/** The rules as this page needs them: names and shapes of `examples/arena/src/rules`. */
import type { Client, Entities, Entity, GameEvent } from 'tickwire';
import type { Arena } from './arena';
import type { Roster } from './roster';

export { AsteroidSize, Gift, Team } from './arena';
export type { Arena };

/** What a player holds down: `turn` is -1 to the right at full rate, 1 to the left. */
export type Controls = Arena['input'];

/** A session of the arena. */
export type ArenaClient = Client<Arena>;
/** What is seen of the arena. */
export type ArenaEntities = Entities<Arena>;
/** What happened in the arena. */
export type ArenaEvent = GameEvent<Arena>;
/** A ship. */
export type Ship = Entity<Arena, 'Ship'>;
/** A rock. */
export type Asteroid = Entity<Arena, 'Asteroid'>;
/** A shot in flight. */
export type Shot = Entity<Arena, 'Shot'>;
/** Something good to fly over. */
export type Pickup = Entity<Arena, 'Pickup'>;

/** The world is the square from minus this to this. */
export const WORLD_HALF = 2048;
/** Radii of rocks by size. */
export const ROCK_RADII: readonly number[] = [60, 36, 20];
/** How far the server shows the world around a ship. */
export const VIEW_RADIUS = 900;
/** From the loss of a ship to the next one. */
export const RESPAWN_MS = 3000;
/** Radians a ship turns in a tick at full rate. */
export const TURN_PER_TICK = (12 / 1024) * 2 * Math.PI;

/** What one frame is drawn from. */
export interface Frame {
  /** Of `performance.now()`. */
  nowMs: number;
  /** Since the frame before, at most a tenth of a second. */
  seconds: number;
  /** What is seen. */
  entities: ArenaEntities;
  /** This player's number. */
  player: number;
  /** This player's ship while it flies. */
  own: Ship | undefined;
  /** The ship in the middle: the own one, or for who only watches that of the best pilot. */
  followed: Ship | undefined;
  /** Who is who. */
  roster: Roster;
}
