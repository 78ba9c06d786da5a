// What can happen to a connection or to a server, while a page plays and chats with somebody who chats all the time: the same session, the
// same seat and ship, no line missing and none twice. Prints how long after the end of each fault the first snapshot came.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { launchBrowser } from './browsers.mjs';
import { countsOf, firstAfter, note, startPeer } from './company.mjs';
import { startNetwork } from './network.mjs';
import { CHATTY, LASTING, startServer } from './server.mjs';

const BROWSER = process.env.ARENA_BROWSER ?? 'chromium';
const SUSPENDED_MS = 10_000;
/** Of play before each fault and after it. */
const PLAY_MS = 1500;
/** Firefox reports a WebSocket whose network is cut, or whose server is gone, as an error of the page. */
const OF_THE_NETWORK = /establish a connection|was interrupted while the page was loading/;

let browser;
let server;
let network;
let near;
let far;
let had;

before(async () => {
  browser = await launchBrowser();
});

afterEach(async () => {
  await far?.close();
  near?.stop();
  network?.stop();
  await server?.stop();
  server?.clean();
  far = near = network = server = undefined;
});

after(() => browser?.close());

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** A page that plays behind a network, and its company. */
async function play(...flags) {
  server = await startServer(...CHATTY, ...flags);
  network = await startNetwork(server);
  near = await startPeer(server, 'court');
  far = await browser.open(`${server.url}?room=court&port=${network.port}`);
  await far.join('Far');
  await far.evaluate(note, 'far');
  await far.raw.bringToFront();
  had = await belongings();
  assert.equal(await far.evaluate(() => window.session.transport), 'webtransport');
  await sleep(PLAY_MS);
}

/** What a player would miss. */
function belongings() {
  return far.until('the own ship', () => {
    const { session } = window;
    const ship = session.entities.mine('Ship');
    return ship && { player: session.player, name: session.me?.name, room: session.room?.name, ship: ship.id, team: ship.team };
  });
}

/** It is the same session with all that it had, the ship obeys, and both say nothing more. Gives all that the page heard. */
async function playsOn() {
  await far.until('the end of the hint', () => !document.getElementById('stalled').checkVisibility());
  assert.ok(await far.evaluate(() => window.arena.client === window.session && window.arena.state === 'playing'), 'another session');
  assert.deepEqual(await belongings(), had);
  await far.raw.bringToFront();
  const { heading } = await far.ship();
  await far.down('ArrowRight');
  await far.until('a turn', (from) => Math.abs((window.session.entities.mine('Ship')?.heading ?? from) - from) > 0.5, heading);
  await far.up('ArrowRight');
  await sleep(PLAY_MS);
  const said = await far.evaluate(() => (clearInterval(window.talking), window.said));
  const last = [`far ${said}`, `near ${await near.quiet()}`];
  await far.until('the last lines', (last) => last.every((text) => window.lines.some((line) => line.text === text)), last);
  await near.until('the last lines', () => last.every((text) => near.lines.some((line) => line.text === text)));
  assert.deepEqual(await far.evaluate(() => window.refused), []);
  assert.deepEqual(far.errors.filter(({ message }) => !OF_THE_NETWORK.test(message)), []);
  assert.deepEqual([near.told.includes('close'), near.told.includes('memberLeft')], [false, false]);
  return far.evaluate(() => window.lines);
}

/** Both heard everything once, in one order. */
async function losesNothing() {
  const lines = await playsOn();
  const [ofNear, ofFar] = ['near', 'far'].map((speaker) => countsOf(lines, speaker));
  assert.deepEqual([ofNear, ofFar].map(({ gap, doubled }) => ({ gap, doubled })), Array(2).fill({ gap: 0, doubled: 0 }));
  assert.deepEqual(near.lines.filter(({ id }) => id >= lines[0].id), lines, 'both heard the same, in one order');
  assert.ok(ofFar.heard > 3 && ofNear.heard > 5, JSON.stringify({ ofNear, ofFar }));
  console.log(`  ${BROWSER}: chat: ${ofNear.heard + ofFar.heard} lines heard, none missing, none twice`);
}

/** Tells how long it took, and how. */
async function report(what, ms) {
  const { transport, events } = await far.evaluate(() => ({ transport: window.session.transport, events: window.told.splice(0) }));
  assert.deepEqual(events.filter((event) => ['left', 'removed', 'close'].includes(event)), []);
  console.log(`  ${BROWSER}: ${what}: first snapshot after ${ms} ms, over ${transport}${events.length > 0 ? `; ${events.join(', ')}` : ''}`);
  return events;
}

