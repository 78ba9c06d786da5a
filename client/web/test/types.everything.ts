// Made by `npx tickwire types` of the schema that the server tells. To change it, run that again.
import type { Game, Quat, Vec3 } from 'tickwire';

/** The game "space-race 2 *\/", 30 ticks a second. */
export interface SpaceRace2 extends Game {
  /** What a player holds down. */
  input: {
    /** Whole, -1 to 4294967295. */
    gear: number;
    fire: boolean;
  };
  /** What is seen. */
  entities: {
    Racer: {
      /** Each -0.3 to 100.1 in steps of 0.01. Changes by `vel` a second. */
      pos: Vec3;
      /** Each -20 to 20 in steps of 0.01. */
      vel: Vec3;
      /** A rotation. */
      turned: Quat;
      /** Radians, -π to π in steps of 0.00614. */
      heading: number;
      /** 0 to 1 in steps of 0.125. Told to its owner only. */
      fuel: number;
      /** The index of one of 3 variants. */
      tyres: 0 | 1 | 2;
      /** The index of one of 200 variants. Told to its owner only. */
      country: number;
    };
    Flag: {};
  };
  /** What happens once. */
  events: {};
}
