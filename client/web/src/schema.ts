/**
 * The server's description of its game, and how values travel between it and the wasm core as flat
 * numbers.
 */
import { checkValue, readValue, writeValue } from './value.js';

/** How a field is made up. */
export type FieldType = 'bool' | 'int' | 'float' | 'angle' | 'vec2' | 'vec3' | 'quat' | 'choice' | 'text';

/** One named field. */
export interface Field {
  /** Its name in the game's rules. */
  readonly name: string;
  /** How a value of it is made up. */
  readonly type: FieldType;
  /** Numbers it takes in a flat record, all its values and whether there are any included. */
  readonly components: number;
  /** Whether it may be null. */
  readonly optional?: boolean;
  /** How many values it has, where it is an array. */
  readonly length?: number | undefined;
  /** Smallest value of a number or coordinate, where the type has one. */
  readonly min?: number;
  /** Largest value; of a text, the most bytes of UTF-8. */
  readonly max?: number;
  /** Distance between two neighbouring values. */
  readonly step?: number;
  /** What the values of a choice are called: the enum, and its variants in the order of their indices. */
  readonly choice?: { readonly name: string; readonly variants: readonly string[] } | undefined;
}

/** The input, one kind of entity, of event, or of command. */
export interface Kind {
  /** Its name in the game's rules. */
  readonly name: string;
  /** Its fields in order. */
  readonly fields: readonly Field[];
}

/** Everything the server says about its game. */
export interface Schema {
  /** The game's name. */
  readonly game: string;
  /** Ticks a second. */
  readonly tickHz: number;
  /** What a player holds down. */
  readonly input: Kind;
  /** The kinds of entity, by number. */
  readonly entities: readonly Kind[];
  /** The kinds of event, by number. */
  readonly events: readonly Kind[];
  /** The kinds of command, by number. */
  readonly commands: readonly Kind[];
}

/** A point or direction in the plane. */
export interface Vec2 {
  x: number;
  y: number;
}

/** A point or direction in space. */
export interface Vec3 {
  x: number;
  y: number;
  z: number;
}

/** A rotation. */
export interface Quat {
  x: number;
  y: number;
  z: number;
  w: number;
}

/**
 * The value of a field: of an enum the name of its variant, of an optional field maybe null, of an array as many as it has.
 * A field that nobody has set is false, zero, the first variant, null, or empty.
 */
export type FieldValue = boolean | number | string | null | Vec2 | Vec3 | Quat | readonly FieldValue[];

/** Writes one record of numbers into an object with the fields of `kind`, reusing its vectors. */
export function readRecord(kind: Kind, flat: ArrayLike<number>, at: number, into: Record<string, unknown>): void {
  for (const field of kind.fields) {
    into[field.name] = readValue(field, flat, at, into[field.name]);
    at += field.components;
  }
}

/** The input, or a command, as the numbers the core takes. */
export class RecordWriter {
  readonly #kind: Kind;
  readonly #noun: string;
  readonly #held: Record<string, FieldValue> = {};
  readonly #flat: Float64Array;

  /** Starts with nothing set; `noun` is what errors call the record. */
  constructor(kind: Kind, noun = 'the input') {
    this.#kind = kind;
    this.#noun = noun;
    this.#flat = new Float64Array(kind.fields.reduce((sum, field) => sum + field.components, 0));
  }

  /**
   * Holds `changes` on top of what is held already, and gives all of it back as numbers.
   *
   * Throws a `TypeError` that names the field for one the game does not have, or a value that does not fit its type, and
   * a `RangeError` for one that is beyond its range by more than half a step. Then nothing is changed.
   */
  write(changes: object): Float64Array {
    const given = Object.entries(changes).filter(([, value]) => value !== undefined);
    for (const [name, value] of given) {
      const field = this.#kind.fields.find((field) => field.name === name);
      if (!field) throw new TypeError(`${this.#noun} has no field "${name}"; it has ${this.#names()}`);
      checkValue(this.#noun, name, field, value);
    }
    Object.assign(this.#held, Object.fromEntries(given) as Record<string, FieldValue>);
    let at = 0;
    for (const field of this.#kind.fields) {
      writeValue(field, this.#held[field.name], this.#flat, at);
      at += field.components;
    }
    return this.#flat;
  }

  /** As {@link write}, of all fields at once. Throws a `TypeError` that names one that is missing, unless it `mayLack` it. */
  writeAll(fields: object, mayLack: (name: string) => boolean): Float64Array {
    const given = fields as Record<string, unknown>;
    const missing = this.#kind.fields.find(({ name }) => given[name] === undefined && !mayLack(name));
    if (missing) throw new TypeError(`${this.#noun} lacks its field "${missing.name}"; it has ${this.#names()}`);
    return this.write(fields);
  }

  #names(): string {
    return this.#kind.fields.map((field) => `"${field.name}"`).join(', ') || 'none';
  }
}
