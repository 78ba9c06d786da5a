import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { launchBrowser } from './browsers.mjs';
import { ARENA, startMinimal, startServer } from './server.mjs';

const HASH = readFileSync(new URL('./script-hash.txt', import.meta.url), 'utf8').trim();
const TICKS = 10_000;

let browser;
let server;
let page;

before(async () => {
  browser = await launchBrowser();
  server = await startServer();
  page = await browser.open(server.url);
});

after(async () => {
  await page?.close();
  await browser?.close();
  await server?.stop();
  server?.clean();
});

test('the rules give the same states in the browser as on the server', async () => {
  assert.equal(await page.evaluate((ticks) => window.arena.scriptHash(ticks), TICKS), HASH);
});

test('the own ship and its shots are predicted, and the server agrees', async () => {
  await page.join('Seer');
  await page.until('prediction', () => window.arena.client.stats().predicting);
  await page.down('ArrowUp');
  await page.down('ArrowLeft');
  await page.down(' ');
  // A shot that the server has not numbered yet, or had not when it was first shown.
  const FIRST_PREDICTED_ID = 0xf0000000;
  const fired = (first) => window.arena.entities().some((shot) => shot.kind === 'Shot' && shot.mine && shot.id >= first);
  await page.until('a predicted shot', fired, FIRST_PREDICTED_ID);
  const before = await page.evaluate(() => window.arena.client.stats());
  await page.until('two seconds of flight', (from) => window.arena.client.stats().tick > from + 120, before.tick);
  const after = await page.evaluate(() => window.arena.client.stats());
  await page.until('the ship where it is', () => window.arena.client.stats().predictionError < 160);
  await page.up(' ');
  await page.up('ArrowLeft');
  await page.up('ArrowUp');
  // Inputs of a busy machine may come late; a ship that was not predicted well would be put right by each snapshot.
  const [corrections, snapshots] = [after.corrections - before.corrections, after.snapshots - before.snapshots];
  assert.ok(corrections < snapshots / 2, `${corrections} corrections in ${snapshots} snapshots`);
  assert.deepEqual(page.errors, []);
});

test('the network of the last seconds is drawn where the player asks for it', async () => {
  const shown = () => page.evaluate(() => !document.getElementById('net-curves').hidden);
  assert.equal(await shown(), false);
  await page.down('n');
  await page.up('n');
  assert.equal(await shown(), true);
  const drawn = () => {
    const canvas = document.getElementById('net-curves');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return data.some((value) => value > 200);
  };
  await page.until('curves', drawn);
  await page.screenshot('net-curves');
  await page.down('n');
  await page.up('n');
  assert.equal(await shown(), false);
});

test('a page whose rules are not those of the server says so on the console, and what to do', async () => {
  const other = await startMinimal(ARENA.page);
  // The start page connects, so it is told before the page can be listened to from here.
  const listen = () => {
    window.told = [];
    for (const level of ['log', 'info', 'warn', 'error']) console[level] = (...words) => window.told.push(words.join(' '));
  };
  const stranger = await browser.open(other.url, { before: `(${listen})()` });
  try {
    await stranger.enter('Lost');
    // It goes on to ask for what the other game does not have.
    await stranger.untilState('message');
    const told = await stranger.evaluate(() => window.told);
    const warned = told.filter((text) => text.startsWith('tickwire: '));
    assert.equal(warned.length, 2, told.join('\n'));
    assert.match(warned[0], /nothing is predicted.*game "minimal".*build the page anew/);
    assert.match(warned[1], /built for the game "arena", and the server runs "minimal".*npx tickwire types/);
  } finally {
    await stranger.close();
    await other.stop();
    other.clean();
  }
});
