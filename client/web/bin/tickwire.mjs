#!/usr/bin/env node
// `npx tickwire types URL`: the types of a game, from the schema its server tells.
// `npx tickwire wasm FOLDER`: the rules of a game for a page.
import { parseArgs } from 'node:util';
import { buildRules } from './rules.mjs';
import { fetchSchema } from './schema.mjs';
import { typesOf } from './types.mjs';
import { checkTypes, writeTypes } from './write.mjs';

const USAGE = `usage: npx tickwire types URL [-o FILE] [--name NAME] [--check]
       npx tickwire wasm FOLDER -o FOLDER [--fast]

types prints the TypeScript types of the game that the server at URL runs, such as http://localhost:4433/.

  -o, --out FILE   write them to this file; one that was made by this command is replaced
  --name NAME      what the interface is called; the game's name in capitals and small letters if not given
  --check          write nothing; fail if the file is not what it would be now

wasm builds the rules of a game, a crate in FOLDER that ends with \`tickwire::web_rules!(…)\`, for a page to predict by them.

  -o, --out FOLDER where the module goes; a page imports \`core\` from it, for the option \`core\` of \`connect\`
  --fast           build it in little time, and larger
`;

/** Something that the caller can put right. */
class Refused extends Error {}

async function main() {
  const { values, positionals } = read(process.argv.slice(2));
  const [command, of, ...more] = positionals;
  if (values.help) return void process.stdout.write(USAGE);
  const run = { types, wasm }[command];
  if (!run || !of || more.length > 0) throw new Refused(USAGE.trimEnd());
  await run(of, values);
}

async function types(url, { out, name, check }) {
  if (check && !out) throw new Refused('--check compares with a file: name it with -o');
  const text = typesOf(await fetchSchema(url), name, out?.endsWith('.d.ts'));
  if (!out) return void process.stdout.write(text);
  console.error(`${out} is ${check ? checkTypes(out, text) : writeTypes(out, text)}`);
}

async function wasm(rules, { out, fast }) {
  if (!out) throw new Refused('name the folder that the module goes to, with -o');
  const isNew = await buildRules({ rules, out, fast });
  console.error(`${out} is ${isNew ? 'built' : 'up to date'}`);
}

function read(args) {
  const options = {
    out: { type: 'string', short: 'o' },
    name: { type: 'string' },
    check: { type: 'boolean' },
    fast: { type: 'boolean' },
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
