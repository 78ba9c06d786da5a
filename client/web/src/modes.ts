import type { Core } from './core.js';
import type { AnyGame, Game, KindName } from './entities.js';
import type { Schema } from './schema.js';

const NAMES = ['interpolate', 'extrapolate', 'forward-simulate'] as const;

/**
 * How what this client does not steer is shown: `interpolate` between two states; `extrapolate` at the tick of the
 * player's own, by its velocity or its last change; `forward-simulate` at the same tick, by the step or the rules that
 * predict what this client steers, as if nothing was held.
 */
export type ModeName = (typeof NAMES)[number];

/** A mode, and how far from its newest state something is shown by it. */
export interface ModeOptions {
  /** Which. */
  mode: ModeName;
  /** Ticks at most, 0 to 120; those of half a second if not given. */
  ticksMax?: number | undefined;
}

/** Modes by kind of entity. */
export type Modes<G extends Game = AnyGame> = { readonly [K in KindName<G>]?: ModeName | ModeOptions };

/** Tells the core. Throws a `TypeError` for a kind the game does not have, and for what is no mode. */
export function showBy(core: Core, schema: Schema, modes: object): void {
  for (const [kind, given] of Object.entries(modes) as [string, ModeName | ModeOptions | undefined][]) {
    if (given === undefined) continue;
    if (!schema.entities.some(({ name }) => name === kind)) {
      const names = schema.entities.map(({ name }) => `"${name}"`).join(', ');
      throw new TypeError(`a mode for "${kind}", which the game does not have; it has ${names}`);
    }
    const { mode, ticksMax = Math.ceil(schema.tickHz / 2) } = typeof given === 'string' ? { mode: given } : given;
    if (!NAMES.includes(mode)) throw new TypeError(`"${mode}" for "${kind}" is no mode; there are ${NAMES.join(', ')}`);
    if (!(ticksMax >= 0 && ticksMax <= 120)) throw new TypeError(`ticksMax of "${kind}" is ${ticksMax}, not 0 to 120`);
    core.showBy(kind, mode, ticksMax);
  }
}
