import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launchBrowser } from './browsers.mjs';
import { findServer } from './server.mjs';

let server;
let browser;
let ann;
let bob;

before(async () => {
  server = await findServer();
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await server?.stop();
  server?.clean();
});

const shipOf = (name) => {
  const { client } = window.arena;
  const member = [...client.members.values()].find((member) => member.name === name);
  return window.arena.entities().find((entity) => entity.kind === 'Ship' && entity.id === member?.player) ?? null;
};

test('the page comes compressed, and its scripts are kept', async () => {
  const page = await fetch(server.url);
  assert.match(page.headers.get('content-encoding') ?? '', /^(br|gzip)$/);
  const [, script] = /<script[^>]* src="(\S+)"/.exec(await page.text());
  const { headers } = await fetch(new URL(script, server.url), { method: 'HEAD' });
  assert.match(headers.get('content-encoding') ?? '', /^(br|gzip)$/);
  assert.match(headers.get('cache-control') ?? '', /immutable/);
});

test('a player joins by typing a name', async () => {
  ann = await browser.open(`${server.url}?transport=webtransport`);
  assert.equal(await ann.shown('enter'), true);
  await ann.join('Ann');
  assert.equal(await ann.shown('enter'), false);
  const { own, members, rocks, tickHz, transport } = await ann.evaluate(() => {
    const { client } = window.arena;
    return {
      own: client.me,
      members: client.members.size,
      rocks: [...client.entities.of('Asteroid')].length,
      tickHz: client.schema.tickHz,
      transport: client.stats().transport,
    };
  });
  assert.deepEqual({ members, tickHz, transport }, { members: 1, tickHz: 60, transport: 'webtransport' });
  assert.deepEqual({ name: own.name, spectator: own.spectator }, { name: 'Ann', spectator: false });
  assert.ok(rocks > 0, 'no rock is seen');
});

test('the ship turns, thrusts, brakes and fires as the keys say', async () => {
  const start = await ann.ship();
  await ann.down('ArrowLeft');
  await ann.until('a turn', (from) => Math.abs(window.arena.entities().find((entity) => entity.mine).heading - from) > 0.5, start.heading);
  await ann.up('ArrowLeft');
  await ann.down('ArrowUp');
  const flies = () => window.arena.entities().some((ship) => ship.mine && ship.thrusting && Math.hypot(ship.vel.x, ship.vel.y) > 80);
  await ann.until('speed', flies);
  await ann.down(' ');
  await ann.until('a shot', () => window.arena.entities().some((entity) => entity.kind === 'Shot'));
  await ann.until('a hot gun', () => window.arena.entities().some((ship) => ship.mine && ship.heat > 0));
  await ann.screenshot('flying');
  await ann.up(' ');
  await ann.up('ArrowUp');
  const moved = await ann.ship();
  if (moved) assert.ok(Math.hypot(moved.pos.x - start.pos.x, moved.pos.y - start.pos.y) > 5, 'the ship did not move');
});

test('a second player and the first see each other', async () => {
  bob = await browser.open(server.url);
  await bob.join('Bob');
  assert.equal(await bob.evaluate(() => window.arena.client.members.size), 2);
  await ann.until('Bob among the members', () => [...window.arena.client.members.values()].some(({ name }) => name === 'Bob'));
  await ann.flyTo('Bob');
  await bob.until("Ann's ship", shipOf, 'Ann');
  await ann.until('Bob on the score board', () => document.getElementById('board').innerText.includes('Bob'));
});

test('what one steers, the other sees', async () => {
  const before = await ann.until("Bob's ship", shipOf, 'Bob');
  await bob.down('ArrowRight');
  const turned = ([name, from]) => {
    const { client } = window.arena;
    const member = [...client.members.values()].find((member) => member.name === name);
    const ship = client.entities.get(member.player);
    return ship !== undefined && Math.abs(ship.heading - from) > 0.5;
  };
  await ann.until("a turn of Bob's ship", turned, ['Bob', before.heading]);
  await bob.up('ArrowRight');
});

