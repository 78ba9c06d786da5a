import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { launchBrowser } from './browsers.mjs';
import { startProxy, startServer } from './server.mjs';

/** Of the proxy, one way. */
const DELAY_MS = 80;

let browser;
let server;
let proxy;
let page;

before(async () => {
  browser = await launchBrowser();
  server = await startServer();
  proxy = await startProxy(server, '--profile', 'lan', '--delay', String(DELAY_MS));
});

afterEach(() => page?.close());

after(async () => {
  proxy?.stop();
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
    page = await browser.open(`${server.url}?port=${proxy.port}${query}`);
    await page.join('Ann');
    assert.equal(await page.evaluate(() => window.arena.client.transport), transport);
    const isFar = (ms) => window.arena.client.stats().rttMs > ms;
    await page.until('a round trip through the proxy', isFar, 2 * DELAY_MS);
  });
}
