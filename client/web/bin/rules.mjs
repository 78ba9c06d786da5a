// The rules of a game as WebAssembly: cargo builds them, `tickwire-bindgen` makes an ES module of them.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, realpathSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const TARGET = 'wasm32-unknown-unknown';
/** Names of what is generated. */
const MODULE = 'bindings';
const STAMP = 'stamp';
/** Below the game's own target directory: a build of the page and one of the server wait for no lock of each other. */
const TARGET_DIR = 'page';
/** How cargo builds it small: a profile that the game's own Cargo.toml need not have. */
const SMALL = { inherits: '"release"', debug: 'false', lto: '"fat"', 'codegen-units': '1' };

const INDEX = `// Made by \`npx tickwire wasm\`.
import init, { tickwireCore } from './${MODULE}.js';

export async function core() {
  // Named here, so that a bundler finds the file and puts it beside its own.
  await init({ module_or_path: new URL('./${MODULE}_bg.wasm', import.meta.url) });
  return tickwireCore;
}
`;
/** Until the rules are built a page plays without them. */
const INDEX_UNBUILT = `// Made by \`tickwire/vite\`, until the rules are built.
export async function core() {
  console.info('tickwire: the rules are not built yet, so nothing is predicted; the page is loaded anew when they are');
}
`;
const INDEX_TYPES = `// Made by \`npx tickwire wasm\`.
import type { MakeCore } from 'tickwire';

/** Loads the rules of the game as WebAssembly, with the client in it: the option \`core\` of \`connect\`. None while they are not built yet. */
export declare function core(): Promise<MakeCore | undefined>;
`;

/** Something that the caller can put right. */
export class RulesError extends Error {}

/**
 * Builds the crate in the folder `rules` for browsers, into the folder `out`. With `fast` it is built in little time, else
 * small. Gives whether anything changed. Throws a `RulesError` that says what to do.
 */
export async function buildRules({ rules, out, fast = false, quiet = false }) {
  const game = await findGame(resolve(rules));
  await checkTarget(game.folder);
  // The profile of `cargo run`, or one of its own.
  const profile = fast ? 'dev' : 'wasm';
  await compile(game, profile, quiet);
  const compiled = join(game.target, TARGET, fast ? 'debug' : profile, `${game.library}.wasm`);
  const folder = resolve(out);
  const stamp = `${profile} ${statSync(compiled).mtimeMs}`;
  if (isMadeOf(folder, stamp)) return false;
  begin(folder);
  await bind(game, compiled, folder);
  writeIfNew(join(folder, 'index.js'), INDEX);
  writeFileSync(join(folder, STAMP), stamp);
  return true;
}

/**
 * Has a page that imports the rules from the folder `out` play without them, if none were ever built there: nothing is
 * predicted then. Gives whether that is so.
 */
export function stubRules(out) {
  const index = join(resolve(out), 'index.js');
  if (existsSync(index)) return readFileSync(index, 'utf8') === INDEX_UNBUILT;
  begin(resolve(out));
  writeFileSync(index, INDEX_UNBUILT);
  return true;
}

function begin(folder) {
  mkdirSync(folder, { recursive: true });
  // Made anew each time, and no part of what is kept of the game.
  writeIfNew(join(folder, '.gitignore'), '*\n');
  writeIfNew(join(folder, 'index.d.ts'), INDEX_TYPES);
}

function isMadeOf(folder, stamp) {
  const names = [`${MODULE}.js`, `${MODULE}_bg.wasm`, 'index.js', 'index.d.ts', STAMP];
  return names.every((name) => existsSync(join(folder, name))) && readFileSync(join(folder, STAMP), 'utf8') === stamp;
}

/** A development server reloads the page for a file that is written, whatever is in it. */
function writeIfNew(path, text) {
  if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFileSync(path, text);
}

/** The crate in a folder, and the clone of tickwire that it depends on. */
async function findGame(folder) {
  const manifest = join(folder, 'Cargo.toml');
  if (!existsSync(manifest)) throw new RulesError(`there is no ${manifest}: name the folder of the game's crate`);
  const args = ['metadata', '--format-version=1', `--filter-platform=${TARGET}`, '--manifest-path', manifest];
  const { packages, target_directory: target } = JSON.parse(await run('cargo', args, folder, 'read'));
  const own = packages.find(({ manifest_path }) => realpathSync(manifest_path) === realpathSync(manifest));
  const library = own?.targets.find(({ kind }) => kind.some((each) => /^(lib|rlib|cdylib)$/.test(each)));
  if (!library) {
    throw new RulesError(`${manifest} has no library: put the rules into src/lib.rs, with \`tickwire::web_rules!(…)\` at its end`);
  }
  const client = packages.find(({ name }) => name === 'tickwire-client');
  if (!client) throw new RulesError(`${manifest} does not depend on tickwire: add it`);
  return { folder, package: own.name, target: join(target, TARGET_DIR), library: library.name.replaceAll('-', '_'), tickwire: dirname(dirname(client.manifest_path)) };
}

async function checkTarget(folder) {
  const sysroot = (await run('rustc', ['--print=sysroot'], folder, 'read')).trim();
  if (existsSync(join(sysroot, 'lib/rustlib', TARGET))) return;
  throw new RulesError(`Rust cannot build for browsers yet: run \`rustup target add ${TARGET}\``);
}

async function compile(game, profile, quiet) {
  const own = profile === 'dev' ? {} : SMALL;
  const settings = Object.entries(own).flatMap(([name, value]) => ['--config', `profile.${profile}.${name}=${value}`]);
  const place = [`--package=${game.package}`, `--target=${TARGET}`, `--target-dir=${game.target}`];
  const args = ['rustc', '--lib', '--crate-type=cdylib', ...place, `--profile=${profile}`, ...settings];
  await run('cargo', args, game.folder, quiet ? 'quiet' : 'show');
}

/** By the program of the same clone, so that it is of the version that the rules were built with. */
async function bind(game, compiled, folder) {
  const tool = ['run', '--quiet', '--profile=play', '--package=tickwire-bindgen', '--'];
  await run('cargo', [...tool, compiled, MODULE, folder], game.tickwire, 'quiet');
  if (!readFileSync(join(folder, `${MODULE}.js`), 'utf8').includes('tickwireCore')) {
    throw new RulesError(`the library of ${game.package} exports nothing for a page: put \`tickwire::web_rules!(…)\` at the end of its src/lib.rs`);
  }
}

/** Runs a program; its output is read, shown, or shown when it fails. */
function run(program, args, cwd, how) {
  return new Promise((done, failed) => {
    const child = spawn(program, args, { cwd, stdio: ['ignore', how === 'show' ? 2 : 'pipe', how === 'show' ? 2 : 'pipe'] });
    const text = { out: '', err: '' };
    child.stdout?.setEncoding('utf8').on('data', (part) => (text.out += part));
    child.stderr?.setEncoding('utf8').on('data', (part) => (text.err += part));
    child.once('error', ({ message }) => failed(new RulesError(`${program} cannot be started (${message}): is Rust installed?`)));
    child.once('close', (code) => {
      if (code === 0) return done(text.out);
      failed(new RulesError(`\`${program} ${args[0]}\` failed in ${cwd}${text.err ? `:\n${text.err.trimEnd()}` : ''}`));
    });
  });
}
