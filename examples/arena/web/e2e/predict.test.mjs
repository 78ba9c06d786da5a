import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { launchBrowser } from './browsers.mjs';
import { startServer } from './server.mjs';

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
  await page.until('two seconds of flight', (from) => window.arena.client.stats().tick > from + 120, await page.evaluate(() => window.arena.client.stats().tick));
  const { corrections } = await page.evaluate(() => window.arena.client.stats());
  await page.until('the ship where it is', () => window.arena.client.stats().predictionError < 160);
  await page.up(' ');
  await page.up('ArrowLeft');
  await page.up('ArrowUp');
  // Inputs of a busy machine may come late; a ship that was not predicted well would be put right 60 times a second.
  assert.ok(corrections < 30, `${corrections} corrections`);
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
