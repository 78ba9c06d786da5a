import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, afterEach, before, test } from 'node:test';
import { launchBrowser } from './browsers.mjs';
import { program, startServer } from './server.mjs';

/** Of the proxy, one way. */
const DELAY_MS = 80;

let browser;
let server;
let proxy;
let port;
let page;

before(async () => {
  browser = await launchBrowser();
  server = await startServer();
  const flags = ['proxy', '--to', new URL(server.url).host, '--profile', 'lan', '--delay', String(DELAY_MS), '--until-eof'];
  // It ends with this program, which holds its input.
  proxy = spawn(program('tickwire-bench', 'TICKWIRE_BENCH'), flags, { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = await once(proxy.stdout, 'data');
  port = /udp=\S+:(\d+)/.exec(line)[1];
});

afterEach(() => page?.close());

after(async () => {
  proxy?.stdin.end();
  await browser?.close();
  await server?.stop();
  server?.clean();
});

for (const [query, transport] of [
  ['', 'webtransport'],
  ['&transport=webtransport', 'webtransport'],
  ['&transport=websocket', 'websocket'],
]) {
  test(`?port=${query} plays through the proxy over ${transport}`, async () => {
    page = await browser.open(`${server.url}?port=${port}${query}`);
    await page.join('Ann');
    assert.equal(await page.evaluate(() => window.arena.client.transport), transport);
    const isFar = (ms) => window.arena.client.stats().rttMs > ms;
    await page.until('a round trip through the proxy', isFar, 2 * DELAY_MS);
  });
}
