import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, createServer as createVite } from 'vite';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { buildRules } from '../bin/rules.mjs';
import { webTransportUrl } from '../vite/directions.mjs';
import { tickwire } from '../vite/index.mjs';

const SCHEMA = readFileSync(new URL('./schema.everything.json', import.meta.url), 'utf8');
let folder;
let game;
let vite;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tickwire-vite-'));
  writeFileSync(join(folder, 'index.html'), '<script type="module" src="/main.js"></script>');
  writeFileSync(join(folder, 'main.js'), `console.log(${JSON.stringify('tick '.repeat(500))});`);
  game = createServer((request, response) => {
    const answers = { '/certificate.json': '{"hashes":[{"algorithm":"sha-256","value":"AAAA"}]}', '/schema.json': SCHEMA };
    response.writeHead(answers[request.url] ? 200 : 404).end(answers[request.url]);
  });
  game.listen(0, '127.0.0.1');
  await once(game, 'listening');
});

afterEach(async () => {
  await vite?.close();
  vite = undefined;
  game.close();
  game.closeAllConnections();
  rmSync(folder, { recursive: true });
});

const gameUrl = () => `http://127.0.0.1:${game.address().port}/`;

/** A development server with the plugin, at its address. */
async function serve(options) {
  vite = await createVite({ root: folder, configFile: false, logLevel: 'silent', server: { host: '127.0.0.1', port: 0 }, plugins: [tickwire(options)] });
  await vite.listen();
  return `http://127.0.0.1:${vite.httpServer.address().port}`;
}

test('a page asks the development server, which asks the game server, and tells where WebTransport is', async () => {
  const response = await fetch(`${await serve({ server: gameUrl() })}/certificate.json`);
  const { port } = game.address();
  expect(await response.json()).toEqual({
    hashes: [{ algorithm: 'sha-256', value: 'AAAA' }],
    webTransportUrl: `https://127.0.0.1:${port}/`,
  });
});

test('a game server that does not run is named, with what starts it and how to name another one', async () => {
  const response = await fetch(`${await serve({ server: 'http://127.0.0.1:1/' })}/certificate.json`);
  expect(response.status).toBe(503);
  expect(await response.text()).toMatch(/does not answer at http:\/\/127\.0\.0\.1:1\/.*cargo run.*another port.*TICKWIRE_SERVER=/);
});

test('the types are kept as the game server tells them', async () => {
  const url = await serve({ server: gameUrl(), types: 'types.ts' });
  const file = join(folder, 'types.ts');
  await vi.waitFor(() => expect(readFileSync(file, 'utf8')).toContain('export interface'));
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replaceAll('Whole', 'Hole'));
  await fetch(`${url}/certificate.json`);
  await vi.waitFor(() => expect(readFileSync(file, 'utf8')).toBe(text));
  writeFileSync(file, '// mine');
  await fetch(`${url}/certificate.json`);
  await new Promise((done) => setTimeout(done, 300));
  expect(readFileSync(file, 'utf8')).toBe('// mine');
});

test('WebTransport is where the browser finds this machine', () => {
  const of = (server, host) => webTransportUrl(new URL(server), host);
  expect(of('http://localhost:4433/', 'localhost:5173')).toBe('https://localhost:4433/');
  expect(of('http://localhost:4433/', '192.168.1.5:5173')).toBe('https://192.168.1.5:4433/');
  expect(of('http://127.0.0.1:4433/', '[::1]:5173')).toBe('https://[::1]:4433/');
  expect(of('https://play.example/', 'localhost:5173')).toBe('https://play.example/');
  expect(of('http://play.example/', undefined)).toBe('https://play.example:80/');
});

test('what is built is small enough to send, and loads from wherever it is served', async () => {
  await build({ root: folder, configFile: false, logLevel: 'silent', plugins: [tickwire()] });
  const assets = readdirSync(join(folder, 'dist/assets'));
  expect(assets.filter((name) => name.endsWith('.js.br') || name.endsWith('.js.gz'))).toHaveLength(2);
  expect(readFileSync(join(folder, 'dist/index.html'), 'utf8')).toContain('src="./assets/');
});

