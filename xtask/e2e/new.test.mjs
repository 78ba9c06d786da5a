// What `cargo xtask new` wrote, played in a real Chromium: by its development server, and by its own server.
//
// GAME        the folder of the game
// GAME_SERVER its server's program
// SCREENSHOTS where pictures go
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { launchBrowser, launchPhone, Page } from '../../examples/arena/web/e2e/browsers.mjs';
import { startGame, startVite } from './game.mjs';

const { GAME: folder, GAME_SERVER: program, SCREENSHOTS: pictures } = process.env;
const page = join(folder, 'page');
/** Not how long a build takes, but when it is given up. */
const BUILD_MS = 300_000;
let browser;
let server;
let vite;
let ann;
let bob;

before(async () => {
  browser = await launchBrowser();
  server = await startGame(program, folder);
  rmSync(join(page, 'src/rules'), { recursive: true, force: true });
  vite = await startVite(page, server.url);
});

after(async () => {
  await browser?.close();
  await vite?.stop();
  await server?.stop();
});

async function open(url, options = {}) {
  const opened = await browser.open(url, { kind: Page, width: 1280, height: 800, ...options });
  await ownRunner(opened);
  return opened;
}

const ownRunner = (page) =>
  page.until('an own runner that is predicted', () => window.client?.entities.mine('Runner') && window.client.stats().predicting);

/** Changes a file, and waits until the page is loaded anew and plays. */
async function edit(page, file, change) {
  const path = join(folder, file);
  const text = readFileSync(path, 'utf8');
  assert.notEqual(change(text), text, file);
  await page.evaluate(() => (window.isOld = true));
  writeFileSync(path, change(text));
  await untilAnew(page, file, () => !window.isOld && window.client?.entities.mine('Runner') !== undefined);
}

/** The same as `Page.until`, through a load of the page: what runs in it then is lost. */
async function untilAnew(page, what, run) {
  for (const end = Date.now() + BUILD_MS; ; ) {
    if (await page.evaluate(run).catch(() => false)) return;
    if (Date.now() > end) throw new Error(`waited for ${what}: ${await page.state()}\n${vite.log}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** Opens the form for another room, and fills it. */
async function fill(page, { room, team, coins }) {
  await page.evaluate(([room, team, coins]) => {
    const form = document.querySelector('#room');
    form.closest('details').open = true;
    Object.assign(form.elements.room, { value: room });
    Object.assign(form.elements.team, { value: team });
    Object.assign(form.elements.coins, { value: coins });
  }, [room, team, coins]);
}

const leaveForm = (page) => page.evaluate(() => (document.querySelector('details').open = false, document.activeElement.blur()));

/** In the page: which two of what is shown meet, and what is wider than the page or reaches out of it. */
function overlaps() {
  const shown = [...document.querySelectorAll('h1, output, canvas, p, summary, button, input, select, ol')].filter((element) => element.checkVisibility());
  const boxes = shown.map((element) => {
    const { left, top, right, bottom } = element.getBoundingClientRect();
    return { id: element.id || element.name || element.value || element.tagName, left, top, right, bottom };
  });
  const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  const pairs = boxes.flatMap((a, at) => boxes.slice(at + 1).filter((b) => meet(a, b)).map((b) => `${a.id} and ${b.id}`));
  const out = boxes.filter(({ left, right }) => left < 0 || right > innerWidth).map(({ id }) => `${id} is out of the page`);
  const empty = boxes.filter(({ left, right, top, bottom }) => right - left < 8 || bottom - top < 8).map(({ id }) => `${id} has no size`);
  return [...pairs, ...out, ...empty];
}

test('a page plays while its rules are built, and predicts once they are', async () => {
  assert.match(vite.log, /building the rules for the page/);
  ann = await browser.open(vite.url, { kind: Page, width: 1280, height: 800 });
  await ann.until('an own runner', () => window.client?.entities.mine('Runner') !== undefined);
  assert.equal(await ann.evaluate(() => window.client.stats().predicting), false);
  await untilAnew(ann, 'prediction', () => window.client?.entities.mine('Runner') && window.client.stats().predicting);
  assert.match(vite.log, /the rules are built/);
});

test('two pages of the development server see each other, over WebTransport', async () => {
  bob = await open(vite.url);
  for (const page of [ann, bob]) {
    await page.until('two runners of people, and two bots', () => {
      const { entities, members } = window.client;
      const bots = entities.of('Runner').map(({ id }) => members.get(id)?.bot);
      return bots.length === 4 && bots.filter((isBot) => isBot === false).length === 2;
    });
    assert.equal(await page.evaluate(() => window.client.transport), 'webtransport');
  }
});

test('the own runner moves in the frame of its input, by the rules in the page', async () => {
  const moved = await ann.evaluate(() => {
    const { client } = window;
    client.update();
    const from = client.entities.mine('Runner').pos.x;
    const moved = () => client.entities.mine('Runner').pos.x - from;
    client.setInput({ right: 1, up: 0 });
    const end = performance.now() + 5000;
    while (moved() <= 0.1 && performance.now() < end) client.update();
    return moved();
  });
  assert.ok(moved > 0.1, `moved by ${moved}`);
});

test('what one steers the other sees, and what one says the other reads', async () => {
  const id = await ann.evaluate(() => window.client.player);
  const x = await bob.until("Ann's runner", (id) => window.client.entities.get(id)?.pos.x + 1000, id);
  await ann.raw.bringToFront();
  await ann.down('ArrowRight');
  await bob.until('it further right', ([id, x]) => window.client.entities.get(id)?.pos.x + 1000 > x + 10, [id, x]);
  await ann.up('ArrowRight');
  await ann.raw.type('#chat input', 'hello there');
  await ann.raw.keyboard.press('Enter');
  await bob.until('the message', () => document.querySelector('#messages').innerText.includes('hello there'));
  await ann.save(join(pictures, 'new-desktop.png'));
});

test('a button of a team sends a command, and the team is seen by the other', async () => {
  const id = await ann.evaluate(() => window.client.player);
  for (const team of ['Blue', 'Red', 'Blue']) {
    await ann.click(`#teams [value=${team}]`);
    await bob.until(`${team}`, ([id, team]) => window.client.entities.get(id)?.team === team, [id, team]);
  }
});

