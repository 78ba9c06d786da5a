import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { launchBrowser, Page } from './browsers.mjs';
import { startMinimal } from './server.mjs';

const PACKAGE = resolve(import.meta.dirname, '../../../../client/web');

// The server's policy for pages lets scripts in from files alone.
const PAGE = '<!doctype html><link rel="icon" href="data:,"><script src="page.js"></script>';

const SCRIPT = `
  window.said = [];
  window.start = (transport) => {
    window.worker?.terminate();
    window.said = [];
    window.worker = new Worker('worker.js?' + transport, { type: 'module' });
    window.worker.onmessage = ({ data }) => window.said.push(data);
    window.worker.onerror = ({ message }) => window.said.push({ error: message });
  };
`;

/** A player in a Worker: it steers to the right, and says what it sees. */
const WORKER = `
  import { connect } from './tickwire/dist/index.js';
  const asked = location.search.slice(1);
  const transport = asked === 'any' ? undefined : asked;
  try {
    const client = await connect('https://' + location.host + '/', {
      name: 'worker', transport,
      predict: {
        Dot(dot, keys, seconds) {
          dot.vel.x = keys.right * 20;
          dot.vel.y = keys.up * 20;
          dot.pos.x = Math.min(100, dot.pos.x + dot.vel.x * seconds);
          dot.pos.y = Math.min(100, dot.pos.y + dot.vel.y * seconds);
        },
      },
    });
    client.setInput({ right: 1 });
    const chat = await client.chat.send('from a worker');
    setInterval(() => {
      client.update();
      const { predicting, snapshots, transport } = client.stats();
      postMessage({ x: client.entities.mine('Dot')?.pos.x, predicting, snapshots, transport, chat: chat.text, hasWebTransport: 'WebTransport' in self });
    }, 16);
  } catch (error) {
    postMessage({ error: error.code + ': ' + error.message, hasWebTransport: 'WebTransport' in self });
  }
`;

let browser;
let folder;
let server;
let page;

before(async () => {
  // The package as it is, with no bundler.
  folder = mkdtempSync(join(tmpdir(), 'tickwire-worker-'));
  for (const part of ['dist', 'wasm']) cpSync(join(PACKAGE, part), join(folder, 'tickwire', part), { recursive: true });
  writeFileSync(join(folder, 'index.html'), PAGE);
  writeFileSync(join(folder, 'page.js'), SCRIPT);
  writeFileSync(join(folder, 'worker.js'), WORKER);
  browser = await launchBrowser();
  server = await startMinimal(folder);
  page = await browser.open(server.url, { kind: Page });
});

after(async () => {
  await page?.close();
  await browser?.close();
  await server?.stop();
  server?.clean();
  rmSync(folder, { recursive: true, force: true });
});

/** Plays in a new worker until its dot has moved. What it said last. */
async function play(transport) {
  await page.evaluate((transport) => window.start(transport), transport);
  const moved = () => window.said.find(({ error, x, predicting }) => error || (predicting && x > 5));
  return page.until('a dot that a worker moves', moved, undefined, 30_000);
}

test('a worker connects, is predicted, steers and chats', async (context) => {
  const said = await play('any');
  assert.equal(said.error, undefined);
  assert.equal(said.chat, 'from a worker');
  assert.ok(said.snapshots > 0);
  context.diagnostic(`over ${said.transport}; WebTransport in workers: ${said.hasWebTransport}`);
});

test('a worker plays over WebTransport, or says that workers of this browser have none', async () => {
  const said = await play('webtransport');
  if (!said.hasWebTransport) return assert.match(said.error, /^NoWebTransport: /);
  assert.equal(said.error, undefined);
  assert.equal(said.transport, 'webtransport');
});

test('a worker plays over a WebSocket', async () => {
  const said = await play('websocket');
  assert.equal(said.error, undefined);
  assert.equal(said.transport, 'websocket');
});

test('a worker made of a blob finds the certificate and the module as well', async () => {
  await page.evaluate((source) => {
    const absolute = source.replace('./tickwire', `${location.origin}/tickwire`).replace('location.search.slice(1)', "'any'");
    const blob = new Blob([absolute.replaceAll('location.host', JSON.stringify(location.host))], { type: 'text/javascript' });
    window.worker.terminate();
    window.said = [];
    window.worker = new Worker(URL.createObjectURL(blob), { type: 'module' });
    window.worker.onmessage = ({ data }) => window.said.push(data);
  }, WORKER);
  const said = await page.until('a dot', () => window.said.find(({ error, x }) => error || x > 5), undefined, 30_000);
  assert.equal(said.error, undefined);
  assert.deepEqual(page.errors, []);
});
