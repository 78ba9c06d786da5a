// A room's map is loaded once: after a reload it comes from the browser's cache.
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { launchBrowser, Page } from './browsers.mjs';
import { startMine } from './server.mjs';

const PACKAGE = resolve(import.meta.dirname, '../../../../client/web');
const MAP_BYTES = 256 * 256;

let browser;
let server;
let folder;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tickwire-mine-page-'));
  for (const part of ['dist', 'wasm']) cpSync(join(PACKAGE, part), join(folder, part), { recursive: true });
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>mine</title><script type="module" src="page.js"></script>');
  const page = "import { connect } from './dist/index.js'; window.connectTo = (options) => connect(location.href, options);";
  writeFileSync(join(folder, 'page.js'), page);
  server = await startMine(folder);
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await server?.stop();
  server?.clean();
  rmSync(folder, { recursive: true, force: true });
});

/** Bytes of static data that the server sent so far. */
const sent = async () => (await (await fetch(`${server.url}stats.json`)).json()).static_bytes_out;

/** Joins, and gives how the map came: what was told on the way, and its bytes by their sum. */
async function load(page, options) {
  await page.until('a page', () => window.connectTo !== undefined);
  return page.evaluate(async (options) => {
    const client = await window.connectTo(options);
    const told = [];
    const whole = new Promise((done) => client.on('staticData', ({ received, total }) => (told.push(received), received === total && done())));
    await client.join({ name: 'Ann' });
    const timer = setInterval(() => client.update(), 16);
    await whole;
    const map = client.staticData(0);
    // The first tile is dug at once, by a change: wait for the next tile as well.
    client.setInput({ right: 1, down: 0 });
    const change = await new Promise((done) => client.on('staticChanged', done));
    clearInterval(timer);
    const isChanged = client.staticData(0)[change.offset] === 0 && change.bytes[0] === 0;
    const transport = client.transport;
    await client.close();
    return { told, length: map.length, earth: map.reduce((sum, tile) => sum + tile, 0), isChanged, transport };
  }, options);
}

test('a map is loaded once, whichever transport carries it', async () => {
  const page = await browser.open(server.url, { kind: Page });
  const first = await load(page, { transport: 'webtransport' });
  assert.deepEqual([first.length, first.isChanged, first.transport], [MAP_BYTES, true, 'webtransport']);
  assert.ok(first.told.length > 5, `progress: ${first.told}`);
  assert.equal(await sent(), MAP_BYTES);

  await page.raw.reload();
  const second = await load(page, { transport: 'websocket' });
  assert.deepEqual([second.length, second.isChanged, second.transport], [MAP_BYTES, true, 'websocket']);
  assert.ok(second.earth < first.earth + 2, 'what was dug is dug');
  assert.equal(await sent(), MAP_BYTES, 'the cache had it');

  await page.raw.reload();
  const third = await load(page, { transport: 'websocket', staticCache: false });
  assert.deepEqual([third.length, third.isChanged], [MAP_BYTES, true]);
  assert.equal(await sent(), 2 * MAP_BYTES, 'it was told not to look');
  assert.deepEqual(page.errors, []);
});
