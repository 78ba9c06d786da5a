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
  // All at once: the page tries again by itself, and then says what became of that.
  const said = await page.until(
    `the message of ${code}`,
    (code) => {
      if (window.arena.state !== 'message' || window.arena.error !== code) return undefined;
      const element = (id) => document.getElementById(id);
      const [title, text, action] = ['title', 'text', 'action'].map((part) => element(`message-${part}`).innerText);
      return { title, text, action, isShown: element('message').checkVisibility(), hasHud: element('hud').checkVisibility() };
    },
    code,
  );
  assert.match(said.title, title);
  assert.ok(said.text.length > 20 && said.action.length > 2, JSON.stringify(said));
  assert.deepEqual([said.isShown, said.hasHud], [true, false]);
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

/** Plays again: by the same name, and in the same room. */
async function playsOn(name, room) {
  await page.untilState('playing');
  await page.until('an own ship again', () => window.arena.client?.entities.mine('Ship') !== undefined);
  const seat = await page.evaluate(() => [window.arena.client.me.name, window.arena.client.room.name]);
  assert.deepEqual(seat, [name, room]);
  assert.deepEqual([await page.shown('message'), await page.shown('enter'), await page.shown('hud')], [false, false, true]);
}

/** Runs in the page: while `window.isHeld` and no try is under way, no timer fires, so that the page tries nothing by itself. */
const holdable = `(${() => {
  // The button is disabled during a try.
  window.isQuiet = () => window.arena.state === 'message' && document.getElementById('message-action').ariaDisabled === 'false';
  const { setTimeout } = window;
  window.setTimeout = (run, ms, ...rest) => setTimeout(() => (window.isHeld && window.isQuiet()) || run(...rest), ms);
}})()`;

/** From now on the page tries nothing by itself, and a try that was under way has ended. */
async function hold() {
  await page.evaluate(() => (window.isHeld = true));
  await page.until('the end of a try', () => window.isQuiet());
}

/** Ends {@link hold} with a click, before any timer could fire. */
async function releaseBy(id) {
  await page.evaluate((id) => {
    window.isHeld = false;
    document.getElementById(id).click();
  }, id);
}

test('a server that stops says so, and the page plays on by itself once it is back', async () => {
  server = await startServer();
  page = await browser.open(`${server.url}?room=court`);
  await page.join('Ann');
  const stopped = server.stop('SIGTERM');
  await told('ServerStopping', /stopping/);
  assert.equal(await page.evaluate(() => document.activeElement.id), 'message-action');
  await page.screenshot('stopping');
  assert.equal(await stopped, 0);
  await told('Unreachable', /reached/);
  await page.until('the countdown', () => /Trying again in \d+ s/.test(document.getElementById('message-retry').innerText));
  assert.equal(await page.text('message-action'), 'Try now');
  await server.start();
  await playsOn('Ann', 'court');
  assert.deepEqual(page.errors, []);
});

test('whoever was in any room comes back to where others of that room meet', async () => {
  server = await startServer();
  page = await browser.open(server.url);
  await page.join('Ann');
  const room = await page.evaluate(() => window.arena.client.room.name);
  await server.stop('SIGTERM');
  await page.untilState('message');
  await server.start();
  await playsOn('Ann', room);
  assert.equal(await page.evaluate(() => window.arena.client.host), undefined, 'a room of one name, with a host');
});

test('the button tries at once', async () => {
  server = await startServer('--idle-ms', '2000', '--keep-alive-ms', '500', '--resume-grace-ms', '1000');
  page = await browser.open(`${server.url}?room=court`, { before: holdable });
  await page.join('Ann');
  await server.stop('SIGKILL');
  await told('ConnectionLost', /gone/);
  await hold();
  await server.start();
  await releaseBy('message-action');
  await playsOn('Ann', 'court');
});

test('the start page is one button away from a server that is gone', async () => {
  server = await startServer();
  page = await browser.open(server.url, { before: holdable });
  await page.join('Ann');
  await server.stop('SIGTERM');
  await page.untilState('message');
  // A try of the page's own would take the button away under the mouse.
  await hold();
  await page.click('#message-back');
  await page.untilState('enter');
  await page.evaluate(() => (window.isHeld = false));
  await server.start();
  await page.until('the rooms', () => /No room is open yet/.test(document.getElementById('rooms-state').innerText));
  assert.equal(await page.evaluate(() => window.arena.state), 'enter', 'it plays though nobody asked for it');
});

test('who comes back while the old seat is still taken gets it once it is free', async () => {
  server = await startServer();
  page = await browser.open(`${server.url}?room=court`, { before: holdable });
  await page.join('Ann');
  const stopped = server.stop('SIGTERM');
  await page.untilState('message');
  // A try that is still under way could reach the server's second life before the other one does.
  await hold();
  await stopped;
  await server.start();
  // The server knows no difference between an old seat and another person of that name.
  const old = await browser.open(`${server.url}?room=court`);
  await old.join('Ann');
  await releaseBy('message-action');
  await told('NameTaken', /old seat/);
  await old.close();
  await playsOn('Ann', 'court');
});

test('a server that vanishes is missed', async () => {
  server = await startServer('--idle-ms', '2000', '--keep-alive-ms', '500', '--resume-grace-ms', '1000');
  page = await browser.open(server.url);
  await page.join('Ann');
  await server.stop('SIGKILL');
  await page.until('the hint', () => window.arena.state === 'message' || document.getElementById('stalled').checkVisibility());
  await page.until('the end', () => window.arena.state === 'message' && window.arena.error === 'ConnectionLost', undefined, 60_000);
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
  // Before a name is typed: the start page asks for the rooms.
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
