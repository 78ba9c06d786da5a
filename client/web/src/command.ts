import type { Game } from './entities.js';
import { type Kind, RecordWriter } from './schema.js';
import type { BuiltFor } from './showing.js';

/** The names of a game's commands. */
export type CommandName<G extends Game> = keyof G['commands'] & string;

/** The fields of a command, after its name: they may be left out where it has none. */
export type CommandFields<G extends Game, K extends CommandName<G>> =
  Record<never, never> extends G['commands'][K] ? [fields?: G['commands'][K]] : [fields: G['commands'][K]];

/**
 * The number of a command and its fields as the numbers the core takes. A page that was `builtFor` a command with fewer
 * fields leaves the others out: they are as if nobody had set them.
 *
 * Throws a `TypeError` for a command or field that the game does not have, a field that is missing, or a value that does
 * not fit its type, and a `RangeError` for one beyond its range.
 */
export function commandRecord(
  kinds: readonly Kind[],
  name: string,
  fields: object,
  builtFor?: BuiltFor,
): [kind: number, values: Float64Array] {
  const number = kinds.findIndex((kind) => kind.name === name);
  const kind = kinds[number];
  if (!kind) {
    const names = kinds.map((kind) => `"${kind.name}"`).join(', ') || 'none';
    throw new TypeError(`the game has no command "${name}"; it has ${names}`);
  }
  const known = builtFor?.commands?.[name];
  const mayLack = (field: string) => known !== undefined && !Object.hasOwn(known, field);
  return [number, new RecordWriter(kind, `the ${name} command`).writeAll(fields, mayLack)];
}