/** Back on datagrams: what a network that was away says of WebTransport is not that it stalls. */
const isOnDatagrams = () => window.session.transport === 'webtransport';

test('blackouts of 1, 5 and 20 seconds lose nothing, and the session is on datagrams again afterwards', async () => {
  await play();
  for (const seconds of [1, 5, 20]) {
    network.cut();
    await sleep(seconds * 1000);
    const mendedMs = Date.now();
    network.mend();
    const ms = await firstAfter(far, mendedMs);
    await far.until('the end of the loss', () => !window.session.isReconnecting);
    await report(`blackout of ${seconds} s`, ms);
    await far.until('datagrams again', isOnDatagrams);
  }
  await losesNothing();
});

test('where UDP is blocked in the middle of a game the session goes over to a WebSocket', async () => {
  await play();
  const blockedMs = Date.now();
  network.blockUdp();
  const ms = await firstAfter(far, blockedMs, 'moved');
  assert.deepEqual(await report('UDP blocked', ms), ['reconnecting', 'resumed', 'moved']);
  await losesNothing();
  assert.equal(await far.evaluate(() => window.session.transport), 'websocket');
  assert.deepEqual(near.told, [], 'others notice nothing');
});

test('a tab that is suspended for ten seconds plays on', async () => {
  await play();
  await far.suspend(SUSPENDED_MS);
  const endMs = Date.now();
  const ms = await firstAfter(far, endMs);
  await far.until('the end of the loss', () => !window.session.isReconnecting);
  await report(`suspended for ${SUSPENDED_MS / 1000} s`, ms);
  await losesNothing();
});

/**
 * Each line that is kept by the server is heard once, live or as history. A line that reached its room and was not saved when
 * the server was killed is said again, and may come twice.
 */
async function losesNothingSaved(doubledMax) {
  const lines = await playsOn();
  const { past, saved } = await far.evaluate(() => ({ past: window.past, saved: window.saved }));
  const heard = new Map([...past, ...lines].map(({ id, text }) => [id, text]));
  const missing = [...saved, ...near.saved].filter((id) => id >= lines[0].id && !heard.has(id));
  assert.deepEqual(missing, [], 'saved lines that the page did not hear');
  assert.equal(new Set(lines.map(({ id }) => id)).size, lines.length, 'a line came twice');
  const all = [...heard].filter(([id]) => id >= lines[0].id).map(([id, text]) => ({ id, text }));
  const [ofNear, ofFar] = ['near', 'far'].map((speaker) => countsOf(all, speaker));
  assert.deepEqual([ofNear.gap, ofFar.gap], [0, 0], 'lines that were said and never heard');
  const doubled = ofNear.doubled + ofFar.doubled;
  assert.ok(doubled <= doubledMax, `${doubled} lines twice`);
  const isSaved = new Set([...saved, ...near.saved]);
  const savedTexts = all.filter(({ id }) => isSaved.has(id)).map(({ text }) => text);
  assert.equal(new Set(savedTexts).size, savedTexts.length, 'a saved line was said again');
  console.log(`  ${BROWSER}: chat: ${ofNear.heard + ofFar.heard} lines heard, none missing, ${doubled} said again`);
}

test('a server that is killed and started again finds its players where they were', async () => {
  await play(...LASTING);
  await server.stop('SIGKILL');
  const startedMs = Date.now();
  await server.start();
  const ms = await firstAfter(far, startedMs, 'resumed');
  const events = await report('server killed, from the start of the new process', ms);
  assert.ok(events.includes('joined'), 'the restarted server told of the room');
  // At most those of one commit to the disk.
  await losesNothingSaved(4);
});

test('a server that hands over to a new process loses nothing', async () => {
  await play(...LASTING);
  const askedMs = Date.now();
  await server.handOver();
  const firstMs = await firstAfter(far, askedMs, 'resumed');
  const pauseMs = await far.evaluate((askedMs) => {
    const came = window.cameMs.filter((ms) => ms > askedMs - 500);
    return Math.max(...came.slice(1).map((ms, at) => ms - came[at]));
  }, askedMs);
  await report(`handover, ${pauseMs} ms without a snapshot`, firstMs);
  await losesNothingSaved(0);
});
