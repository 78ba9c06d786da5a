import { type Kind, readRecord } from './schema.js';

/** What a game's author declares so that entities, events, commands and the input are typed. */
export interface Game {
  /** What a player holds down. */
  input: object;
  /** The fields of each kind of entity, by its name. */
  entities: Record<string, object>;
  /** The fields of each kind of event, by its name. */
  events: Record<string, object>;
  /** The fields of each kind of command, by its name. */
  commands: Record<string, object>;
}

/** A game whose fields are not known at compile time. */
export interface AnyGame extends Game {
  input: Record<string, unknown>;
  entities: Record<string, Record<string, unknown>>;
  events: Record<string, Record<string, unknown>>;
  commands: Record<string, Record<string, unknown>>;
}

/** The kind names of a game. */
export type KindName<G extends Game> = keyof G['entities'] & string;

/** What is read only, with all that is in it: it belongs to the client. */
export type Seen<T> = T extends object ? { readonly [K in keyof T]: Seen<T[K]> } : T;

/** One visible entity: what every entity has, and the fields of its kind. */
export type Entity<G extends Game, K extends KindName<G> = KindName<G>> = {
  [N in K]: {
    /** The game's number for it. */
    readonly id: number;
    /** The name of its kind. */
    readonly kind: N;
    /** Whether this client owns it. */
    readonly mine: boolean;
    /** How much of it is there, 0 to 1: it fades in where it comes into view, and out where it leaves it. */
    readonly presence: number;
  } & Seen<G['entities'][N]>;
}[K];

interface Slot {
  entity: Record<string, unknown>;
  kind: number;
  seen: number;
}

const HEADER = 5;

/**
 * What this client sees, at the time it is drawn for.
 *
 * The objects are reused from frame to frame: an entity keeps its object as long as it is seen, with
 * fields overwritten by every `client.update()`. Copy what you want to keep.
 */
export class Entities<G extends Game = AnyGame> implements Iterable<Entity<G>> {
  #kinds: readonly Kind[] = [];
  #lists: Entity<G>[][] = [];
  #frame = 0;
  readonly #slots = new Map<number, Slot>();

  /** How many there are. */
  get size(): number {
    return this.#slots.size;
  }

  /** The entity of this number, if it is seen. */
  get(id: number): Entity<G> | undefined {
    return this.#slots.get(id)?.entity as Entity<G> | undefined;
  }

  /** Those of one kind. The list is reused by the next `client.update()`. */
  of<K extends KindName<G>>(kind: K): readonly Entity<G, K>[] {
    const at = this.#kinds.findIndex((known) => known.name === kind);
    return (this.#lists[at] ?? []) as unknown as Entity<G, K>[];
  }

  /** The first entity of a kind that this client owns, if there is one. */
  mine<K extends KindName<G>>(kind: K): Entity<G, K> | undefined {
    return this.of(kind).find((entity) => entity.mine);
  }

  /** All of them, in no particular order. */
  *[Symbol.iterator](): IterableIterator<Entity<G>> {
    for (const slot of this.#slots.values()) yield slot.entity as unknown as Entity<G>;
  }

  /** Takes the game's kinds. @internal */
  begin(kinds: readonly Kind[]): void {
    this.#kinds = kinds;
    this.#lists = kinds.map(() => []);
    this.clear();
  }

  /** Forgets everything seen. @internal */
  clear(): void {
    this.#slots.clear();
    for (const list of this.#lists) list.length = 0;
  }

  /**
   * Reads the core's flat view: for each entity the length of its record, its id, kind, whether it
   * is owned, how much of it is there, then the components of its fields.
   * @internal
   */
  read(flat: ArrayLike<number>): void {
    this.#frame++;
    for (const list of this.#lists) list.length = 0;
    for (let at = 0; at + HEADER <= flat.length; ) {
      const length = flat[at]!;
      if (!(length >= HEADER)) throw new RangeError(`a record of ${length} numbers in the view`);
      this.#readOne(flat, at);
      at += length;
    }
    for (const [id, slot] of this.#slots) if (slot.seen !== this.#frame) this.#slots.delete(id);
  }

  #readOne(flat: ArrayLike<number>, at: number): void {
    const id = flat[at + 1]!;
    const number = flat[at + 2]!;
    const kind = this.#kinds[number];
    if (!kind) throw new RangeError(`an entity of kind ${number}, which the game does not have`);
    let slot = this.#slots.get(id);
    if (slot?.kind !== number) {
      slot = { entity: { id, kind: kind.name, mine: false, presence: 0 }, kind: number, seen: 0 };
      this.#slots.set(id, slot);
    }
    slot.seen = this.#frame;
    slot.entity['mine'] = flat[at + 3] === 1;
    slot.entity['presence'] = flat[at + 4]!;
    readRecord(kind, flat, at + HEADER, slot.entity);
    this.#lists[number]!.push(slot.entity as unknown as Entity<G>);
  }
}
