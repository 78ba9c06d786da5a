/** The rules as this page needs them: names and shapes from `examples/arena/src/rules`. */
import type { Client, Entities, Entity, GameEvent } from 'tickwire';
import type { Arena, AsteroidSize, Gift, Team } from './arena';
import type { Roster } from './roster';

export type { Arena, AsteroidSize, Gift, Team };

/** A player's input: `turn` is -1 to the right at full rate, 1 to the left. */
export type Controls = Arena['input'];

/** A session of the arena. */
export type ArenaClient = Client<Arena>;
/** The visible entities of the arena. */
export type ArenaEntities = Entities<Arena>;
/** An event of the arena. */
export type ArenaEvent = GameEvent<Arena>;
/** A ship. */
export type Ship = Entity<Arena, 'Ship'>;
/** A rock. */
export type Asteroid = Entity<Arena, 'Asteroid'>;
/** A shot in flight. */
export type Shot = Entity<Arena, 'Shot'>;
/** An item to fly over. */
export type Pickup = Entity<Arena, 'Pickup'>;

/** The world is the square from minus this to this. */
export const WORLD_HALF = 2048;
/** Radii of rocks by size. */
export const ROCK_RADII: Readonly<Record<AsteroidSize, number>> = { Large: 60, Medium: 36, Small: 20 };
/** Radius of the world that the server shows around a ship. */
export const VIEW_RADIUS = 900;
/** Time from the loss of a ship to the next one. */
export const RESPAWN_MS = 3000;
/** Radians a ship turns in a tick at full rate. */
export const TURN_PER_TICK = (12 / 1024) * 2 * Math.PI;

/** The data for drawing one frame. */
export interface Frame {
  /** Time by `performance.now()`. */
  nowMs: number;
  /** Time since the previous frame, at most a tenth of a second. */
  seconds: number;
  /** The visible entities. */
  entities: ArenaEntities;
  /** This player's number. */
  player: number;
  /** The connection is lost, and another one is tried. */
  isReconnecting: boolean;
  /** This player's ship while it flies. */
  own: Ship | undefined;
  /** The ship in the middle: the own one, or for spectators that of the best pilot. */
  followed: Ship | undefined;
  /** Names and teams of players. */
  roster: Roster;
}
