// `node e2e/blackout.mjs chromium|firefox [SECONDS...]`: pages play through blackouts of 1, 5 and 20 s, or of the given seconds. Prints
// what they lost, and the time from the network's return to the first snapshot, as one JSON object a line. Takes minutes; the
// variables are those of `run.mjs`.
import { BROWSERS, launchBrowser } from './browsers.mjs';
import { startNetwork } from './network.mjs';
import { startServer } from './server.mjs';

/** Firefox runs only the page in front at its full pace. */
const PAGES = process.argv[2] === 'firefox' ? 1 : 4;
const ROUNDS = 3;
/** For a session to go on, before it counts as lost. */
const RETURN_MS = 30_000;

const [name, ...given] = process.argv.slice(2);
if (!BROWSERS.includes(name)) {
  console.error(`usage: node e2e/blackout.mjs ${BROWSERS.join('|')} [SECONDS...]`);
  process.exit(2);
}
process.env.ARENA_BROWSER = name;

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** In the page: notes each new snapshot's time, the chat, and what the session tells. */
function note() {
  const { client } = window.arena;
  Object.assign(window, { session: client, lines: [], told: [], cameMs: [] });
  client.on('message', ({ text }) => window.lines.push(text));
  for (const event of ['reconnecting', 'resumed', 'moved', 'close']) client.on(event, () => window.told.push(event));
  let last = 0;
  setInterval(() => {
    const { tick } = client.stats();
    if (tick !== last) window.cameMs.push(Date.now());
    last = tick;
  }, 2);
}

/** One blackout for all pages. */
async function blackout(browser, seconds, round) {
  const server = await startServer();
  const network = await startNetwork(server);
  const pages = [];
  try {
    for (let number = 0; number < PAGES; number++) {
      const page = await browser.open(`${server.url}?room=court&port=${network.port}&transport=webtransport`);
      pages.push(page);
      await page.join(`Far${number}`);
      await page.evaluate(note);
    }
    const say = (when) => Promise.all(pages.map((page, number) => page.evaluate((text) => void window.session.chat.send(text), `${when} ${number}`)));
    await say('before');
    await sleep(2000);
    network.cut();
    const end = Date.now() + seconds * 1000;
    await say('dark');
    await sleep(end - Date.now());
    const mendedMs = Date.now();
    network.mend();
    await Promise.all(pages.map((page) => first(page, mendedMs)));
    await say('after');
    await sleep(2000);
    const results = await Promise.all(pages.map((page) => result(page, mendedMs)));
    return results.map((of) => ({ ...of, round }));
  } finally {
    for (const page of pages) await page.close();
    network.stop();
    await server.stop();
    server.clean();
  }
}

/** Waits for a snapshot after the network's return. */
async function first(page, mendedMs) {
  while (Date.now() < mendedMs + RETURN_MS) {
    if (await page.evaluate((mendedMs) => window.cameMs.at(-1) > mendedMs, mendedMs)) return;
    await sleep(50);
  }
}

function result(page, mendedMs) {
  return page.evaluate((mendedMs) => {
    const came = window.cameMs.find((ms) => ms > mendedMs);
    return { told: window.told, lines: window.lines, firstMs: came && came - mendedMs, transport: window.session.transport };
  }, mendedMs);
}

const percentile = (sorted, part) => sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)];

const browser = await launchBrowser();
for (const seconds of given.length > 0 ? given.map(Number) : [1, 5, 20]) {
  const results = [];
  for (let round = 0; round < ROUNDS; round++) results.push(...(await blackout(browser, seconds, round)));
  const said = PAGES * 3;
  const doubled = results.reduce((sum, { lines }) => sum + lines.length - new Set(lines).size, 0);
  // A page that joined later did not hear what was said before: all was said after the last had joined.
  const gap = results.reduce((sum, { lines }) => sum + said - new Set(lines).size, 0);
  const firstMs = results.flatMap(({ firstMs }) => firstMs ?? []).sort((a, b) => a - b);
  console.log(
    JSON.stringify({
      browser: name,
      blackout_s: seconds,
      clients: results.length,
      sessions_lost: results.filter(({ told, firstMs }) => told.includes('close') || firstMs === undefined).length,
      chat_gap: gap,
      chat_doubled: doubled,
      needed_reconnect: results.filter(({ told }) => told.includes('reconnecting')).length,
      on_websocket: results.filter(({ transport }) => transport === 'websocket').length,
      first_snapshot_ms_p50: percentile(firstMs, 0.5),
      first_snapshot_ms_p99: percentile(firstMs, 0.99),
    }),
  );
}
await browser.close();
