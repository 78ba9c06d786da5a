// A session on a WebSocket, as UDP did not pass, moves to WebTransport once it does, and the player notices nothing.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { launchBrowser } from './browsers.mjs';
import { startNetwork } from './network.mjs';
import { startServer } from './server.mjs';

let browser;
let server;
let network;
let pages;

before(async () => {
  browser = await launchBrowser();
});

beforeEach(async () => {
  pages = [];
  server = await startServer();
  network = await startNetwork(server);
  network.blockUdp();
});

afterEach(async () => {
  for (const page of pages) await page.close();
  network?.stop();
  await server?.stop();
  server?.clean();
});

after(() => browser?.close());

async function open(name, query) {
  const page = await browser.open(`${server.url}?room=court${query}`);
  pages.push(page);
  await page.join(name);
  await page.evaluate(note);
  return page;
}

/** In the page: keeps the session, all that it tells, and the ticks from one snapshot to the next, with their times. */
function note() {
  const session = (window.session = window.arena.client);
  Object.assign(window, { told: [], lines: [], moves: [], newest: session.stats().tick, gaps: [] });
  session.on('message', ({ text }) => window.lines.push(text));
  session.on('moved', (move) => {
    window.moves.push(move);
    window.movedMs = performance.now();
  });
  const events = ['reconnecting', 'resumed', 'moved', 'joined', 'left', 'memberAway', 'memberBack', 'memberLeft', 'close'];
  for (const event of events) session.on(event, () => window.told.push(event));
  setInterval(() => {
    const { tick } = session.stats();
    if (tick !== window.newest) window.gaps.push([performance.now(), tick - window.newest]);
    window.newest = tick;
  }, 1);
}

const stats = async () => (await fetch(new URL('/stats.json', server.url))).json();
const hears = (page, text) => page.until(`"${text}"`, (text) => window.lines.includes(text), text);

test('a session that began on a WebSocket goes over datagrams once they pass, and loses nothing', async () => {
  const far = await open('Far', `&port=${network.port}`);
  assert.equal(await far.evaluate(() => window.session.transport), 'websocket');
  const near = await open('Near', '');
  await far.until('both', () => window.session.members.size === 2);
  const player = await far.evaluate(() => window.session.player);
  await far.say('before');
  await hears(near, 'before');
  const said = ['before'];

  network.passUdp();
  await far.raw.bringToFront();
  await far.down('ArrowRight');
  // It talks and commands the whole time.
  await far.evaluate(() => {
    window.done = [];
    window.asked = 0;
    window.asking = setInterval(() => {
      const number = ++window.asked;
      window.session.command('ChangeTeam').then(() => window.done.push(number));
    }, 250);
    window.talking = setInterval(() => window.session.chat.send(`line ${(window.line = (window.line ?? 0) + 1)}`), 1500);
  });
  await far.until('the move', () => window.moves.length > 0, undefined, 120_000);
  assert.deepEqual(await far.evaluate(() => window.moves), [{ from: 'websocket', to: 'webtransport' }]);
  await far.evaluate(() => (clearInterval(window.asking), clearInterval(window.talking)));
  await far.until('the answers', () => window.done.length === window.asked);
  const { heading } = await far.until('the own ship', () => window.session.entities.mine('Ship'));
  await far.until('a turn', (from) => Math.abs((window.session.entities.mine('Ship')?.heading ?? from) - from) > 0.3, heading);
  await far.up('ArrowRight');
  await far.evaluate(() => window.session.chat.send('last'));
  for (const page of [far, near]) await hears(page, 'last');

  const lines = await far.evaluate(() => ({ lines: window.lines, count: window.line }));
  for (let line = 1; line <= lines.count; line++) said.push(`line ${line}`);
  assert.deepEqual(lines.lines, [...said, 'last']);
  assert.deepEqual(await near.evaluate(() => window.lines), lines.lines, 'both heard the same, once and in order');
  const done = await far.evaluate(() => window.done);
  assert.deepEqual(done, done.map((_, index) => index + 1), 'each command once and in order');
  const gap = await far.evaluate(() => {
    const near = window.gaps.filter(([ms]) => Math.abs(ms - window.movedMs) < 3000);
    return Math.max(0, ...near.map(([, ticks]) => ticks));
  });
  console.log(`most ticks from one snapshot to the next, within three seconds of the move: ${gap}`);
  // After a second without a datagram the client goes back, as it should: then the machine stood still.
  assert.deepEqual(await far.evaluate(() => window.told), ['moved'], `with ${gap} ticks from one snapshot to the next`);
  assert.deepEqual(await near.evaluate(() => window.told), [], 'others notice nothing');
  assert.equal(await far.evaluate(() => window.session.player), player);
  const after = await far.evaluate(() => ({ transport: window.session.stats().transport, same: window.arena.client === window.session, state: window.arena.state }));
  assert.deepEqual(after, { transport: 'webtransport', same: true, state: 'playing' });
  const { sessions_started: started, sessions_resumed: resumed, sessions_lost: lost, sessions } = await stats();
  assert.deepEqual({ started, resumed, lost, sessions }, { started: 2, resumed: 1, lost: 0, sessions: 2 });
  const tickHz = await far.evaluate(() => window.session.schema.tickHz);
  assert.ok(gap > 0 && gap < 2 * tickHz, `${gap} ticks without a snapshot`);
  assert.deepEqual([...far.errors, ...near.errors], []);

  // The next session of the page begins on what worked.
  await far.raw.reload();
  await far.ready();
  await far.join('Far again');
  assert.equal(await far.evaluate(() => window.arena.client.transport), 'webtransport');
});

test('a session that was asked to go over a WebSocket stays there', async () => {
  network.passUdp();
  const far = await open('Far', `&port=${network.port}&transport=websocket`);
  await far.evaluate(() => new Promise((done) => setTimeout(done, 12_000)));
  assert.deepEqual(await far.evaluate(() => [window.session.transport, ...window.told]), ['websocket']);
});

test('where UDP does not pass, a session stays on its WebSocket and the player notices nothing', async () => {
  const far = await open('Far', `&port=${network.port}`);
  await far.evaluate(() => new Promise((done) => setTimeout(done, 20_000)));
  await far.say('still here');
  await hears(far, 'still here');
  assert.deepEqual(await far.evaluate(() => [window.session.transport, ...window.told]), ['websocket']);
  assert.deepEqual(far.errors, []);
});
