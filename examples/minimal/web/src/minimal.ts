// Made by `npx tickwire types` of the schema that the server tells. To change it, run that again.
import type { Game, Vec2 } from 'tickwire';

/** The game "minimal", 60 ticks a second. */
export interface Minimal extends Game {
  /** What a player holds down. */
  input: {
    /** Whole, -1 to 1. */
    right: number;
    /** Whole, -1 to 1. */
    up: number;
  };
  /** What is seen. */
  entities: {
    Dot: {
      /** Each -100 to 100 in steps of 0.01. Changes by `vel` a second. */
      pos: Vec2;
      /** Each -20 to 20 in steps of 0.01. */
      vel: Vec2;
    };
  };
  /** What happens once. */
  events: {};
  /** What a player asks for once. */
  commands: {};
}

/** What this was made of. As the option `schema` of `connect`, it has a server of other rules told on the console. */
export const minimalSchema = {
  game: "minimal",
  input: { right: "int", up: "int" },
  entities: {
    Dot: { pos: "vec2", vel: "vec2" },
  },
  events: {},
  commands: {},
};