test('chat passes both ways, and what looks like HTML is text', async () => {
  const heard = (wanted) =>
    window.arena.chat().some(({ kind, name, text }) => kind === 'message' && name === wanted.name && text === wanted.text);
  await ann.say('hello <b>Bob</b>');
  await bob.until("Ann's message", heard, { name: 'Ann', text: 'hello <b>Bob</b>' });
  await bob.say('hi Ann');
  await ann.until("Bob's message", heard, { name: 'Bob', text: 'hi Ann' });
  assert.match(await bob.text('chat-log'), /hello <b>Bob<\/b>/);
  assert.equal(await bob.evaluate(() => document.querySelector('#chat-log b b')), null);
});

test('a message to one is for that one', async () => {
  await bob.say('/w Ann psst');
  await ann.until('the whisper', () => window.arena.chat().some(({ text, private: only }) => text === 'psst' && only));
});

test('a key changes the team, and the game says whether it does', async () => {
  await bob.down('x');
  await bob.up('x');
  await bob.until("the game's word", () => /You fly for \w+ now|Stay with \w+/.test(document.getElementById('banner').textContent));
  const answer = await ann.evaluate(() => window.arena.client.command('ChangeTeam').then(() => 'done', ({ code }) => code));
  assert.equal(answer, 'done');
  const unknown = await ann.evaluate(() => window.arena.client.command('Fly').catch(({ message }) => message));
  assert.match(unknown, /the game has no command "Fly"; it has "ChangeTeam"/);
});

test('chat faster than allowed is told to the one who did it', async () => {
  const send = (line) => void window.arena.client.chat.send(`line ${line}`);
  for (let line = 0; line < 8; line++) await ann.evaluate(send, line);
  await ann.until('a refusal', () => window.arena.chat().some(({ kind }) => kind === 'refused'));
});

test('a name that is taken is asked again, and another one plays', async () => {
  const copy = await browser.open(server.url);
  await copy.enter('Ann');
  await copy.until('the error', () => window.arena.error === 'NameTaken');
  assert.equal(await copy.shown('enter'), true);
  assert.notEqual(await copy.text('enter-error'), '');
  await copy.join('Ann the second');
  await copy.close();
  const left = () => window.arena.chat().some(({ kind, text }) => kind === 'notice' && /^Ann the second (left|lost the connection)/.test(text));
  await ann.until('her leaving', left);
});

test('the numbers of the network are real', async () => {
  const read = () => window.arena.client.stats();
  const before = await ann.evaluate(read);
  // By the server's ticks, not by the clock: a busy machine makes fewer of both.
  const later = (tick) => window.arena.client.stats().tick > tick + 120 && window.arena.client.stats();
  const after = await ann.until('120 ticks', later, before.tick);
  const [ticks, snapshots] = [after.tick - before.tick, after.snapshots - before.snapshots];
  assert.ok(snapshots > ticks / 2 && snapshots <= ticks, `${snapshots} snapshots of ${ticks} ticks`);
  // A snapshot says its tick and for which seat it is, if nothing else.
  assert.ok(after.bytesIn - before.bytesIn >= 3 * snapshots, `${after.bytesIn - before.bytesIn} bytes in`);
  assert.ok(after.bytesOut > before.bytesOut);
  // In milliseconds, that is; a page that draws five frames a second answers that much later.
  const isPlausible = () => {
    const { rttMs, snapshotAgeMs } = window.arena.client.stats();
    return rttMs > 0 && rttMs < 5000 && snapshotAgeMs < 5000;
  };
  await ann.until('a plausible round trip', isPlausible);
  await ann.raw.keyboard.press('n');
  await ann.until('the numbers', () => /round trip\s+\d+ ms/.test(document.getElementById('net').innerText));
  await ann.screenshot('two-players');
});

test('nothing went wrong unheard', () => {
  assert.deepEqual([...ann.errors, ...bob.errors], []);
});
