// Writes the types of a game to a file, and leaves alone what was not made by this package.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { MADE_BY } from './types.mjs';

/** Writes them if they are not there yet. Gives what the file is now, for a person. */
export function writeTypes(file, text) {
  const found = existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  if (found === text) return 'up to date';
  if (found !== undefined && !found.startsWith(MADE_BY)) {
    throw new Error(`${file} was not made by this command, so it is left alone; give another file, or delete it`);
  }
  writeFileSync(file, text);
  return found === undefined ? 'written' : 'brought up to date';
}

/** The same without writing: throws if the file is not there, or is of another schema. */
export function checkTypes(file, text) {
  const found = existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  if (found === text) return 'up to date';
  const what = found === undefined ? 'does not exist' : 'is not what the server says';
  throw new Error(`${file} ${what}; run this again without --check`);
}
