import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { launchBrowser } from './browsers.mjs';
import { startServer } from './server.mjs';

let browser;
let server;
let page;

before(async () => {
  browser = await launchBrowser();
});

afterEach(async () => {
  await page?.close();
  await server?.stop();
  server?.clean();
  page = server = undefined;
});

after(() => browser?.close());

/** The message over everything says this, and its button does something. */
async function told(code, title) {
  await page.untilState('message');
  assert.equal(await page.evaluate(() => window.arena.error), code);
  assert.equal(await page.shown('message'), true);
  assert.match(await page.text('message-title'), title);
  assert.ok((await page.text('message-text')).length > 20);
  assert.ok((await page.text('message-action')).length > 2);
  assert.equal(await page.shown('hud'), false);
}

test('a full server is told, and when there is space the button gets in', async () => {
  server = await startServer('--connections-max', '1');
  const first = await browser.open(server.url);
  await first.join('First');
  page = await browser.open(server.url);
  await page.enter('Second');
  await told('ServerFull', /full/);
  await page.screenshot('full');
  await first.close();
  await page.until('a seat', () => {
    if (window.arena.state === 'message') document.getElementById('message-action').click();
    return window.arena.state === 'playing';
  });
});

for (const transport of ['webtransport', 'websocket']) {
  test(`a page of an origin that may not connect is told so over ${transport}`, async () => {
    server = await startServer('--allowed-origins', 'https://another.example');
    // More than once: the close may come before or after the session's streams are open.
    for (let tries = 0; tries < 3; tries++) {
      await page?.close();
      page = await browser.open(`${server.url}?transport=${transport}`);
      await page.enter('Ann');
      await told('OriginRefused', /may not play/);
    }
    await page.screenshot(`origin-${transport}`);
  });
}

for (const transport of ['webtransport', 'websocket']) {
  test(`a player whose tab is closed has left over ${transport}`, async () => {
    server = await startServer();
    page = await browser.open(server.url);
    await page.join('Witness');
    await page.evaluate(() => {
      window.codes = [];
      window.arena.client.on('memberLeft', ({ code }) => window.codes.push(code));
    });
    for (let left = 1; left <= 3; left++) {
      const other = await browser.open(`${server.url}?transport=${transport}`);
      await other.join('Visitor');
      await other.close();
      await page.until('the visitor to be gone', (left) => window.codes.length === left, left);
    }
    assert.deepEqual(await page.evaluate(() => window.codes), ['Normal', 'Normal', 'Normal']);
  });
}

test('a server that stops says so, and the button plays again once it is back', async () => {
  server = await startServer();
  page = await browser.open(server.url);
  await page.join('Ann');
  assert.equal(await server.stop('SIGTERM'), 0);
  await told('ServerStopping', /stopping/);
  await page.screenshot('stopping');
  await page.click('#message-action');
  await told('Unreachable', /reached/);
  await server.start();
  await page.click('#message-action');
  await page.untilState('playing');
  await page.until('an own ship again', () => window.arena.client.entities.mine('Ship') !== undefined);
});

test('a server that vanishes is missed', async () => {
  server = await startServer('--idle-ms', '2000', '--keep-alive-ms', '500');
  page = await browser.open(server.url);
  await page.join('Ann');
  await server.stop('SIGKILL');
  await page.until('the hint', () => window.arena.state === 'message' || document.getElementById('stalled').checkVisibility());
  await page.until('the end', () => window.arena.state === 'message', undefined, 60_000);
  await told('ConnectionLost', /gone/);
  await page.screenshot('gone');
});

test('a page of another protocol version is told to load again', async () => {
  server = await startServer();
  // The version is the byte after the stream's type and the frame's length.
  const otherVersion = () => {
    const { write } = WritableStreamDefaultWriter.prototype;
    WritableStreamDefaultWriter.prototype.write = function (bytes) {
      if (bytes instanceof Uint8Array && bytes[0] === 1 && bytes.length > 8) {
        bytes[5] = 250;
        WritableStreamDefaultWriter.prototype.write = write;
      }
      return write.call(this, bytes);
    };
  };
  page = await browser.open(`${server.url}?transport=webtransport`, { before: `(${otherVersion})()` });
  await page.enter('Ann');
  await told('VersionMismatch', /version/);
  assert.match(await page.text('message-action'), /Reload/);
  await page.screenshot('another-version');
});

test('the host removes a player, who reads why', async () => {
  server = await startServer();
  const court = `${server.url}?room=court`;
  const host = await browser.open(court);
  await host.join('Host');
  page = await browser.open(court);
  await page.join('Guest');
  await host.until('the guest', () => window.arena.client.members.size === 2);
  const refused = await page.evaluate(() => window.arena.client.kick(window.arena.client.host, 'me first').catch((error) => error.code));
  assert.equal(refused, 'NotHost');
  await host.evaluate(() => {
    const { client } = window.arena;
    const guest = [...client.members.values()].find(({ name }) => name === 'Guest');
    return client.kick(guest.player, 'no spawn camping');
  });
  await told('Kicked', /removed/);
  assert.match(await page.text('message-text'), /no spawn camping/i);
  assert.ok(await page.evaluate(() => window.arena.client !== undefined), 'the session goes on');
  await page.click('#message-action');
  await told('RemovedFromRoom', /removed/);
  await host.close();
});
