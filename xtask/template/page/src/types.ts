// Made by `npx tickwire types` of the schema that the server tells. To change it, run that again.
import type { Game, Vec2 } from 'tickwire';

/** The game "my-game", 60 ticks a second. */
export interface MyGame extends Game {
  /** What a player holds down. */
  input: {
    /** Whole, -1 to 1. */
    right: number;
    /** Whole, -1 to 1. */
    up: number;
  };
  /** What is seen. */
  entities: {
    Runner: {
      /** Each -50 to 50 in steps of 0.01. Changes by `vel` a second. */
      pos: Vec2;
      /** Each -20 to 20 in steps of 0.01. */
      vel: Vec2;
      /** Whole, 0 to 9999. */
      coins: number;
      team: Team;
    };
    Coin: {
      /** Each -50 to 50 in steps of 0.5. */
      pos: Vec2;
    };
  };
  /** What happens once. */
  events: {
    Collected: {
      /** Whole, 0 to 4294967295. */
      by: number;
    };
  };
  /** What a player asks for once. */
  commands: {
    ChangeTeam: {
      team: Team;
    };
  };
}

export type Team = 'Red' | 'Blue';

/** What this was made of. As the option `schema` of `connect`, it has a server of other rules told on the console. */
export const myGameSchema = {
  game: "my-game",
  input: { right: "int", up: "int" },
  entities: {
    Runner: { pos: "vec2", vel: "vec2", coins: "int", team: "choice of Red, Blue" },
    Coin: { pos: "vec2" },
  },
  events: {
    Collected: { by: "int" },
  },
  commands: {
    ChangeTeam: { team: "choice of Red, Blue" },
  },
};
