/**
 * The server's description of its game, and how values travel between it and the wasm core as flat
 * numbers.
 */

/** How a field is made up. */
export type FieldType = 'bool' | 'int' | 'float' | 'angle' | 'vec2' | 'vec3' | 'quat' | 'choice';

/** One named field. */
export interface Field {
  /** Its name in the game's rules. */
  readonly name: string;
  /** How it is made up. */
  readonly type: FieldType;
  /** Numbers it takes in a flat record: 1, or 2 to 4 for vectors and quaternions. */
  readonly components: number;
  /** Smallest value of a number or coordinate, where the type has one. */
  readonly min?: number;
  /** Largest value. */
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

/** The value of a field. */
export type FieldValue = boolean | number | Vec2 | Vec3 | Quat;

/** The components of vectors and quaternions. */
export const AXES = ['x', 'y', 'z', 'w'] as const;

/** Writes one record of numbers into an object with the fields of `kind`, reusing its vectors. */
export function readRecord(kind: Kind, flat: ArrayLike<number>, at: number, into: Record<string, unknown>): void {
  for (const field of kind.fields) {
    if (field.components === 1) {
      const value = flat[at]!;
      into[field.name] = field.type === 'bool' ? value >= 0.5 : value;
    } else {
      const vector = (into[field.name] ??= {}) as Record<string, number>;
      for (let axis = 0; axis < field.components; axis++) vector[AXES[axis]!] = flat[at + axis]!;
    }
    at += field.components;
  }
}

/** The input, or a command, as the numbers the core takes. */
export class RecordWriter {
  readonly #kind: Kind;
  readonly #noun: string;
  readonly #held: Record<string, FieldValue> = {};
  readonly #flat: Float64Array;

  /** Starts with nothing held, false and zero, or with what `before` held. Errors call it by its noun. */
  constructor(kind: Kind, { before, noun = 'the input' }: { before?: RecordWriter | undefined; noun?: string } = {}) {
    this.#kind = kind;
    this.#noun = noun;
    if (before) Object.assign(this.#held, before.#held);
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
      checkValue(this.#noun, field, value);
    }
    Object.assign(this.#held, Object.fromEntries(given) as Record<string, FieldValue>);
    let at = 0;
    for (const field of this.#kind.fields) {
      writeValue(field, this.#held[field.name], this.#flat, at);
      at += field.components;
    }
    return this.#flat;
  }

  #names(): string {
    return this.#kind.fields.map((field) => `"${field.name}"`).join(', ') || 'none';
  }
}

function checkValue(noun: string, field: Field, value: unknown): void {
  if (field.components === 1) {
    const fits = Number.isFinite(value) || (field.type === 'bool' && typeof value === 'boolean');
    if (!fits) throw new TypeError(`${noun} field "${field.name}" takes ${NOUNS[field.type]}, not ${String(value)}`);
    return checkRange(`${noun} field "${field.name}"`, field, Number(value));
  }
  for (const axis of AXES.slice(0, field.components)) {
    const part = (value as Record<string, unknown> | null)?.[axis];
    if (!Number.isFinite(part)) {
      throw new TypeError(`${noun} field "${field.name}" takes ${NOUNS[field.type]} with finite ${axis}`);
    }
    checkRange(`${noun} field "${field.name}.${axis}"`, field, part as number);
  }
}

/** Angles wrap, and a rotation is what its four numbers are in proportion. */
function checkRange(name: string, { type, min, max, step = 1 }: Field, value: number): void {
  if (type === 'angle' || type === 'quat' || min === undefined || max === undefined) return;
  // What is off by no more than rounding is meant to be at the end of the range.
  const slack = type === 'float' || type === 'vec2' || type === 'vec3' ? step / 2 : 0;
  if (value >= min - slack && value <= max + slack) return;
  throw new RangeError(`${name} takes ${min} to ${max}, not ${value}`);
}

const NOUNS: Record<FieldType, string> = {
  bool: 'a bool',
  int: 'an int',
  float: 'a float',
  angle: 'an angle',
  vec2: 'a vec2',
  vec3: 'a vec3',
  quat: 'a quat',
  choice: 'a choice',
};

function writeValue(field: Field, value: FieldValue | undefined, flat: Float64Array, at: number): void {
  if (field.components === 1) {
    flat[at] = Number(value ?? 0);
    return;
  }
  const vector = value as Record<string, number> | undefined;
  const rest = field.type === 'quat' ? 1 : 0;
  for (let axis = 0; axis < field.components; axis++) {
    flat[at + axis] = vector?.[AXES[axis]!] ?? (axis === 3 ? rest : 0);
  }
}
