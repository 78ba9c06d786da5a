import type { Core } from './core.js';
import type { Game } from './entities.js';
import type { Modes } from './modes.js';
import type { Steps } from './prediction.js';
import type { Ways } from './reconnect.js';
import type { Field, Kind, Schema } from './schema.js';
import type { StaticCache } from './static-data.js';

/** What the game's author asks of a client. */
export interface Showing<G extends Game> {
  predict?: Steps<G> | undefined;
  modes?: Modes<G> | undefined;
  schema?: BuiltFor | undefined;
  /** Where static data is kept between sessions, if anywhere. */
  staticCache?: StaticCache | undefined;
  /** How the session goes on over another connection; without them, it ends with its own. */
  ways?: Ways | undefined;
}

type Fields = Readonly<Record<string, string>>;

/** The rules that a page was built for, as `npx tickwire types` writes them: the type of each field, by its name. */
export interface BuiltFor {
  readonly game: string;
  readonly input: Fields;
  readonly entities: Readonly<Record<string, Fields>>;
  readonly events: Readonly<Record<string, Fields>>;
  /** Absent in what was made before there were commands. */
  readonly commands?: Readonly<Record<string, Fields>>;
}

/** What helps whoever has just changed the rules: the server still runs the old ones. */
const RESTART = 'start the server again if you changed its rules';
const warned = new Set<string>();

/**
 * Says on the console, once, in what the page is not of the server's rules, and what to do. Gives that in one sentence, or nothing if
 * all is of the same rules.
 */
export function tellDifferences(core: Core, schema: Schema, builtFor: BuiltFor | undefined): string | undefined {
  const rules = core.rulesDiffer?.();
  const page = builtFor && difference(builtFor, schema);
  const told = [
    rules && `nothing is predicted, as the rules in this page's module are not the server's (${rules}): ${RESTART}, else build the page anew and reload it`,
    page && `this page was built for other rules than the server's (${page}): ${RESTART}, else run \`npx tickwire types\`, build the page anew and reload it`,
  ].filter((text) => text !== undefined);
  told.forEach(warnOnce);
  return told[0];
}

/** The first thing that a page knows and the server has not, or has otherwise. What only the server has does no harm. */
export function difference(built: BuiltFor, schema: Schema): string | undefined {
  if (built.game !== schema.game) return `it was built for the game "${built.game}", and the server runs "${schema.game}"`;
  const input = fieldDifference('input', built.input, schema.input);
  const entities = input ?? kindDifference(built.entities, schema.entities);
  return entities ?? kindDifference(built.events, schema.events) ?? kindDifference(built.commands ?? {}, schema.commands);
}

function kindDifference(built: BuiltFor['entities'], kinds: readonly Kind[]): string | undefined {
  for (const [name, fields] of Object.entries(built)) {
    const kind = kinds.find((kind) => kind.name === name);
    const differs = kind ? fieldDifference(name, fields, kind) : `the server has no ${name}`;
    if (differs) return differs;
  }
  return undefined;
}

function fieldDifference(kind: string, built: Fields, { fields }: Kind): string | undefined {
  for (const [name, type] of Object.entries(built)) {
    const field = fields.find((field) => field.name === name);
    if (!field) return `the server has no ${kind}.${name}`;
    if (typeOf(field) !== type) return `${kind}.${name} is ${typeOf(field)} on the server and ${type} in the page`;
  }
  return undefined;
}

/** As `bin/types.mjs` writes it. */
function typeOf({ type, choice, length, optional }: Field): string {
  const one = choice ? `${type} of ${choice.variants.join(', ')}` : type;
  return `${length ? `${length} times ` : ''}${one}${optional ? ', or none' : ''}`;
}

function warnOnce(text: string): void {
  if (warned.has(text)) return;
  warned.add(text);
  console.warn(`tickwire: ${text}`);
}
