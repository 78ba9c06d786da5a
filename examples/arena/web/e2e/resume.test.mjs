// Sessions whose connection is lost: they go on, in the same seat.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { launchBrowser } from './browsers.mjs';
import { startNetwork } from './network.mjs';
import { startServer } from './server.mjs';

/** Not how long anything takes, but when it is given up. */
const SHOOTING_MS = 180_000;
const LOSS_MS = 30_000;
/** Of a ship, in radians. */
const TURN_PER_SECOND = (12 / 1024) * 2 * Math.PI * 60;

let browser;
let server;
let network;
let far;
let near;

before(async () => {
  browser = await launchBrowser();
});

beforeEach(async () => {
  // It gives a silent connection up soon, and its player not.
  server = await startServer('--idle-ms', '2000', '--keep-alive-ms', '500', '--resume-grace-ms', '120000');
  network = await startNetwork(server);
});

afterEach(async () => {
  await far?.close();
  await near?.close();
  network?.stop();
  await server?.stop();
  server?.clean();
  far = near = undefined;
});

after(() => browser?.close());

/** Joins through the network, and notes what the session tells from then on. */
async function join(transport = '') {
  far = await browser.open(`${server.url}?room=court&port=${network.port}${transport && `&transport=${transport}`}`);
  await far.join('Far');
  await note(far);
}

/** Another player in the same room, to whom the network is nothing. */
async function joinNear() {
  near = await browser.open(`${server.url}?room=court`);
  await near.join('Near');
  await note(near);
  await far.until('both', () => window.arena.client.members.size === 2);
}

function note(page) {
  return page.evaluate(() => {
    window.session = window.arena.client;
    window.lines = [];
    window.told = [];
    window.session.on('message', ({ text }) => window.lines.push(text));
    for (const event of ['reconnecting', 'resumed', 'moved', 'joined', 'close']) window.session.on(event, () => window.told.push(event));
  });
}

const stats = async () => (await fetch(new URL('/stats.json', server.url))).json();

async function untilLost(count) {
  const end = Date.now() + LOSS_MS;
  while ((await stats()).sessions_lost < count) {
    assert.ok(Date.now() < end, 'the server lost no connection');
    await new Promise((done) => setTimeout(done, 50));
  }
}

const hears = (page, text) => page.until(`"${text}"`, (text) => window.lines.includes(text), text);

/** What a player would miss. */
const belongings = () =>
  far.until('the own ship', () => {
    const { session } = window;
    const ship = session.entities.mine('Ship');
    return ship && { player: session.player, name: session.me?.name, room: session.room?.name, team: ship.team, score: ship.score };
  });

/** The same number, place and team, with the points that there were at least: it may drift over a crystal. */
async function keeps(before) {
  const { score, ...after } = await belongings();
  assert.deepEqual({ ...after, score: before.score }, before);
  assert.ok(score >= before.score, `${score} of ${before.score} points`);
}

/** In the page: how far to turn to the nearest rock, or nothing without one. */
function courseToRock() {
  const { entities } = window.session;
  const own = entities.mine('Ship');
  if (!own) return undefined;
  const away = ({ pos }) => Math.hypot(pos.x - own.pos.x, pos.y - own.pos.y);
  const [rock] = [...entities.of('Asteroid')].sort((a, b) => away(a) - away(b));
  if (!rock) return undefined;
  const course = Math.atan2(rock.pos.y - own.pos.y, rock.pos.x - own.pos.x) - own.heading;
  return course - 2 * Math.PI * Math.round(course / (2 * Math.PI));
}

/** Firefox reports a WebSocket whose network is cut, or whose server is gone, as an error of the page. */
const OF_THE_NETWORK = /establish a connection|was interrupted while the page was loading/;

/** Errors of the page itself. */
function wentWrong(page) {
  return page.errors.filter(({ message }) => !OF_THE_NETWORK.test(message));
}

/** Shoots rocks until there are points, and stays where it is then. */
async function score() {
  await far.raw.bringToFront();
  const end = Date.now() + SHOOTING_MS;
  while (!(await far.evaluate(() => window.session.entities.mine('Ship')?.score > 0))) {
    assert.ok(Date.now() < end, 'no rock was shot');
    const turn = await far.evaluate(courseToRock);
    if (turn === undefined) await far.hold('ArrowUp', 400);
    else await far.hold(turn > 0 ? 'ArrowLeft' : 'ArrowRight', (Math.abs(turn) / TURN_PER_SECOND) * 1000);
    await far.hold(' ', 800);
  }
  // Shots that are still on their way.
  const shots = () => [...window.session.entities.of('Shot')].every(({ mine }) => !mine);
  await far.until('the end of the own shots', shots);
}

