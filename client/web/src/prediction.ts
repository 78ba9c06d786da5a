import type { Core } from './core.js';
import type { AnyGame, Game, KindName, Seen } from './entities.js';
import { TickwireError } from './errors.js';
import { type Kind, readRecord, type Schema } from './schema.js';
import { CoreTick, type StepTick } from './tick.js';
import { copyOf, roundValue } from './value.js';

/**
 * One tick of what the player steers: changes `own`, which has the fields of its kind, by the `input`, as the
 * server's rules do. `seconds` is how long a tick is. `tick`, the fourth parameter, shows other entities and takes new ones and events.
 *
 * It is called for ticks that are stepped anew, and for a part of a tick to show, as well: it changes
 * nothing but `own`, and depends on nothing but its arguments. Properties that it adds to `own` go from tick to
 * tick with it; they are plain values, and the server does not know them.
 */
export type Step<G extends Game = AnyGame, K extends KindName<G> = KindName<G>> = (
  own: G['entities'][K],
  input: Seen<G['input']>,
  seconds: number,
  tick: StepTick<G>,
) => void;

/** How what the player steers is predicted: a step for each kind of entity that players steer. */
export type Steps<G extends Game = AnyGame> = { readonly [K in KindName<G>]?: Step<G, K> };

type Values = Record<string, unknown>;
type AnyStep = (own: Values, input: Values, seconds: number, tick: CoreTick) => unknown;
/** Of a step that takes its tick: what is around is handed only to such a one. */
const PARAMETERS_WITH_TICK = 4;

interface Stepped {
  readonly kind: Kind;
  readonly step: AnyStep;
}

/** Steps what the player steers for the core, by functions of the game. */
export class Predictor {
  /** What a step failed with; then nothing is predicted any more. */
  error: TickwireError | undefined;
  readonly #schema: Schema;
  readonly #seconds: number;
  /** By the number of their kind. */
  readonly #stepped = new Map<number, Stepped>();

  /** Throws a `TypeError` for a step of a kind that the game does not have. */
  constructor(schema: Schema, steps: object) {
    this.#schema = schema;
    this.#seconds = 1 / schema.tickHz;
    for (const [name, step] of Object.entries(steps)) {
      if (step === undefined) continue;
      const number = schema.entities.findIndex((kind) => kind.name === name);
      const kind = schema.entities[number];
      if (!kind) {
        const names = schema.entities.map((kind) => `"${kind.name}"`).join(', ');
        throw new TypeError(`a step for "${name}", which the game does not have; it has ${names}`);
      }
      if (typeof step !== 'function') throw new TypeError(`the step for "${name}" is not a function`);
      this.#stepped.set(number, { kind, step: step as AnyStep });
    }
  }

  /** Has the core predict by these steps, in rooms that are joined from now on. */
  begin(core: Core): void {
    const steps = [...this.#stepped.values()];
    core.predictBy(
      (kind, values, before) => this.adopt(kind, values, before),
      (kind, state, input, values, nearby, made) => this.step(kind, state, input, values, nearby, made),
      steps.some(({ step }) => step.length >= PARAMETERS_WITH_TICK),
    );
  }

  /** The state of an entity as the server has it, with what is not sent as it was predicted. */
  adopt(number: number, values: ArrayLike<number>, before: Values | undefined): Values | undefined {
    const stepped = this.#stepped.get(number);
    if (!stepped) return undefined;
    const own = before ? ownState(stepped.kind, before) : {};
    readRecord(stepped.kind, values, 0, own);
    return own;
  }

  /** The state a tick later, and its numbers in `values`; nothing when the step fails. `nearby` and `made` are those of its tick. */
  step(
    number: number,
    state: Values,
    input: ArrayLike<number>,
    values: Float64Array,
    nearby: ArrayLike<number> = [],
    made: number[] = [],
  ): Values | undefined {
    const stepped = this.#stepped.get(number);
    if (!stepped || this.error) return undefined;
    const { kind, step } = stepped;
    try {
      const own = ownState(kind, state);
      const held: Values = {};
      readRecord(this.#schema.input, input, 0, held);
      const given = step(own, held, this.#seconds, new CoreTick(this.#schema, writeRecord, nearby, made));
      if (typeof given === 'object' && given !== null && given !== own) {
        throw new TypeError('it returned another object; a step changes its first argument');
      }
      writeRecord(kind, own, values);
      // What the step goes on with is of the precision of the server's types, and no vector of the game's own.
      const after = ownState(kind, own);
      readRecord(kind, values, 0, after);
      return after;
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      const text = `the step for "${kind.name}" failed, so nothing is predicted any more; correct it: ${why}`;
      this.error = new TickwireError('StepFailed', text, { cause });
      return undefined;
    }
  }
}

/** A state of its own: its vectors are not those of `state`. */
function ownState(kind: Kind, state: Values): Values {
  const own = { ...state };
  for (const { name } of kind.fields) own[name] = copyOf(state[name]);
  return own;
}

/** Writes the fields as numbers that the server's types hold. Throws a `TypeError` for one that is none. */
function writeRecord(kind: Kind, own: Values, values: Float64Array): void {
  let at = 0;
  for (const field of kind.fields) {
    roundValue(field, own[field.name], values, at);
    at += field.components;
  }
}
