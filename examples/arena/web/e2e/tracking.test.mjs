// The tracking example: couriers on a map by topics, of which a page follows the tiles that it shows.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { launchBrowser, Page } from './browsers.mjs';
import { startTracking } from './server.mjs';

let browser;
let server;
let pages = [];

before(async () => {
  browser = await launchBrowser();
  server = await startTracking('--idle-ms', '2000', '--keep-alive-ms', '500');
});

afterEach(async () => {
  await Promise.all(pages.map((page) => page.close()));
  pages = [];
});

after(async () => {
  await browser?.close();
  await server?.stop();
  server?.clean();
});

async function open({ width = 1280, height = 800 } = {}) {
  const page = await browser.open(server.url, { kind: Page, width, height, scale: 1 });
  pages.push(page);
  await page.until('couriers that move', () => {
    const { fleet, view } = window.tracking;
    return view() && fleet.couriers.size > 50 && [...fleet.couriers.values()].filter(({ speed }) => speed > 1).length > 30;
  });
  return page;
}

test('the whole city has a thousand couriers, and a street only those of its tiles', async () => {
  const page = await open();
  await page.click('#whole');
  await page.until('all couriers', () => window.tracking.fleet.couriers.size === 1000 && window.tracking.feed.tiles === 48);
  for (let closer = 0; closer < 8; closer++) await page.click('#closer');
  await page.until('few tiles', () => window.tracking.feed.tiles <= 4);
  const { couriers, tiles } = await page.evaluate(() => {
    const { fleet, feed } = window.tracking;
    return { couriers: [...fleet.couriers.values()].map(({ tile }) => tile), tiles: feed.tiles };
  });
  assert.ok(couriers.length < 250, `${couriers.length} couriers`);
  assert.ok(new Set(couriers).size <= tiles, 'of no other tile');
  assert.deepEqual(page.errors, []);
});

test('couriers ride smoothly, and none is lost or twice where tiles meet', async () => {
  const page = await open();
  await page.click('#whole');
  await page.until('all couriers', () => window.tracking.fleet.couriers.size === 1000);
  const { jumps, moved, counts } = await page.evaluate(async () => {
    const { fleet } = window.tracking;
    const [before, counts] = [new Map(), []];
    let [jumps, moved] = [0, 0];
    for (let round = 0; round < 60; round++) {
      const shownMs = fleet.shownMs(performance.now());
      for (const courier of fleet.couriers.values()) {
        const [last, place] = [before.get(courier.name), courier.at(shownMs)];
        const metres = last ? Math.hypot(place.x - last.x, place.y - last.y) : 0;
        // Nobody rides faster than 8.5 m/s.
        if (last && metres > (8.5 * (shownMs - last.shownMs)) / 1000 + 2) jumps++;
        if (metres > 0.05) moved++;
        before.set(courier.name, { ...place, shownMs });
      }
      counts.push(fleet.couriers.size);
      await new Promise((done) => setTimeout(done, 50));
    }
    return { jumps, moved, counts };
  });
  assert.equal(jumps, 0, 'jumps');
  assert.ok(moved > 30_000, `${moved} moves of 60,000`);
  assert.ok(Math.min(...counts) >= 998, `between ${Math.min(...counts)} and ${Math.max(...counts)} couriers`);
});

test('a courier is chosen by a click or a key, and followed until the map is moved', async () => {
  const page = await open();
  await page.raw.focus('#map');
  await page.raw.keyboard.press('n');
  await page.until('the card', () => !document.getElementById('card').hidden);
  assert.match(await page.text('name'), /^Courier \d{3}$/);
  await page.until('its state', () => /km\/h$/.test(document.getElementById('what').textContent));
  const isFollowed = () => {
    const { fleet, view } = window.tracking;
    const courier = fleet.couriers.get(`c${document.getElementById('name').textContent.slice(-3)}`);
    const place = courier?.at(fleet.shownMs(performance.now()));
    if (!place) return false;
    const { x, y } = place;
    const { middle, scale } = view().camera;
    return Math.hypot(x - middle.x, y - middle.y) * scale < 8;
  };
  await page.until('it in the middle', isFollowed);
  for (let closer = 0; closer < 4; closer++) await page.click('#closer');
  await page.screenshot('tracking');
  await page.raw.keyboard.press('ArrowLeft');
  assert.equal(await page.evaluate(() => document.getElementById('follow').checked), false);
  await page.raw.keyboard.press('Escape');
  assert.equal(await page.evaluate(() => document.getElementById('card').hidden), true);
  await page.click('#whole');
  // One that stands, or rides slowly: it is where it was when the click comes.
  for (let tries = 0; tries < 20 && (await page.evaluate(() => document.getElementById('card').hidden)); tries++) {
    const place = await page.evaluate(() => {
      const { fleet, view } = window.tracking;
      const { camera } = view();
      const shownMs = fleet.shownMs(performance.now());
      const slow = [...fleet.couriers.values()].filter(({ waits, speed }) => waits || speed < 4);
      const pixels = slow.map((courier) => camera.toPixel(courier.at(shownMs)));
      return pixels.find(({ x, y }) => x > 300 && x < 900 && y > 200 && y < 600);
    });
    if (place) await page.raw.mouse.click(place.x, place.y);
  }
  assert.equal(await page.evaluate(() => document.getElementById('card').hidden), false, 'no courier was chosen by a click');
  assert.deepEqual(page.errors, []);
});

test('the page fits a phone, and a hand moves the map', async () => {
  const page = await open({ width: 390, height: 844 });
  const { wide, card } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, card: document.querySelector('header').getBoundingClientRect().right }));
  assert.ok(wide <= 390 && card <= 390, `${wide} and ${card} pixels wide`);
  const middle = () => page.evaluate(() => window.tracking.view().camera.middle);
  const before = await middle();
  await page.raw.mouse.move(200, 400);
  await page.raw.mouse.down();
  await page.raw.mouse.move(120, 330, { steps: 5 });
  await page.raw.mouse.up();
  const after = await middle();
  assert.ok(after.x > before.x && after.y > before.y, `${JSON.stringify([before, after])}`);
  await page.screenshot('tracking-phone');
});

test('a server that was killed and started again is got over', async () => {
  const page = await open();
  await server.stop('SIGKILL');
  await page.until('the loss', () => document.getElementById('state').dataset.state !== 'live');
  await server.start();
  await page.until('another session', () => document.getElementById('state').dataset.state === 'live');
  const taken = await page.evaluate(() => window.tracking.fleet.taken);
  await page.until('places', (taken) => window.tracking.fleet.taken > taken + 200, taken);
});
