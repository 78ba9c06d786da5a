// What lies over the game: statistics, labels, and that nothing covers the own ship on a phone.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { launchBrowser, launchPhone } from './browsers.mjs';
import { startServer } from './server.mjs';

/** How far the own ship gets from the middle: the camera looks 0.32 s ahead of 400 units a second, at 0.72 pixels a unit; and its ring. */
const SHIP_PIXELS = 0.32 * 400 * 0.72 + 22;

let browser;
let phone;
let server;
let page;

before(async () => {
  browser = await launchBrowser();
  phone = await launchPhone();
  server = await startServer();
});

afterEach(async () => {
  assert.deepEqual(page?.errors ?? [], []);
  await page?.close();
});

after(async () => {
  await browser?.close();
  await phone?.close();
  await server?.stop();
  server?.clean();
});

const statistics = () => page.evaluate(() => ['net', 'net-curves'].map((id) => document.getElementById(id).checkVisibility()));
const pressed = () => page.evaluate(() => document.getElementById('stats').ariaPressed);

test('statistics are off until a key or the button turns them on, and that is remembered', async () => {
  page = await browser.open(server.url);
  await page.join('Ann');
  assert.deepEqual([await statistics(), await pressed()], [[false, false], 'false']);
  await page.raw.keyboard.press('n');
  assert.deepEqual([await statistics(), await pressed()], [[true, true], 'true']);
  await page.until('numbers', () => /round trip\s+\d+ ms/.test(document.getElementById('net').innerText));
  await page.raw.reload();
  await page.ready();
  await page.join('Ann again');
  assert.deepEqual([await statistics(), await pressed()], [[true, true], 'true']);
  await page.click('#stats');
  assert.deepEqual([await statistics(), await pressed()], [[false, false], 'false']);
  assert.notEqual(await page.evaluate(() => document.activeElement.id), 'stats', 'after a click the keys steer');
  await page.raw.reload();
  await page.ready();
  await page.join('Ann once more');
  assert.deepEqual([await statistics(), await pressed()], [[false, false], 'false']);
});

test('by keys alone a button is pressed, and Escape leads back to flying', async () => {
  page = await browser.open(server.url);
  await page.join('Ann');
  await page.evaluate(() => document.getElementById('chat-text').blur());
  for (let tab = 0; tab < 10 && (await page.evaluate(() => document.activeElement.id)) !== 'stats'; tab++) await page.raw.keyboard.press('Tab');
  await page.raw.keyboard.press(' ');
  assert.equal(await pressed(), 'true');
  await page.raw.keyboard.press('Enter');
  assert.equal(await pressed(), 'false');
  await page.raw.keyboard.press('Escape');
  assert.equal(await page.evaluate(() => document.activeElement === document.body), true);
  await page.down(' ');
  await page.until('a hot gun', () => window.arena.entities().some((ship) => ship.mine && ship.heat > 0));
  await page.up(' ');
});

test('scores have labels', async () => {
  page = await browser.open(server.url);
  await page.join('Ann');
  await page.until('the own line', () => document.getElementById('board-rows').innerText.includes('Ann'));
  const [head, own] = await page.evaluate(() => [...document.querySelectorAll('#board tr')].map((row) => [...row.children].map((cell) => cell.innerText)));
  assert.deepEqual(head, ['Rank', 'Pilot', 'Score']);
  assert.equal(own.length, 3);
  assert.equal(own[1], 'Ann');
  assert.match(await page.text('round'), /\d+\s+Azure kills\s+\d:\d\d\s+time left\s+\d+\s+Amber kills/);
});

for (const [width, height] of [[844, 390], [390, 844], [667, 375], [360, 640]]) {
  test(`on a phone of ${width}x${height} nothing covers the own ship, nor anything else`, async () => {
    page = await phone.open(server.url, { width, height });
    await page.join('Ann');
    await page.until('the own line', () => document.getElementById('board-rows').innerText.includes('Ann'));
    // The longest text of the banner.
    await page.evaluate(() => {
      const banner = document.getElementById('banner');
      banner.textContent = 'Stay with Amber: the other team is larger';
      banner.style.cssText = 'opacity: 1; transition: none';
    });
    await page.screenshot(`phone-${width}x${height}`);
    const boxes = await page.evaluate((reach) => {
      const ids = ['tools', 'round', 'board', 'map', 'gauges', 'stick', 'fire', 'touch-chat', 'banner'];
      const boxes = ids.map((id) => [id, document.getElementById(id).getBoundingClientRect()]).map(([id, { left, top, right, bottom }]) => ({ id, left, top, right, bottom }));
      const [x, y] = [innerWidth / 2, innerHeight / 2];
      return [...boxes, { id: 'the own ship', left: x - reach, top: y - reach, right: x + reach, bottom: y + reach }];
    }, SHIP_PIXELS);
    const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
    // Upright there is room for the banner above the ship; on its side the ships fly below it as well.
    const isBanner = (a, b) => width > height && [a.id, b.id].includes('banner') && [a.id, b.id].includes('the own ship');
    const wrong = boxes.flatMap((a, at) => boxes.slice(at + 1).filter((b) => meet(a, b) && !isBanner(a, b)).map((b) => `${a.id} and ${b.id}`));
    assert.deepEqual(wrong, []);
    // Upright there is room below the ships; on its side the ships fly from the upper to the lower edge.
    const gauges = boxes.find(({ id }) => id === 'gauges');
    if (width > height) assert.ok(gauges.right < width / 2 - SHIP_PIXELS, `the gauges are in the way: ${JSON.stringify(gauges)}`);
    assert.ok(boxes.every(({ left, top, right, bottom }) => left >= 0 && top >= 0 && right <= width && bottom <= height), JSON.stringify(boxes));
  });
}
