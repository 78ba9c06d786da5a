import type { Game, KindName, Seen } from './entities.js';
import { type Kind, readRecord, type Schema } from './schema.js';

/** Another entity that a step sees. */
export type Nearby<G extends Game, K extends KindName<G>> = {
  /** The game's number for it. */
  readonly id: number;
} & Seen<G['entities'][K]>;

/** What one step sees besides its own entity, and what it makes: as `PredictedStep` of the rules in Rust. */
export interface StepTick<G extends Game> {
  /** The other entities of a kind that the client knows, each where its velocity takes it in the tick being stepped. */
  nearby<K extends KindName<G>>(kind: K): readonly Nearby<G, K>[];
  /**
   * Shows a new entity of the player at once, such as a shot. It moves by its velocity, is replaced by the server's when that
   * arrives, and is removed otherwise.
   */
  spawn<K extends KindName<G>>(kind: K, fields: G['entities'][K]): void;
  /**
   * Reports an event at once, with `predicted` set. The server's own event of the same kind and values does not follow; without
   * one, `cancelled` takes it back.
   */
  emit<K extends keyof G['events'] & string>(kind: K, fields: G['events'][K]): void;
}

/** Writes the fields of a kind as numbers. Throws a `TypeError` for what is none. */
export type WriteFields = (kind: Kind, fields: Record<string, unknown>, values: Float64Array) => void;

const HEADER = 3;
const [ENTITY, EVENT] = [0, 1];

/**
 * One tick of the core: `flat` has of each other entity the length of its record, its id, its kind and its components; `made`
 * gets the same of what the step makes, with what it is in place of the id.
 */
export class CoreTick {
  readonly #schema: Schema;
  readonly #write: WriteFields;
  readonly #flat: ArrayLike<number>;
  readonly #made: number[];

  constructor(schema: Schema, write: WriteFields, flat: ArrayLike<number>, made: number[]) {
    this.#schema = schema;
    this.#write = write;
    this.#flat = flat;
    this.#made = made;
  }

  nearby(name: string): Record<string, unknown>[] {
    const [number, kind] = find(this.#schema.entities, name, 'entities');
    const found = [];
    for (let at = 0; at + HEADER <= this.#flat.length; at += this.#flat[at]!) {
      if (this.#flat[at + 2] !== number) continue;
      const entity: Record<string, unknown> = { id: this.#flat[at + 1] };
      readRecord(kind, this.#flat, at + HEADER, entity);
      found.push(entity);
    }
    return found;
  }

  spawn(name: string, fields: Record<string, unknown>): void {
    this.#make(ENTITY!, find(this.#schema.entities, name, 'entities'), fields);
  }

  emit(name: string, fields: Record<string, unknown>): void {
    this.#make(EVENT!, find(this.#schema.events, name, 'events'), fields);
  }

  #make(what: number, [number, kind]: [number, Kind], fields: Record<string, unknown>): void {
    const values = new Float64Array(kind.fields.reduce((sum, { components }) => sum + components, 0));
    this.#write(kind, fields, values);
    this.#made.push(HEADER + values.length, what, number, ...values);
  }
}

function find(kinds: readonly Kind[], name: string, what: string): [number, Kind] {
  const number = kinds.findIndex((kind) => kind.name === name);
  const kind = kinds[number];
  if (!kind) throw new TypeError(`the game has no "${name}" among its ${what}: ${kinds.map(({ name }) => name).join(', ') || 'none'}`);
  return [number, kind];
}
