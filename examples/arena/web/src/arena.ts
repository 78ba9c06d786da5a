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
      team: Team;
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
      size: AsteroidSize;
      /** -2 to 2 in steps of 0.125. */
      spin: number;
    };
    Shot: {
      /** Each -2048 to 2048 in steps of 0.0625. Changes by `vel` a second. */
      pos: Vec2;
      /** Each -1200 to 1200 in steps of 3.75. */
      vel: Vec2;
      team: Team;
    };
    Pickup: {
      /** Each -2048 to 2048 in steps of 1. */
      pos: Vec2;
      gift: Gift;
    };
    Leader: {
      /** Whole, 0 to 7. */
      rank: number;
      /** Whole, 0 to 4294967295. */
      player: number;
      team: Team;
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
      size: AsteroidSize;
    };
    Taken: {
      /** Each -2048 to 2048 in steps of 1. */
      pos: Vec2;
      /** Whole, 0 to 4294967295. */
      player: number;
      gift: Gift;
    };
    RoundOver: {
      /** Whole, 0 to 65535. */
      azure: number;
      /** Whole, 0 to 65535. */
      amber: number;
    };
    TeamChange: {
      /** Whole, 0 to 4294967295. */
      player: number;
      team: Team;
      is_granted: boolean;
    };
  };
  /** What a player asks for once. */
  commands: {
    ChangeTeam: {};
  };
}

export type Team = 'Azure' | 'Amber';

export type AsteroidSize = 'Large' | 'Medium' | 'Small';

export type Gift = 'Repair' | 'Overdrive';

/** What this was made of. As the option `schema` of `connect`, it has a server of other rules told on the console. */
export const arenaSchema = {
  game: "arena",
  input: { turn: "float", thrust: "bool", brake: "bool", fire: "bool" },
  entities: {
    Ship: { pos: "vec2", vel: "vec2", heading: "angle", thrusting: "bool", shielded: "bool", overdrive: "bool", health: "int", team: "choice of Azure, Amber", score: "int", kills: "int", deaths: "int", heat: "int" },
    Asteroid: { pos: "vec2", vel: "vec2", size: "choice of Large, Medium, Small", spin: "float" },
    Shot: { pos: "vec2", vel: "vec2", team: "choice of Azure, Amber" },
    Pickup: { pos: "vec2", gift: "choice of Repair, Overdrive" },
    Leader: { rank: "int", player: "int", team: "choice of Azure, Amber", score: "int", pos: "vec2" },
    Round: { azure: "int", amber: "int", seconds_left: "int" },
  },
  events: {
    Hit: { pos: "vec2", victim: "int" },
    Kill: { pos: "vec2", killer: "int", victim: "int" },
    Crack: { pos: "vec2", size: "choice of Large, Medium, Small" },
    Taken: { pos: "vec2", player: "int", gift: "choice of Repair, Overdrive" },
    RoundOver: { azure: "int", amber: "int" },
    TeamChange: { player: "int", team: "choice of Azure, Amber", is_granted: "bool" },
  },
  commands: {
    ChangeTeam: {},
  },
};
