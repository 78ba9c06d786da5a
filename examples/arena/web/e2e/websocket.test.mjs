import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { after, afterEach, before, test } from 'node:test';
import { launchBrowser } from './browsers.mjs';
import { startServer } from './server.mjs';

let browser;
let server;
let hole;
const pages = [];

before(async () => {
  browser = await launchBrowser();
  server = await startServer();
  // Takes packets and answers none, as a firewall does.
  hole = createSocket('udp4');
  hole.bind(0, '127.0.0.1');
  await once(hole, 'listening');
});

afterEach(async () => {
  for (const page of pages.splice(0)) await page.close();
});

after(async () => {
  hole?.close();
  await browser?.close();
  await server?.stop();
  server?.clean();
});

async function open(options, query = '') {
  const page = await browser.open(server.url + query, options);
  pages.push(page);
  return page;
}

/** Runs in the page: its WebTransport leads into the hole. */
const blockUdp = (port) => `(${(port) => {
  globalThis.WebTransport = class extends globalThis.WebTransport {
    constructor(url, options) {
      const blocked = new URL(url);
      blocked.port = port;
      super(blocked.href, options);
    }
  };
}})(${port})`;

/** Runs in the page: notes when each transport is begun. */
const noteBeginnings = `(${() => {
  window.begun = [];
  for (const name of ['WebTransport', 'WebSocket']) {
    globalThis[name] = class extends globalThis[name] {
      constructor(...how) {
        window.begun.push({ name, atMs: performance.now() });
        super(...how);
      }
    };
  }
}})()`;

const transport = (page) => page.evaluate(() => window.arena.client.transport);

test('where UDP passes no WebSocket is begun', async () => {
  const page = await open({ before: noteBeginnings });
  await page.join('Free');
  assert.equal(await transport(page), 'webtransport');
  assert.deepEqual(await page.evaluate(() => window.begun.map(({ name }) => name)), ['WebTransport']);
  assert.deepEqual(page.errors, []);
});

test('where UDP is blocked a WebSocket is begun after a while, and the next time at once', async (context) => {
  const page = await open({ before: `${blockUdp(hole.address().port)};${noteBeginnings}` });
  const waitedMs = [];
  for (const name of ['Walled', 'Again']) {
    await page.join(name);
    assert.equal(await transport(page), 'websocket');
    const begun = await page.evaluate(() => window.begun);
    assert.deepEqual(begun.map(({ name }) => name), ['WebTransport', 'WebSocket']);
    waitedMs.push(begun[1].atMs - begun[0].atMs);
    await page.evaluate(() => window.arena.client.close());
    await page.untilState('message');
    if (name === 'Walled') {
      await page.raw.reload();
      await page.ready();
    }
  }
  context.diagnostic(`begun after ${waitedMs.map((ms) => `${ms.toFixed(0)} ms`).join(', and then ')}`);
  assert.ok(waitedMs[1] < waitedMs[0] / 4, `${waitedMs} ms`);
});

test('where UDP is blocked a player flies and chats', async () => {
  const page = await open({ before: blockUdp(hole.address().port) });
  await page.join('Walled');
  assert.equal(await transport(page), 'websocket');
  await page.raw.keyboard.press('n');
  await page.until('the number that tells', () => /transport\s+TCP/.test(document.getElementById('net').innerText));

  const other = await open({}, '?transport=webtransport');
  await other.join('Seen');
  assert.equal(await transport(other), 'webtransport');
  const before = await page.evaluate(() => window.arena.client.stats().snapshots);
  await page.down('ArrowUp');
  await page.until('speed', () => window.arena.entities().some((ship) => ship.mine && Math.hypot(ship.vel.x, ship.vel.y) > 60));
  await page.up('ArrowUp');
  await page.until('snapshots', (before) => window.arena.client.stats().snapshots > before + 60, before);
  await page.say('over the wall');
  const heard = () => window.arena.chat().some(({ name, text }) => name === 'Walled' && text === 'over the wall');
  await other.until('the message', heard);
  await page.until('a plausible round trip', () => {
    const { rttMs } = window.arena.client.stats();
    return rttMs > 0 && rttMs < 5000;
  });
  assert.deepEqual([...page.errors, ...other.errors], []);
  await page.screenshot('websocket');
});

test('a browser without WebTransport plays as well', async () => {
  const page = await open({ before: 'delete globalThis.WebTransport' });
  await page.join('Ann');
  assert.equal(await transport(page), 'websocket');
});

test('a player who is removed over a WebSocket reads why', async () => {
  const host = await open({}, '?transport=websocket&room=court');
  await host.join('Host');
  const guest = await open({}, '?transport=websocket&room=court');
  await guest.join('Guest');
  await host.until('the guest', () => window.arena.client.members.size === 2);
  await host.evaluate(() => {
    const { client } = window.arena;
    const guest = [...client.members.values()].find(({ name }) => name === 'Guest');
    return client.kick(guest.player, 'no spawn camping');
  });
  await guest.untilState('message');
  assert.equal(await guest.evaluate(() => window.arena.error), 'Kicked');
  assert.match(await guest.text('message-text'), /no spawn camping/i);
});
