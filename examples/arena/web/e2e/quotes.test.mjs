// The quotes example: a board and a chart by topics, on a server without a game.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { launchBrowser, Page } from './browsers.mjs';
import { startNetwork } from './network.mjs';
import { startQuotes } from './server.mjs';

const TRANSPORTS = ['webtransport', 'websocket'];
/** Time that a connection is away: longer than the server waits for a silent one. */
const AWAY_MS = 6000;

let browser;
let server;
let network;
let pages = [];

before(async () => {
  browser = await launchBrowser();
  server = await startQuotes('--idle-ms', '2000', '--keep-alive-ms', '500');
});

afterEach(async () => {
  await Promise.all(pages.map((page) => page.close()));
  pages = [];
  network?.stop();
  network = undefined;
});

after(async () => {
  await browser?.close();
  await server?.stop();
  server?.clean();
});

async function open(query = '', { url = server.url, width = 1280, height = 800 } = {}) {
  const page = await browser.open(url + query, { kind: Page, width, height, scale: 1 });
  pages.push(page);
  await page.until('all shares', () => {
    const shares = [...window.quotes.market.shares.values()];
    return shares.length === 5000 && shares.every(({ name, cents }) => name !== '' && cents > 0);
  });
  return page;
}

const hasHistory = () => {
  const { times } = window.quotes.chart;
  return times.length > 30 && times.at(-1) - times[0] > 500;
};

/** In the page: a share whose chart has a point each second. Those that hardly move have one in ten. */
const busyShare = () => [...window.quotes.market.shares.values()].find(({ changes }) => changes > 10)?.symbol;

/** In the page: whether its prices are those that a new reader of the table gets at the same time. */
async function isNewest() {
  const { client } = window.quotes.feed;
  const table = client.topics.subscribe('board/*', { delivery: 'latest', start: { last: Infinity } });
  const cents = new Map();
  table.on('message', ({ key, payload }) => cents.set(key, new DataView(payload.buffer, payload.byteOffset).getUint32(0, true)));
  // Each share has the same price in both at some time: all at once they hardly ever do.
  const { shares } = window.quotes.market;
  const open = new Set(shares.keys());
  for (let tries = 0; open.size > 0 && tries < 1000; tries++) {
    await new Promise((done) => setTimeout(done, 10));
    for (const symbol of open) if (shares.get(symbol).cents === cents.get(symbol)) open.delete(symbol);
  }
  const found = open.size === 0;
  await table.unsubscribe();
  return found;
}

for (const transport of TRANSPORTS) {
  test(`the board fills and its prices move over ${transport}`, async () => {
    const page = await open(`?transport=${transport}`);
    assert.equal(await page.evaluate(() => window.quotes.feed.client.transport), transport);
    assert.equal(await page.evaluate(() => window.quotes.feed.client.room), undefined);
    await page.until('prices that move', () => [...window.quotes.market.shares.values()].filter(({ changes }) => changes > 3).length > 300);
    await page.until('moves that are seen', () => document.querySelectorAll('.row:not([hidden]) .price[data-way]:not([data-way=""])').length > 2);
    const rows = await page.evaluate(() => {
      const shown = [...document.querySelectorAll('.row:not([hidden])')];
      return shown.map((row) => [row.dataset.symbol, row.querySelector('.name').textContent, row.querySelector('.price').textContent]);
    });
    assert.ok(rows.length > 10 && rows.length < 60, `${rows.length} rows are in the document`);
    assert.ok(rows.every(([symbol, name, price]) => /^[A-Z]{4}$/.test(symbol) && name && /^[\d,]+\.\d\d$/.test(price)), JSON.stringify(rows));
    assert.ok(await page.evaluate(isNewest), 'the board has the newest prices');
    // Rows that were shown before their share had a price, too.
    await page.until('rows that show them', () =>
      [...document.querySelectorAll('.row:not([hidden])')].every((row) => {
        const { cents } = window.quotes.market.shares.get(row.dataset.symbol);
        return row.querySelector('.price').textContent.replaceAll(',', '') === (cents / 100).toFixed(2);
      }),
    );
    assert.deepEqual(page.errors, []);
  });

  test(`a lost connection leaves no gap in a chart, and nothing twice, over ${transport}`, async () => {
    network = await startNetwork(server);
    const page = await open(`?transport=${transport}`, { url: `http://127.0.0.1:${network.port}/` });
    const busy = await page.until('a busy share', busyShare);
    await page.evaluate((busy) => {
      const { client } = window.quotes.feed;
      [window.numbers, window.told] = [[], []];
      for (const event of ['reconnecting', 'resumed', 'close']) client.on(event, () => window.told.push(event));
      const points = client.topics.subscribe(`chart/${busy}`, { start: { last: Infinity } });
      points.on('message', ({ sequence }) => window.numbers.push(sequence));
      points.on('missed', () => window.told.push('missed'));
    }, busy);
    await page.until('points', () => window.numbers.length > 2);
    network.cut();
    await new Promise((done) => setTimeout(done, AWAY_MS));
    const before = await page.evaluate(() => window.numbers.at(-1));
    network.mend();
    await page.until('the session again', () => window.told.includes('resumed'));
    await page.until('points from after the loss', (before) => window.numbers.at(-1) > before + 8, before);
    const { told, numbers } = await page.evaluate(() => ({ told: window.told, numbers: window.numbers }));
    assert.deepEqual(numbers, numbers.map((_, at) => numbers[0] + at));
    assert.ok(!told.includes('missed') && !told.includes('close'), `${told}`);
  });
}

