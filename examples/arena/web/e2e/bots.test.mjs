// Who plays alone has bots to play with, and the page says which they are.
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { launchBrowser } from './browsers.mjs';
import { startServerWithBots } from './server.mjs';

let server;
let browser;
let page;

before(async () => {
  server = await startServerWithBots();
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await server?.stop();
  server?.clean();
});

const bots = () => page.evaluate(() => [...window.arena.client.members.values()].filter((member) => member.bot).map(({ name }) => name));

test('who plays alone meets bots, marked on the score board', async () => {
  page = await browser.open(server.url);
  await page.join('Vega');
  const names = await bots();
  assert.equal(names.length, 5, `six play: ${names}`);
  assert.ok(!names.includes('Vega'), 'a bot of that name made way');
  await page.until('a marked bot', () => document.querySelector('#board-rows small.bot')?.textContent === 'bot');
  await page.save(join(process.env.SCREENSHOTS ?? tmpdir(), 'bots.png'));
});

test('a bot makes way for who comes, and comes back', async () => {
  const other = await browser.open(server.url);
  await other.join('Bob');
  await page.until('four bots', () => [...window.arena.client.members.values()].filter((member) => member.bot).length === 4);
  await other.close();
  await page.until('five bots', () => [...window.arena.client.members.values()].filter((member) => member.bot).length === 5);
});

test('the list of rooms counts people and bots apart', async () => {
  const other = await browser.open(server.url);
  await other.until('the room', () => /1 \/ \d+, 5 bots/.test(document.getElementById('rooms-body').innerText));
  await other.close();
  assert.deepEqual(page.errors, []);
});
