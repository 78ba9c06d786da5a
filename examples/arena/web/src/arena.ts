// Made by `npx tickwire types` of the schema that the server tells. To change it, run that again.
import type { Game, Vec2 } from 'tickwire';

/** The game "arena", 60 ticks a second. */
export interface Arena extends Game {
  /** What a player holds down. */
  input: {
    /** -1 to 1 in steps of 0.125. */
    turn: number;
    thrust: boolean;
    brake: boolean;
    fire: boolean;
  };
  /** What is seen. */
  entities: {
    Ship: {
      /** Each -2048 to 2048 in steps of 0.0625. Changes by `vel` a second. */
      pos: Vec2;
      /** Each -400 to 400 in steps of 0.25. */
      vel: Vec2;
      /** Radians, -π to π in steps of 0.00614. */
      heading: number;
      thrusting: boolean;
      shielded: boolean;
      overdrive: boolean;
      /** Whole, 0 to 100. */
      health: number;
      /** The index of one of 2 variants. */
      team: 0 | 1;
      /** Whole, 0 to 65535. */
      score: number;
      /** Whole, 0 to 65535. */
      kills: number;
      /** Whole, 0 to 65535. */
      deaths: number;
      /** Whole, 0 to 100. Told to its owner only. */
      heat: number;
    };
    Asteroid: {
      /** Each -2048 to 2048 in steps of 0.0625. Changes by `vel` a second. */
      pos: Vec2;
      /** Each -150 to 150 in steps of 3.75. */
      vel: Vec2;
      /** The index of one of 3 variants. */
      size: 0 | 1 | 2;
      /** -2 to 2 in steps of 0.125. */
      spin: number;
    };
    Shot: {
      /** Each -2048 to 2048 in steps of 0.0625. Changes by `vel` a second. */
      pos: Vec2;
      /** Each -1200 to 1200 in steps of 3.75. */
      vel: Vec2;
      /** The index of one of 2 variants. */
      team: 0 | 1;
    };
    Pickup: {
      /** Each -2048 to 2048 in steps of 1. */
      pos: Vec2;
      /** The index of one of 2 variants. */
      gift: 0 | 1;
    };
    Leader: {
      /** Whole, 0 to 7. */
      rank: number;
      /** Whole, 0 to 4294967295. */
      player: number;
      /** The index of one of 2 variants. */
      team: 0 | 1;
      /** Whole, 0 to 65535. */
      score: number;
      /** Each -2048 to 2048 in steps of 32. */
      pos: Vec2;
    };
    Round: {
      /** Whole, 0 to 65535. */
      azure: number;
      /** Whole, 0 to 65535. */
      amber: number;
      /** Whole, 0 to 65535. */
      seconds_left: number;
    };
  };
  /** What happens once. */
  events: {
    Hit: {
      /** Each -2048 to 2048 in steps of 1. */
      pos: Vec2;
      /** Whole, 0 to 4294967295. */
      victim: number;
    };
    Kill: {
      /** Each -2048 to 2048 in steps of 1. */
      pos: Vec2;
      /** Whole, 0 to 4294967295. */
      killer: number;
      /** Whole, 0 to 4294967295. */
      victim: number;
    };
    Crack: {
      /** Each -2048 to 2048 in steps of 1. */
      pos: Vec2;
      /** The index of one of 3 variants. */
      size: 0 | 1 | 2;
    };
    Taken: {
      /** Each -2048 to 2048 in steps of 1. */
      pos: Vec2;
      /** Whole, 0 to 4294967295. */
      player: number;
      /** The index of one of 2 variants. */
      gift: 0 | 1;
    };
    RoundOver: {
      /** Whole, 0 to 65535. */
      azure: number;
      /** Whole, 0 to 65535. */
      amber: number;
    };
  };
}