test('words filter the board, and a click on a column sorts it', async () => {
  const page = await open();
  await page.raw.type('#filter', 'rail iber');
  await page.until('fewer shares', () => window.quotes.board.shares.length < 100 && window.quotes.board.shares.length > 0);
  const found = await page.evaluate(() => window.quotes.board.shares.map(({ name, exchange }) => [name, exchange]));
  assert.ok(found.every(([name, exchange]) => /Rail/.test(name) && exchange === 'IBER'), JSON.stringify(found));
  await page.click('[data-sort="price"]');
  const cents = await page.evaluate(() => window.quotes.board.shares.map(({ cents }) => cents));
  const isSorted = cents.every((one, at) => at === 0 || one <= cents[at - 1] * 1.02);
  assert.ok(isSorted, `${cents}`);
  await page.raw.type('#filter', ' nothing has this');
  await page.until('no share', () => !document.getElementById('empty').hidden);
  await page.click('#clear');
  await page.until('all again', () => window.quotes.board.shares.length === 5000);
  assert.deepEqual(page.errors, []);
});

test('the chart has its history at once, then each new point; keys choose another share', async () => {
  const page = await open();
  const busy = await page.until('a busy share', busyShare);
  await page.raw.type('#filter', busy);
  for (const key of ['Enter', 'Home']) await page.raw.keyboard.press(key);
  await page.until('that share', (busy) => document.getElementById('symbol').textContent === busy, busy);
  assert.equal(new URL(page.raw.url()).hash, `#${busy}`);
  await page.until('its ten minutes', hasHistory);
  const times = await page.evaluate(() => window.quotes.chart.times);
  assert.ok(times.every((time, at) => at === 0 || time > times[at - 1]), 'times rise');
  assert.ok(Math.abs(times.at(-1) - Date.now() / 1000) < 15, `the last one is of ${times.at(-1)}`);
  await page.until('a new point', (last) => window.quotes.chart.times.at(-1) > last, times.at(-1));
  // Something is drawn.
  const inks = await page.evaluate(() => {
    const canvas = document.querySelector('#chart canvas');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return new Set(new Uint32Array(data.buffer)).size;
  });
  assert.ok(inks > 10, `${inks} colours are on the chart`);
  await page.evaluate(() => window.quotes.board.filter(''));
  for (const key of ['End', 'Home', 'PageDown', 'ArrowDown', 'ArrowUp']) await page.raw.keyboard.press(key);
  await page.until('another share', (busy) => {
    const symbol = document.getElementById('symbol').textContent;
    const row = document.querySelector('[aria-selected="true"]');
    return symbol !== busy && row?.dataset.symbol === symbol && !row.hidden;
  }, busy);
  await page.until('its ten minutes', hasHistory);
  assert.deepEqual(page.errors, []);
  await page.screenshot('quotes');
});

test('a slow reader skips prices, and then has the newest; a quick one skips far fewer', async () => {
  const [slow, quick] = [await open(), await open()];
  await slow.click('.switch');
  await slow.until('a slow reader', () => window.quotes.feed.isSlow);
  await slow.until('skipped prices', () => window.quotes.feed.skips.count > 10_000);
  assert.match(await slow.text('skipped'), /^[\d,]+$/);
  await slow.click('.switch');
  assert.ok(await slow.evaluate(isNewest), 'what it shows are the newest prices');
  const counts = await Promise.all([slow, quick].map((page) => page.evaluate(() => window.quotes.feed.skips.count)));
  assert.ok(counts[1] < counts[0] / 2, `skipped: ${counts}`);
});

test('the page fits a phone', async () => {
  const page = await open('', { width: 390, height: 844 });
  await page.until('ten minutes', hasHistory);
  const { wide, rows } = await page.evaluate(() => {
    const isSeen = (row) => row.checkVisibility() && row.getBoundingClientRect().bottom <= innerHeight;
    return { wide: document.documentElement.scrollWidth, rows: [...document.querySelectorAll('.row')].filter(isSeen).length };
  });
  assert.ok(wide <= 390, `${wide} pixels wide`);
  assert.ok(rows >= 5, `${rows} rows`);
  await page.screenshot('quotes-phone');
});

test('a server that was killed and started again is got over', async () => {
  const page = await open();
  await page.until('ten minutes', hasHistory);
  await page.evaluate(() => (window.old = window.quotes.feed.client));
  await server.stop('SIGKILL');
  await page.until('the loss', () => document.getElementById('state').dataset.state === 'lost');
  await server.start();
  await page.until('another session', () => window.quotes.feed.client && window.quotes.feed.client !== window.old && document.getElementById('state').dataset.state === 'live');
  const read = await page.evaluate(() => window.quotes.feed.read);
  await page.until('prices', (read) => window.quotes.feed.read > read + 6000, read);
  await page.until('the chart', hasHistory);
  assert.ok(await page.evaluate(isNewest), 'the board has the newest prices');
});
