/** One value of a field, as a page has it and as the flat numbers of the core. */
import type { Field, FieldValue } from './schema.js';

/** The components of vectors and quaternions. */
export const AXES = ['x', 'y', 'z', 'w'] as const;

/** Most names of variants that an error lists. */
const NAMES_MAX = 16;

/** The value that stands at `at`; reuses the object of `before`. */
export function readValue(field: Field, flat: ArrayLike<number>, at: number, before: unknown): FieldValue {
  const first = flat[at]!;
  if (field.components > 1) {
    const vector = (before ?? {}) as Record<string, number>;
    for (let axis = 0; axis < field.components; axis++) vector[AXES[axis]!] = flat[at + axis]!;
    return vector as unknown as FieldValue;
  }
  if (field.type === 'bool') return first >= 0.5;
  return field.type === 'choice' ? (field.choice?.variants[first] ?? first) : first;
}

/** Writes a value that {@link checkValue} passed, or that of a field that nobody has set: false, zero, the first variant. */
export function writeValue(field: Field, value: FieldValue | undefined, flat: Float64Array, at: number): void {
  if (field.components === 1) {
    flat[at] = value === undefined ? 0 : numberOf(field, value);
    return;
  }
  const vector = value as Record<string, number> | undefined;
  const rest = field.type === 'quat' ? 1 : 0;
  for (let axis = 0; axis < field.components; axis++) {
    flat[at + axis] = vector?.[AXES[axis]!] ?? (axis === 3 ? rest : 0);
  }
}

/**
 * Throws a `TypeError` for a value that is not of the field's type, a `RangeError` for one beyond its range. They call the
 * value the field `path` of the `noun`.
 */
export function checkValue(noun: string, path: string, field: Field, value: unknown): void {
  const name = `${noun} field "${path}"`;
  if (field.components === 1) {
    const number = field.type === 'bool' && typeof value === 'boolean' ? 0 : numberOf(field, value, Number.NaN);
    if (!Number.isFinite(number)) throw new TypeError(`${name} takes ${nounOf(field)}, not ${shown(value)}`);
    return checkRange(name, field, number);
  }
  for (const axis of AXES.slice(0, field.components)) {
    const part = (value as Record<string, unknown> | null)?.[axis];
    if (!Number.isFinite(part)) throw new TypeError(`${name} takes ${nounOf(field)} with finite ${axis}`);
    checkRange(`${noun} field "${path}.${axis}"`, field, part as number);
  }
}

/**
 * Writes a value that a step of the game left, as numbers that the server's types hold; a value out of range becomes the
 * nearest later on. Throws a `TypeError` for what is no value of the field.
 */
export function roundValue(field: Field, value: unknown, flat: Float64Array, at: number): void {
  for (let axis = 0; axis < field.components; axis++) {
    const part = field.components === 1 ? value : (value as Record<string, unknown> | undefined)?.[AXES[axis]!];
    const number = rounded(field, numberOf(field, part));
    if (!Number.isFinite(number)) throw new TypeError(`"${field.name}" is ${shown(value)} after it, which is ${notOf(field)}`);
    flat[at + axis] = number;
  }
}

/** A value whose objects are not those of `value`. */
export function copyOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? { ...value } : value;
}

/** What a field takes, for a person. */
function nounOf({ type, choice }: Field): string {
  if (choice) return `one of ${namesOf(choice.variants)}`;
  return type === 'int' || type === 'angle' ? `an ${type}` : `a ${type}`;
}

function notOf(field: Field): string {
  return field.choice ? `not ${nounOf(field)}` : `no ${field.type}`;
}

function namesOf(variants: readonly string[]): string {
  const named = variants.slice(0, NAMES_MAX).map((name) => `"${name}"`).join(', ');
  const more = variants.length - NAMES_MAX;
  return more > 0 ? `${named} and ${more} more` : named;
}

/** `otherwise` for what must be a number and is none; a step of the game may leave what JavaScript makes one of. */
function numberOf({ choice }: Field, value: unknown, otherwise?: number): number {
  if (choice) {
    const index = typeof value === 'string' ? choice.variants.indexOf(value) : -1;
    return index < 0 ? Number.NaN : index;
  }
  return typeof value === 'number' ? value : (otherwise ?? Number(value ?? Number.NaN));
}

function rounded({ type }: Field, value: number): number {
  return type === 'bool' || type === 'int' || type === 'choice' ? Math.round(value) : Math.fround(value);
}

/** Angles wrap, and a rotation is what its four numbers are in proportion. */
function checkRange(name: string, { type, min, max, step = 1 }: Field, value: number): void {
  if (type === 'angle' || type === 'quat' || min === undefined || max === undefined) return;
  // What is off by no more than rounding is meant to be at the end of the range.
  const slack = type === 'float' || type === 'vec2' || type === 'vec3' ? step / 2 : 0;
  if (value >= min - slack && value <= max + slack) return;
  throw new RangeError(`${name} takes ${min} to ${max}, not ${value}`);
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value !== 'object' || value === null) return String(value);
  return `{ ${Object.entries(value).map(([axis, part]) => `${axis}: ${String(part)}`).join(', ')} }`;
}
