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
      tyres: Tyres;
      /** Told to its owner only. */
      spare: Tyres;
      wing: RacerWing;
      /** The index of one of 2 variants. */
      gearbox: 0 | 1;
      /** The index of one of 200 variants. Told to its owner only. */
      country: number;
      /** At most 16 bytes of UTF-8. */
      label: string;
      /** Each -1 to 1 in steps of 0.5. */
      aim: Vec3 | null;
      /** 3 values. Whole, 0 to 9. */
      laps: number[];
      /** 4 values, or none. */
      stock: Tyres[] | null;
    };
    Flag: {};
  };
  /** What happens once. */
  events: {};
  /** What a player asks for once. */
  commands: {
    Ready: {};
    Repair: {
      tyres: Tyres;
      /** Whole, 1 to 4. */
      wheels: number;
    };
  };
}

export type Tyres = 'Soft' | 'Medium' | 'Hard';

export type RacerWing = 'Up' | 'Down';

/** What this was made of. As the option `schema` of `connect`, it has a server of other rules told on the console. */
export const spaceRace2Schema = {
  game: "space-race 2 */",
  input: { gear: "int", fire: "bool" },
  entities: {
    Racer: { pos: "vec3", vel: "vec3", turned: "quat", heading: "angle", fuel: "float", tyres: "choice of Soft, Medium, Hard", spare: "choice of Soft, Medium, Hard", wing: "choice of Up, Down", gearbox: "choice", country: "choice", label: "text", aim: "vec3, or none", laps: "3 times int", stock: "4 times choice of Soft, Medium, Hard, or none" },
    Flag: {},
  },
  events: {},
  commands: {
    Ready: {},
    Repair: { tyres: "choice of Soft, Medium, Hard", wheels: "int" },
  },
};
