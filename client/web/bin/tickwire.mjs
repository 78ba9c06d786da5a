#!/usr/bin/env node
// `npx tickwire types URL`: the types of a game, from the schema its server tells.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { fetchSchema } from './schema.mjs';
import { MADE_BY, typesOf } from './types.mjs';

const USAGE = `usage: npx tickwire types URL [-o FILE] [--name NAME] [--check]

Prints the TypeScript types of the game that the server at URL runs, such as http://localhost:4433/.

  -o, --out FILE   write them to this file; one that was made by this command is replaced
  --name NAME      what the interface is called; the game's name in capitals and small letters if not given
  --check          write nothing; fail if the file is not what it would be now
`;

/** Something that the caller can put right. */
class Refused extends Error {}

async function main() {
  const { values, positionals } = read(process.argv.slice(2));
  const [command, url, ...more] = positionals;
  if (values.help) return void process.stdout.write(USAGE);
  if (command !== 'types' || !url || more.length > 0) throw new Refused(USAGE.trimEnd());
  if (values.check && !values.out) throw new Refused('--check compares with a file: name it with -o');
  const text = typesOf(await fetchSchema(url), values.name, values.out?.endsWith('.d.ts'));
  if (!values.out) return void process.stdout.write(text);
  const found = existsSync(values.out) ? readFileSync(values.out, 'utf8') : undefined;
  if (found === text) return console.error(`${values.out} is up to date`);
  if (values.check) {
    const what = found === undefined ? 'does not exist' : 'is not what the server says';
    throw new Refused(`${values.out} ${what}; run this again without --check`);
  }
  if (found !== undefined && !found.startsWith(MADE_BY)) {
    throw new Refused(`${values.out} was not made by this command, so it is left alone; give another file, or delete it`);
  }
  writeFileSync(values.out, text);
  console.error(`${values.out} is ${found === undefined ? 'written' : 'brought up to date'}`);
}

function read(args) {
  const options = {
    out: { type: 'string', short: 'o' },
    name: { type: 'string' },
    check: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  };
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    throw new Refused(`${error.message}\n\n${USAGE.trimEnd()}`);
  }
}

main().catch((error) => {
  console.error(`tickwire: ${error.message}`);
  process.exitCode = 1;
});
