// The start page: what it says, its rooms, and watching.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { launchBrowser, launchPhone } from './browsers.mjs';
import { startServer } from './server.mjs';

let browser;
let phone;
let server;
const pages = [];

before(async () => {
  browser = await launchBrowser();
});

afterEach(async () => {
  for (const page of pages.splice(0)) {
    assert.deepEqual(page.errors, []);
    await page.close();
  }
  await server?.stop();
  server?.clean();
  server = undefined;
});

after(async () => {
  await browser?.close();
  await phone?.close();
});

async function open(query = '', options = {}, on = browser) {
  const page = await on.open(server.url + query, options);
  pages.push(page);
  return page;
}

/** Of the page's list: name, seats, watchers and buttons of each room. */
const readRooms = (page) =>
  page.evaluate(() => {
    const text = (cell) => [...cell.querySelectorAll('button')].map((button) => button.innerText).join(' ') || cell.innerText;
    return [...document.querySelectorAll('#rooms-body tr')].map((row) => [...row.children].map(text));
  });

/** Waits until the list shows so many seats taken of the room. */
const untilPlayers = (page, room, players) =>
  page.until(`${players} players in ${room}`, ([room, players]) => {
    const row = [...document.querySelectorAll('#rooms-body tr')].find((row) => row.children[0].textContent === room);
    return row?.children[1].textContent.startsWith(`${players} /`);
  }, [room, players]);

const press = (page, room, button) =>
  page.evaluate(([room, button]) => {
    const row = [...document.querySelectorAll('#rooms-body tr')].find((row) => row.children[0].textContent === room);
    [...row.querySelectorAll('button')].find(({ textContent }) => textContent === button).click();
  }, [room, button]);

test('a desktop reads the goal and the keys', async () => {
  server = await startServer();
  const page = await open();
  assert.equal(await page.text('goal'), 'Shoot down more ships than the other team in five minutes.');
  assert.match(await page.text('keys'), /W ↑\s+thrust[^]*Space\s+fire[^]*N\s+network statistics/);
  assert.equal(await page.shown('thumbs'), false);
  assert.equal(await page.evaluate(() => document.activeElement.id), 'name');
  await page.until('the rooms', () => /No room is open yet/.test(document.getElementById('rooms-state').innerText));
  await page.screenshot('start');
});

for (const [width, height] of [[390, 844], [844, 390]]) {
  test(`a phone of ${width}x${height} reads of the stick and the fire button`, async () => {
    server = await startServer();
    phone ??= await launchPhone();
    const page = await open('', { width, height }, phone);
    assert.match(await page.text('thumbs'), /Stick, at the left[^]*Fire button, at the right/);
    assert.equal(await page.shown('keys'), false);
    await page.screenshot(`start-${width}x${height}`);
    await page.join('Ann');
    assert.deepEqual([await page.shown('stick'), await page.shown('fire')], [true, true]);
  });
}

test('the list has the rooms with their seats, and Join leads into one', async () => {
  server = await startServer('--room-players-max', '3');
  const host = await open('?room=court');
  await host.join('Host');
  const quick = await open();
  await quick.join('Quick');
  const page = await open();
  await untilPlayers(page, 'court', 1);
  const [one, other] = await readRooms(page);
  assert.deepEqual(one, ['court', '1 / 3', '0', 'Join Watch']);
  assert.deepEqual(other.slice(1), ['1 / 3', '0', 'Join Watch']);
  await press(page, 'court', 'Join');
  assert.match(await page.text('enter-error'), /Type a name/);
  await page.raw.type('#name', 'Ann');
  await press(page, 'court', 'Join');
  await page.untilState('playing');
  const { room, me } = await page.evaluate(() => ({ room: window.arena.client.room.name, me: window.arena.client.me }));
  assert.deepEqual([room, me.name, me.spectator], ['court', 'Ann', false]);
});

test('a full room can be watched, and the focus stays while numbers change', async () => {
  server = await startServer('--room-players-max', '2');
  const host = await open('?room=court');
  await host.join('Host');
  const page = await open();
  await untilPlayers(page, 'court', 1);
  // By keys alone: from the name over Play to the first button of the list.
  for (let tab = 0; tab < 2; tab++) await page.raw.keyboard.press('Tab');
  const focused = () => page.evaluate(() => `${document.activeElement.textContent} ${document.activeElement.closest('tr')?.children[0].textContent}`);
  assert.equal(await focused(), 'Join court');
  const guest = await open('?room=court');
  await guest.join('Guest');
  // A page behind another does not ask for rooms.
  await page.raw.bringToFront();
  await untilPlayers(page, 'court', 2);
  assert.equal(await focused(), 'Full court');
  await page.raw.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => window.arena.state), 'enter');
  await page.raw.keyboard.press('Tab');
  await page.raw.keyboard.press('Enter');
  await page.untilState('playing');
});