test('a build without packed files, and with settings of its own', async () => {
  const plugins = [tickwire({ precompress: false })];
  await build({ root: folder, configFile: false, logLevel: 'silent', base: '/play/', plugins });
  expect(readdirSync(join(folder, 'dist/assets')).filter((name) => /\.(br|gz)$/.test(name))).toEqual([]);
  expect(readFileSync(join(folder, 'dist/index.html'), 'utf8')).toContain('src="/play/assets/');
});

test('a folder that is no game says what it lacks', async () => {
  const out = join(folder, 'rules');
  await expect(buildRules({ rules: folder, out })).rejects.toThrow(/there is no .*Cargo\.toml/);
  const crate = (manifest, file) => {
    mkdirSync(join(folder, 'src'), { recursive: true });
    writeFileSync(join(folder, 'Cargo.toml'), `[package]\nname = "bare"\nedition = "2024"\n[workspace]\n${manifest}`);
    writeFileSync(join(folder, 'src', file), 'fn main() {}');
  };
  crate('', 'main.rs');
  await expect(buildRules({ rules: folder, out })).rejects.toThrow(/has no library.*web_rules!/);
  crate('[lib]\npath = "src/main.rs"', 'main.rs');
  await expect(buildRules({ rules: folder, out })).rejects.toThrow('does not depend on tickwire');
  expect(existsSync(out)).toBe(false);
});

/** Stands for cargo and rustc: each call waits for the file `go`, and notes its words in the file `calls`. */
const TOOL = `#!/usr/bin/env node
const { appendFileSync, existsSync, mkdirSync, writeFileSync } = require('node:fs');
const { dirname, join } = require('node:path');
const home = __dirname;
const words = process.argv.slice(2);
const value = (name) => words.find((word) => word.startsWith(name + '=')).slice(name.length + 1);
const write = (path, text) => (mkdirSync(dirname(path), { recursive: true }), writeFileSync(path, text));
const manifest = (name) => join(home, name, 'Cargo.toml');
const jobs = {
  '--print=sysroot': () => console.log(home),
  metadata: () => {
    const game = { name: 'game', manifest_path: manifest('crate'), targets: [{ name: 'game', kind: ['lib'] }] };
    const packages = [game, { name: 'tickwire-client', manifest_path: manifest('clone/client'), targets: [] }];
    console.log(JSON.stringify({ packages, target_directory: join(home, 'target') }));
  },
  rustc: () => write(join(value('--target-dir'), value('--target'), 'debug/game.wasm'), 'wasm'),
  run: () => write(join(words.at(-1), 'bindings.js'), 'export const tickwireCore = 1; export default () => {};') ||
    write(join(words.at(-1), 'bindings_bg.wasm'), 'wasm'),
};
const timer = setInterval(() => {
  if (!existsSync(join(home, 'go'))) return;
  clearInterval(timer);
  appendFileSync(join(home, 'calls'), words.join(' ') + '\\n');
  jobs[words[0]]();
}, 10);
`;

test('a development server serves at once while the rules are built, in a target directory of their own', async () => {
  for (const name of ['crate', 'clone/client', 'lib/rustlib/wasm32-unknown-unknown']) mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, 'crate/Cargo.toml'), '');
  for (const name of ['cargo', 'rustc']) writeFileSync(join(folder, name), TOOL);
  for (const name of ['cargo', 'rustc']) chmodSync(join(folder, name), 0o755);
  vi.stubEnv('PATH', `${folder}:${process.env.PATH}`);
  try {
    const url = await serve({ server: gameUrl(), rules: 'crate' });
    const index = async () => (await fetch(`${url}/src/rules/index.js`)).text();
    expect(await index()).toContain('the rules are not built yet');
    writeFileSync(join(folder, 'go'), '');
    await vi.waitFor(async () => expect(await index()).toContain('tickwireCore'), 20_000);
    const built = readFileSync(join(folder, 'calls'), 'utf8').split('\n').find((call) => call.startsWith('rustc '));
    expect(built).toContain(`--target-dir=${join(folder, 'target/page')}`);
  } finally {
    writeFileSync(join(folder, 'go'), '');
    vi.unstubAllEnvs();
  }
}, 30_000);
