// Quotes: a board of 5000 shares and a chart of one of them, by the topics of a server without a game.
import type { ConnectOptions } from 'tickwire';
import { Board } from './board';
import { Chart } from './chart';
import { Feed, type FeedState } from './feed';
import { changeText, countText, priceText, shortText } from './format';
import { changeOf, Market, type Share } from './market';

const byId = <E extends HTMLElement = HTMLElement>(id: string) => document.getElementById(id) as E;
/** The figures of the header are of this time. */
const FIGURES_MS = 500;

const market = new Market();
let chosen: Share | undefined;
/** The price under the pointer. */
let pointed: number | undefined;

const chart = new Chart(byId('chart'), (cents) => (pointed = cents));
const board = new Board(market, choose);
const feed = new Feed(market, {
  state: showState,
  chartBegins: () => chart.clear(),
  chart: (points) => chart.add(points),
});

function choose(share: Share): void {
  chosen = share;
  board.mark(share.symbol);
  feed.choose(share.symbol);
  history.replaceState(null, '', `#${share.symbol}`);
}

function showState(state: FeedState, text: string): void {
  const output = byId('state');
  output.dataset.state = state;
  output.textContent = text;
}

/** The share of the address, else the first one, once it is there. */
function chooseFirst(): void {
  const asked = market.shares.get(location.hash.slice(1).toUpperCase());
  // The asked one may come last.
  const least = location.hash.length > 1 ? 5000 : 1000;
  const share = asked ?? (market.shares.size >= least ? board.shares[0] : undefined);
  if (share) choose(share);
}

function showShare(share: Share): void {
  const set = (id: string, text: string) => byId(id).textContent !== text && (byId(id).textContent = text);
  const cents = pointed ?? share.cents;
  const part = changeOf({ ...share, cents });
  set('symbol', share.symbol);
  set('name', share.name);
  set('price', priceText(cents));
  set('change', changeText(part));
  byId('change').dataset.way = part >= 0 ? 'up' : 'down';
  set('open', priceText(share.openCents));
  set('high', chart.high === undefined ? '–' : priceText(chart.high));
  set('low', chart.low === undefined ? '–' : priceText(chart.low));
  set('volume', shortText(share.volume));
  set('exchange', share.exchange);
  chart.openAt(share.openCents);
}

let figures = { atMs: performance.now(), read: 0 };

function showFigures(nowMs: number): void {
  const ms = nowMs - figures.atMs;
  if (ms < FIGURES_MS) return;
  byId('rate').textContent = `${countText(Math.round(((feed.read - figures.read) * 1000) / ms))}/s`;
  byId('skipped').textContent = countText(feed.skips.count);
  figures = { atMs: nowMs, read: feed.read };
}

function frame(nowMs: number): void {
  board.draw(nowMs);
  if (!chosen) chooseFirst();
  if (chosen) showShare(chosen);
  chart.draw();
  showFigures(nowMs);
  requestAnimationFrame(frame);
}

const filter = byId<HTMLInputElement>('filter');
filter.addEventListener('input', () => board.filter(filter.value));
filter.addEventListener('keydown', ({ key }) => {
  if (key === 'ArrowDown' || key === 'Enter') byId('rows').focus();
});
byId('clear').addEventListener('click', () => {
  filter.value = '';
  board.filter('');
  filter.focus();
});
addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.target === filter) return;
  event.preventDefault();
  filter.select();
});
const slow = byId<HTMLInputElement>('slow');
slow.addEventListener('change', () => (feed.isSlow = slow.checked));
feed.isSlow = slow.checked;

const asked = new URLSearchParams(location.search).get('transport');
const options: ConnectOptions = asked === 'webtransport' || asked === 'websocket' ? { transport: asked } : {};
requestAnimationFrame(frame);
void feed.run(location.origin, options);
Object.assign(globalThis, { quotes: { market, board, chart, feed } }); // to look at it in the console