/** The same session plays on, and the server hears of it. */
async function playsOn() {
  await far.until('the session to go on', () => window.told.includes('resumed') && !window.session.isReconnecting);
  assert.ok(await far.evaluate(() => window.arena.client === window.session && window.arena.state === 'playing'));
  await far.until('the end of the hint', () => !document.getElementById('stalled').checkVisibility());
  await far.raw.bringToFront();
  const ship = await far.until('the own ship', () => window.arena.entities().find((entity) => entity.kind === 'Ship' && entity.mine));
  await far.down('ArrowRight');
  await far.until('a turn', (from) => Math.abs((window.session.entities.mine('Ship')?.heading ?? from) - from) > 0.5, ship.heading);
  await far.up('ArrowRight');
}

for (const transport of ['webtransport', 'websocket']) {
  test(`a blackout ends nobody's game, over ${transport}`, async () => {
    await join(transport);
    await joinNear();
    await score();
    const before = await belongings();
    await far.say('before');
    await hears(near, 'before');

    network.cut();
    await far.say('into the dark');
    await untilLost(1);
    await near.say('meanwhile');
    await hears(near, 'meanwhile');
    await far.until('the word for the player', () => /reconnecting/i.test(document.getElementById('stalled').innerText));
    await far.screenshot(`reconnecting-${transport}`);
    await far.say('still dark');
    network.mend();

    await playsOn();
    await far.say('last');
    for (const page of [near, far]) await hears(page, 'last');
    const lines = await far.evaluate(() => window.lines);
    assert.deepEqual([...lines].sort(), ['before', 'into the dark', 'last', 'meanwhile', 'still dark']);
    assert.deepEqual(await near.evaluate(() => window.lines), lines, 'both heard the same, in the same order');
    await keeps(before);
    assert.deepEqual(await far.evaluate(() => window.told.filter((event) => event !== 'reconnecting')), ['resumed']);
    assert.equal(await far.evaluate(() => window.session.transport), transport);
    const { sessions_started: started, sessions_resumed: resumed, sessions } = await stats();
    assert.deepEqual({ started, resumed, sessions }, { started: 2, resumed: 1, sessions: 2 });
    assert.deepEqual([...wentWrong(far), ...wentWrong(near)], []);
  });
}

test('a page that hears nothing while the server hears it keeps its seat', async () => {
  await join('webtransport');
  await joinNear();
  const before = await belongings();
  network.deafen();
  await far.until('the loss', () => window.told.includes('reconnecting'));
  await untilLost(1);
  await near.say('meanwhile');
  network.mend();
  await playsOn();
  await hears(far, 'meanwhile');
  await keeps(before);
  const { sessions_started: started, sessions_resumed: resumed, sessions } = await stats();
  assert.deepEqual({ started, resumed, sessions }, { started: 2, resumed: 1, sessions: 2 });
  assert.deepEqual(await far.evaluate(() => window.told.filter((event) => event !== 'reconnecting')), ['resumed']);
  assert.deepEqual(wentWrong(far), []);
});

test('a player whose network blocks UDP from then on plays on over a WebSocket', async () => {
  await join();
  assert.equal(await far.evaluate(() => window.session.transport), 'webtransport');
  const before = await belongings();
  network.cut();
  await untilLost(1);
  network.blockUdp();
  network.mend();
  await playsOn();
  assert.equal(await far.evaluate(() => window.session.transport), 'websocket');
  await keeps(before);
  assert.deepEqual(await far.evaluate(() => window.told.filter((event) => event !== 'reconnecting')), ['resumed', 'moved']);
  assert.deepEqual(wentWrong(far), []);
});

test('a server that was started anew knows nothing of the session: the page takes its place again by itself', async () => {
  await join();
  await server.stop('SIGKILL');
  await far.until('the loss', () => window.session.isReconnecting);
  await server.start();
  await far.until('a new session', () => window.arena.client && window.arena.client !== window.session && window.arena.state === 'playing');
  assert.deepEqual(await far.evaluate(() => [window.arena.client.me.name, window.arena.client.room.name]), ['Far', 'court']);
  assert.deepEqual(await far.evaluate(() => window.told.filter((event) => event !== 'reconnecting')), ['close']);
  assert.deepEqual(wentWrong(far), []);
});

test('a session that the server ended is not brought back', async () => {
  await join();
  await server.stop();
  await far.untilState('message');
  assert.equal(await far.evaluate(() => window.arena.error), 'ServerStopping');
  assert.deepEqual(await far.evaluate(() => window.told), ['close']);
});
