// `node page.mjs FOLDER`: takes in streams of snapshots in a page of Chromium, with the wasm module of this package. Module and
// streams are in FOLDER. A line of the standard input is the name of a stream and how many times; the answer is a line of JSON.
//
// CHROMIUM   the browser's program; /usr/bin/chromium if not given
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { basename, extname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { launchBrowser, Page } from '../../examples/arena/web/e2e/browsers.mjs';

const TYPES = { '.js': 'text/javascript', '.wasm': 'application/wasm', '': 'application/octet-stream' };
/** Without these, a page's clock has steps of 0.1 ms; with them, of 0.005 ms. */
const ISOLATED = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

const [folder] = process.argv.slice(2);
if (!folder) {
  console.error('usage: node page.mjs FOLDER');
  process.exit(2);
}

async function serve({ url }, response) {
  const name = basename(url);
  try {
    const body = name === '' ? '<!doctype html>' : await readFile(join(folder, name));
    const type = name === '' ? 'text/html' : TYPES[extname(name)];
    response.writeHead(200, { ...ISOLATED, 'Content-Type': type }).end(body);
  } catch {
    response.writeHead(404).end();
  }
}

/** In the page: gets the module. */
async function load() {
  if (!crossOriginIsolated) throw new Error('the page is not isolated: its clock is coarse');
  const module = await import('/replay.js');
  await module.default({ module_or_path: '/replay_bg.wasm' });
  window.replays = new Map();
  window.openReplay = async (name) => {
    const response = await fetch(`/${name}`);
    if (!response.ok) throw new Error(`there is no stream ${name}`);
    return new module.Replay(new Uint8Array(await response.arrayBuffer()));
  };
  return { browser: /\S*Chrome\S*/.exec(navigator.userAgent)?.[0] ?? navigator.userAgent };
}

/** In the page: takes in a stream. */
async function run({ name, passes }) {
  const replay = window.replays.get(name) ?? (await window.openReplay(name));
  window.replays.set(name, replay);
  const sample = replay.run(passes);
  const { ms, hash } = sample;
  sample.free();
  return { ms, hash };
}

const server = createServer(serve).listen(0, '127.0.0.1');
await once(server, 'listening');
const browser = await launchBrowser();
try {
  const page = await browser.open(`http://127.0.0.1:${server.address().port}/`, { kind: Page });
  console.log(JSON.stringify(await page.evaluate(load)));
  for await (const line of createInterface({ input: process.stdin })) {
    const [name, passes] = line.split(' ');
    console.log(JSON.stringify(await page.evaluate(run, { name, passes: Number(passes) })));
  }
} finally {
  await browser.close();
  server.closeAllConnections();
  server.close();
}
