/** The value of a field, as a page has it and as the flat numbers of the core. */
import type { Field, FieldValue } from './schema.js';
import { encodeText, hasControlCharacter, readText, textBytes } from './text.js';

/** The components of vectors and quaternions. */
const AXES = ['x', 'y', 'z', 'w'] as const;

/** Most names of variants that an error lists. */
const NAMES_MAX = 16;

type Axes = Record<string, unknown> | null | undefined;

/** Reads the value that stands at `at`; reuses the objects of `before`. */
export function readValue(field: Field, flat: ArrayLike<number>, at: number, before: unknown): FieldValue {
  if (field.optional) {
    if (flat[at]! < 0.5) return null;
    at++;
  }
  if (field.length === undefined) return readOne(field, flat, at, before);
  const width = widthOf(field);
  const list = (Array.isArray(before) ? before : []) as FieldValue[];
  for (let number = 0; number < field.length; number++) list[number] = readOne(field, flat, at + number * width, list[number]);
  return list;
}

/** Writes a value that {@link checkValue} passed, or that of a field that nobody has set: see {@link FieldValue}. */
export function writeValue(field: Field, value: FieldValue | undefined, flat: Float64Array, at: number): void {
  forEach(field, value, flat, at, (one, at) => writeOne(field, one as FieldValue | undefined, flat, at));
}

/**
 * Throws a `TypeError` for a value that is not of the field's type, a `RangeError` for one beyond its range. They call the
 * value the field `path` of the `noun`.
 */
export function checkValue(noun: string, path: string, field: Field, value: unknown): void {
  if (value === null && field.optional) return;
  if (field.length === undefined) return checkOne(noun, path, field, value);
  if (!Array.isArray(value) || value.length !== field.length) {
    throw new TypeError(`${noun} field "${path}" takes an array of ${field.length}, each ${nounOf(field)}`);
  }
  value.forEach((one, number) => checkOne(noun, `${path}[${number}]`, field, one));
}

/**
 * Writes a value that a step of the game left, as numbers that the server's types hold; a value out of range becomes the
 * nearest later on. Throws a `TypeError` for what is no value of the field.
 */
export function roundValue(field: Field, value: unknown, flat: Float64Array, at: number): void {
  const isList = Array.isArray(value) && value.length === field.length;
  if (field.length !== undefined && !isList && !(field.optional && value == null)) {
    throw new TypeError(`"${field.name}" is ${shown(value)} after it, which is no array of ${field.length}`);
  }
  forEach(field, value, flat, at, (one, at) => roundOne(field, one, flat, at));
}

/** A value whose objects are not those of `value`. */
export function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyOf);
  return typeof value === 'object' && value !== null ? { ...value } : value;
}

/** Numbers of one value of the field. */
function widthOf({ components, optional, length = 1 }: Field): number {
  return (components - (optional ? 1 : 0)) / length;
}

/** Writes whether there are values, and has each of them written where it belongs. */
function forEach(field: Field, value: unknown, flat: Float64Array, at: number, write: (one: unknown, at: number) => void): void {
  if (field.optional) {
    const isThere = value !== null && value !== undefined;
    if (!isThere) return void flat.fill(0, at, at + field.components);
    flat[at++] = 1;
  }
  if (field.length === undefined) return write(value, at);
  const list = value as readonly unknown[] | undefined;
  for (let number = 0; number < field.length; number++) write(list?.[number], at + number * widthOf(field));
}

function readOne(field: Field, flat: ArrayLike<number>, at: number, before: unknown): FieldValue {
  const first = flat[at]!;
  switch (field.type) {
    case 'bool':
      return first >= 0.5;
    case 'choice':
      return field.choice?.variants[first] ?? first;
    case 'text':
      return readText(flat, at, before);
    case 'vec2':
    case 'vec3':
    case 'quat': {
      const vector = (before ?? {}) as Record<string, number>;
      for (const [number, axis] of axesOf(field).entries()) vector[axis] = flat[at + number]!;
      return vector as unknown as FieldValue;
    }
    default:
      return first;
  }
}

function writeOne(field: Field, value: FieldValue | undefined, flat: Float64Array, at: number): void {
  if (field.type === 'text') return encodeText((value as string | undefined) ?? '', field.max ?? 0, flat, at);
  const axes = axesOf(field);
  if (axes.length === 0) return void (flat[at] = value === undefined ? 0 : numberOf(field, value));
  const rest = field.type === 'quat' ? 1 : 0;
  axes.forEach((axis, number) => (flat[at + number] = ((value as Axes)?.[axis] as number | undefined) ?? (axis === 'w' ? rest : 0)));
}

function checkOne(noun: string, path: string, field: Field, value: unknown): void {
  const name = `${noun} field "${path}"`;
  if (field.type === 'text') return checkText(name, field, value);
  const axes = axesOf(field);
  if (axes.length === 0) {
    const number = field.type === 'bool' && typeof value === 'boolean' ? 0 : numberOf(field, value, Number.NaN);
    if (!Number.isFinite(number)) throw new TypeError(`${name} takes ${nounOf(field)}, not ${shown(value)}`);
    return checkRange(name, field, number);
  }
  for (const axis of axes) {
    const part = (value as Axes)?.[axis];
    if (!Number.isFinite(part)) throw new TypeError(`${name} takes ${nounOf(field)} with finite ${axis}`);
    checkRange(`${noun} field "${path}.${axis}"`, field, part as number);
  }
}

function checkText(name: string, { max = 0 }: Field, value: unknown): void {
  if (typeof value !== 'string') throw new TypeError(`${name} takes a text, not ${shown(value)}`);
  const bytes = textBytes(value);
  if (bytes > max) throw new RangeError(`${name} takes at most ${max} bytes of UTF-8, not ${bytes}`);
  if (hasControlCharacter(value)) throw new RangeError(`${name} takes no control characters`);
}

function roundOne(field: Field, value: unknown, flat: Float64Array, at: number): void {
  const wrong = () => new TypeError(`"${field.name}" is ${shown(value)} after it, which is ${notOf(field)}`);
  if (field.type === 'text') {
    if (typeof value !== 'string') throw wrong();
    return encodeText(value, field.max ?? 0, flat, at);
  }
  const axes = axesOf(field);
  const parts = axes.length === 0 ? [value] : axes.map((axis) => (value as Axes)?.[axis]);
  parts.forEach((part, number) => {
    flat[at + number] = rounded(field, numberOf(field, part));
    if (!Number.isFinite(flat[at + number])) throw wrong();
  });
}

/** The components of a vector or a rotation; none of what is no object. */
function axesOf({ type }: Field): readonly string[] {
  return AXES_OF[type] ?? NO_AXES;
}

const NO_AXES: readonly string[] = [];
const AXES_OF: Partial<Record<Field['type'], readonly string[]>> = {
  vec2: AXES.slice(0, 2),
  vec3: AXES.slice(0, 3),
  quat: AXES,
};

/** What a value of a field is, for a person. */
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
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value !== 'object' || value === null) return String(value);
  return `{ ${Object.entries(value).map(([axis, part]) => `${axis}: ${String(part)}`).join(', ')} }`;
}