test('the form makes a room with its options, joins it, and says why one is refused', async () => {
  await fill(ann, { room: 'cellar', team: 'Red', coins: 12 });
  await ann.click('#make');
  await ann.until('the room', () => window.client.room?.name === 'cellar' && window.client.entities.of('Coin').length === 12);
  assert.equal(await ann.evaluate(() => window.client.entities.mine('Runner').team), 'Red');
  await fill(bob, { room: 'cellar', team: '', coins: 5 });
  await bob.click('#join');
  await bob.until('the room', () => window.client.room?.name === 'cellar' && window.client.entities.mine('Runner') !== undefined);
  await fill(bob, { room: 'attic', team: '', coins: 99 });
  await bob.click('#make');
  await bob.until('the refusal', () => document.querySelector('#messages').innerText.includes('a plane has 1 to 20 coins'));
  await bob.until('the room again', () => window.client.room?.name === 'cellar' && window.client.entities.mine('Runner') !== undefined);
  for (const page of [ann, bob]) await leaveForm(page);
});

for (const [width, height] of [[1280, 800], [844, 390], [390, 844], [360, 640]]) {
  test(`at ${width}x${height} nothing on the page covers anything else`, async () => {
    const page = await open(vite.url, { width, height });
    try {
      for (const form of ['closed', 'open']) {
        await page.evaluate((form) => (document.querySelector('details').open = form === 'open'), form);
        await page.save(join(pictures, `new-${width}x${height}-${form}.png`));
        assert.deepEqual(await page.evaluate(overlaps), [], form);
      }
      assert.deepEqual(page.errors, []);
    } finally {
      await page.close();
    }
  });
}

test('an edit of the page loads it anew, in the room that it was in', async () => {
  const name = await ann.evaluate(async () => {
    const { name } = window.client.me;
    await window.client.leave();
    await window.client.join({ name, room: 'den' });
    return name;
  });
  assert.notEqual(await bob.evaluate(() => window.client.room.name), 'den');
  await edit(ann, 'page/src/draw.ts', (text) => `${text}// ${Date.now()}\n`);
  assert.equal(await ann.evaluate(() => window.client.room.name), 'den');
  assert.equal(await ann.evaluate(() => window.client.me.name), name);
});

test('an edit of the rules builds them anew for the page, which says that the server runs the old ones', async () => {
  await edit(ann, 'src/lib.rs', (text) => text.replace('SPEED: f32 = 20.0', 'SPEED: f32 = 19.0').replace('range = 0..=9999', 'range = 0..=999'));
  assert.match(vite.log, /the rules are built/);
  assert.equal(await ann.evaluate(() => window.client.room.name), 'den');
  await ann.until('the text', () => /coins.*start the server again/.test(document.querySelector('#state').value));
});

test('rules that do not build are shown over the page, and the next edit mends it', async () => {
  const path = join(folder, 'src/lib.rs');
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, text.replace('fn run(', 'fn run('.repeat(2)));
  await untilAnew(ann, 'the error', () => document.querySelector('vite-error-overlay')?.shadowRoot.textContent.includes('lib.rs'));
  await edit(ann, 'src/lib.rs', () => text.replace('SPEED: f32 = 19.0', 'SPEED: f32 = 20.0').replace('range = 0..=999,', 'range = 0..=9999,'));
  await ann.until('prediction', () => window.client.stats().predicting && window.client.difference === undefined);
});

test('a page says what to do while no server runs, and plays once there is one', async () => {
  const { host } = new URL(server.url);
  await server.stop();
  await bob.until('the text', () => /cargo run/.test(document.querySelector('#state').value));
  server = await startGame(program, folder, { listen: host });
  await ownRunner(bob);
});

test('the types are those of the running game, and the page that is built plays on the game server', async () => {
  const npm = (...args) => spawnSync('npm', args, { cwd: page, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const types = spawnSync('npx', ['tickwire', 'types', server.url, '--check', '-o', typesFile()], { cwd: page, encoding: 'utf8' });
  assert.equal(types.status, 0, types.stderr);
  const built = npm('run', 'build');
  assert.equal(built.status, 0, built.stdout + built.stderr);
  const own = await startGame(program, folder, { flags: ['--page-dir', join(page, 'dist')] });
  const phone = await launchPhone();
  try {
    const hand = await phone.open(own.url, { kind: Page, width: 390, height: 844, scale: 2 });
    await ownRunner(hand);
    await hand.save(join(pictures, 'new-phone.png'));
    assert.deepEqual(hand.errors, []);
  } finally {
    await phone.close();
    await own.stop();
  }
  assert.deepEqual([...ann.errors, ...bob.errors], []);
});

/** As `package.json` names it. */
function typesFile() {
  const { scripts } = JSON.parse(readFileSync(join(page, 'package.json'), 'utf8'));
  return /-o (\S+)/.exec(scripts.types)[1];
}
