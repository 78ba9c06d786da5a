import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage } from './stage.mjs';

const open = stage();
let page;

/** Runs in the page: from `window.stalls` on the browser hands over nothing more of datagrams or of streams, and says nothing. */
const stallable = `(${() => {
  window.stalls = { datagrams: false, streams: false };
  const through = (readable, what) => {
    const take = (bytes, out) => window.stalls[what] || out.enqueue(bytes);
    return readable.pipeThrough(new TransformStream({ transform: take }));
  };
  const { get } = Object.getOwnPropertyDescriptor(WebTransportDatagramDuplexStream.prototype, 'readable');
  Object.defineProperty(WebTransportDatagramDuplexStream.prototype, 'readable', {
    get() {
      return (this.filtered ??= through(get.call(this), 'datagrams'));
    },
  });
  const { createBidirectionalStream } = WebTransport.prototype;
  WebTransport.prototype.createBidirectionalStream = async function () {
    const { readable, writable } = await createBidirectionalStream.call(this);
    return { readable: through(readable, 'streams'), writable };
  };
}})()`;

/** Joins over WebTransport. The session, and what it told of moving, are kept in the page. */
async function play(query = '') {
  page = await open(query, { before: stallable });
  await page.join('Ann');
  await page.evaluate(() => {
    window.session = window.arena.client;
    window.moves = [];
    window.number = window.session.player;
    window.session.on('moved', (move) => window.moves.push(move));
  });
  assert.equal(await page.evaluate(() => window.session.transport), 'webtransport');
}

/** The same session, over the other transport, with all that a player has. */
async function playsOn() {
  await page.until('the move', () => window.moves.length > 0);
  assert.deepEqual(await page.evaluate(() => window.moves), [{ from: 'webtransport', to: 'websocket' }]);
  const now = await page.evaluate(() => ({
    same: window.arena.client === window.session,
    state: window.arena.state,
    transport: window.session.transport,
    seat: window.session.me?.player === window.number && window.session.me?.name,
    members: window.session.members.size,
  }));
  assert.deepEqual(now, { same: true, state: 'playing', transport: 'websocket', seat: 'Ann', members: 1 });
  const ship = await page.until('the own ship', () => window.arena.entities().find((entity) => entity.kind === 'Ship' && entity.mine));
  await page.down('ArrowLeft');
  const turned = (from) => Math.abs((window.session.entities.mine('Ship')?.heading ?? from) - from) > 0.5;
  await page.until('a turn', turned, ship.heading);
  await page.up('ArrowLeft');
  await page.say('still here');
  await page.until('the own message', () => window.arena.chat().some(({ text }) => text === 'still here'));
  assert.deepEqual(page.errors, []);
}

test('a browser that hands over no datagrams any more plays on over a WebSocket', async () => {
  await play();
  await page.evaluate(() => (window.stalls.datagrams = true));
  await playsOn();
});

test('a browser that hands over nothing of streams any more plays on over a WebSocket', async () => {
  await play();
  await page.evaluate(() => (window.stalls.streams = true));
  // Noticed by who waits for an answer.
  await page.say('anyone?');
  await playsOn();
});

test('what stalled is not tried first the next time', async () => {
  await play();
  await page.evaluate(() => (window.stalls.datagrams = true));
  await playsOn();
  await page.raw.reload();
  await page.ready();
  await page.join('Ann again');
  assert.equal(await page.evaluate(() => window.arena.client.transport), 'websocket');
});

test('a transport that was asked for and no other is kept', async () => {
  await play('?transport=webtransport');
  await page.evaluate(() => (window.stalls.datagrams = true));
  await page.until('the hint', () => document.getElementById('stalled').checkVisibility());
  await page.evaluate(() => new Promise((done) => setTimeout(done, 6000)));
  assert.deepEqual(await page.evaluate(() => [window.moves.length, window.session.transport]), [0, 'webtransport']);
  await page.evaluate(() => (window.stalls.datagrams = false));
  await page.until('the end of the hint', () => !document.getElementById('stalled').checkVisibility());
});