test('who watches follows a pilot, may play, and may leave', async () => {
  server = await startServer();
  const host = await open('?room=court');
  await host.join('Host');
  const page = await open();
  await untilPlayers(page, 'court', 1);
  await press(page, 'court', 'Watch');
  await page.untilState('playing');
  const text = () => document.getElementById('watching-text').innerText === 'Watching Host in court';
  await page.until('the pilot who is followed', text);
  const me = () => page.evaluate(() => window.arena.client.me);
  assert.equal((await me()).spectator, true);
  assert.match((await me()).name, /^Guest-\d{4}$/);
  assert.equal(await page.shown('gauges'), false);
  await page.screenshot('watching');
  await page.click('#watching-join');
  await page.until('the own ship', () => window.arena.client?.entities.mine('Ship'));
  assert.deepEqual([(await me()).spectator, await page.evaluate(() => window.arena.client.room.name)], [false, 'court']);
  assert.equal(await page.shown('watching'), false);
  await page.click('#leave');
  await page.untilState('enter');
  await host.until('the guest to be gone', () => window.arena.client.members.size === 1);
  await untilPlayers(page, 'court', 1);
  await page.join('Ann');
});

test('an idle start page gives its place back, and looks again when someone is there', async () => {
  server = await startServer('--roomless-ms', '1000');
  const page = await open();
  await page.until('the pause', () => /Nobody was here/.test(document.getElementById('rooms-state').innerText));
  assert.equal(await page.evaluate(() => window.arena.client === undefined), true);
  // The place is given back a second later again: a list that is there for a moment counts.
  await page.evaluate(() => {
    window.said = [];
    const state = document.getElementById('rooms-state');
    new MutationObserver(() => window.said.push(state.textContent)).observe(state, { childList: true, characterData: true, subtree: true });
  });
  await new Promise((done) => setTimeout(done, 1500));
  assert.deepEqual(await page.evaluate(() => window.said), [], 'nobody is there');
  for (let press = 0; press < 100 && !(await page.evaluate(() => window.said.some((text) => /No room is open yet/.test(text)))); press++) {
    await page.raw.keyboard.press('Tab');
    await new Promise((done) => setTimeout(done, 200));
  }
  assert.match((await page.evaluate(() => window.said)).join(), /No room is open yet/);
});

test('a start page whose server is gone says so, and has the rooms again once it is back', async () => {
  server = await startServer();
  const page = await open();
  await page.until('the list', () => /No room is open yet/.test(document.getElementById('rooms-state').innerText));
  await server.stop('SIGTERM');
  await page.until('the trouble', () => /The server .*Looking again soon/.test(document.getElementById('rooms-state').innerText));
  assert.equal(await page.evaluate(() => window.arena.state), 'enter');
  await server.start();
  await page.until('the list again', () => /No room is open yet/.test(document.getElementById('rooms-state').innerText));
  await page.join('Ann');
});

/** Fills in the form of a private room, and presses one of its buttons. */
async function enterPrivate(page, name, room, password, button) {
  await page.evaluate(([name, room, password]) => {
    document.getElementById('private').open = true;
    for (const [id, value] of [['name', name], ['private-room', room], ['private-password', password]]) document.getElementById(id).value = value;
  }, [name, room, password]);
  await page.click(`#private-${button}`);
}

test('a private room is made by one, and joined by who knows its name and password; others do not see it', async () => {
  server = await startServer();
  const [ann, bob] = [await open(), await open('', { width: 390, height: 844 })];
  await enterPrivate(ann, 'Ann', 'den', 'sesame', 'make');
  await ann.untilState('playing');
  await bob.until('a list without it', () => /No room is open/.test(document.getElementById('rooms-state').innerText));
  for (const [room, password, button] of [['den', 'open', 'join'], ['den', 'mine', 'make'], ['attic', 'sesame', 'join']]) {
    await enterPrivate(bob, 'Bob', room, password, button);
    await bob.until('why not', () => document.getElementById('private-error').innerText);
    assert.equal(await bob.evaluate(() => window.arena.state), 'enter');
    await bob.screenshot('private');
    await bob.evaluate(() => (document.getElementById('private-error').textContent = ''));
  }
  await enterPrivate(bob, 'Bob', 'den', 'sesame', 'join');
  await bob.untilState('playing');
  await ann.until('Bob', () => window.arena.client.members.size === 2);
});
