/** The rules as this page needs them: names and shapes of `examples/arena/src/rules`. */
import type { Client, Entities, Entity, Game, GameEvent, Vec2 } from 'tickwire';
import type { Roster } from './roster';

/** What a player holds down. */
export interface Controls {
  /** -1 turns right at full rate, 1 left. */
  turn: number;
  /** The engine pushes forward. */
  thrust: boolean;
  /** The ship slows down. */
  brake: boolean;
  /** The gun fires. */
  fire: boolean;
}

/** Whose side something is on. */
export const Team = { Azure: 0, Amber: 1 } as const;
/** How large a rock is. */
export const AsteroidSize = { Large: 0, Medium: 1, Small: 2 } as const;
/** What a pickup does. */
export const Gift = { Repair: 0, Overdrive: 1 } as const;

/** The game, for the types of `tickwire`. */
export interface Arena extends Game {
  input: Controls;
  entities: {
    Ship: {
      pos: Vec2;
      vel: Vec2;
      heading: number;
      thrusting: boolean;
      shielded: boolean;
      overdrive: boolean;
      health: number;
      team: number;
      score: number;
      kills: number;
      deaths: number;
      heat: number;
    };
    Asteroid: { pos: Vec2; vel: Vec2; size: number; spin: number };
    Shot: { pos: Vec2; vel: Vec2; team: number };
    Pickup: { pos: Vec2; gift: number };
    Leader: { rank: number; player: number; team: number; score: number; pos: Vec2 };
    Round: { azure: number; amber: number; seconds_left: number };
  };
  events: {
    Hit: { pos: Vec2; victim: number };
    Kill: { pos: Vec2; killer: number; victim: number };
    Crack: { pos: Vec2; size: number };
    Taken: { pos: Vec2; player: number; gift: number };
    RoundOver: { azure: number; amber: number };
  };
}

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
  /** Who is who. */
  roster: Roster;
}
