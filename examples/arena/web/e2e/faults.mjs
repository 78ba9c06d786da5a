// `node e2e/faults.mjs chromium|firefox [FAULT...]`: pages play and chat through faults of their network and of their server, all faults or the
// given ones. Prints what they lost, and the time from the fault's end to the first snapshot, as one JSON object a line. Takes minutes; the
// variables are those of `run.mjs`, and
//
// ROUNDS   of each fault; 5 if not given
import { BROWSERS, launchBrowser } from './browsers.mjs';
import { countsOf, note, startPeer } from './company.mjs';
import { startNetwork } from './network.mjs';
import { CHATTY, LASTING, startServer } from './server.mjs';

const ROUNDS = Number(process.env.ROUNDS ?? 5);
/** Of play before a fault and after it. */
const PLAY_MS = 1500;
/** For a session to go on, before it counts as lost. */
const RETURN_MS = 30_000;

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Each gives the time from which the first snapshot counts. */
const FAULTS = {
  'blackout-1': { inflict: (stage) => blackout(stage, 1) },
  'blackout-5': { inflict: (stage) => blackout(stage, 5) },
  'blackout-20': { inflict: (stage) => blackout(stage, 20) },
  // With an event: a page may read late what was on its way before.
  'udp-blocked': { inflict: ({ network }) => (network.blockUdp(), Date.now()), isOver: () => window.told.includes('moved') },
  suspended: { inflict: suspend, pages: 1 },
  killed: { inflict: kill, flags: LASTING, isOver: () => window.told.includes('resumed') },
  'handed-over': { inflict: handOver, flags: LASTING, isOver: () => window.told.includes('resumed') },
};

async function blackout({ network }, seconds) {
  network.cut();
  await sleep(seconds * 1000);
  network.mend();
  return Date.now();
}

async function suspend({ pages: [page] }) {
  await page.suspend(10_000);
  return Date.now();
}

async function kill({ server }) {
  await server.stop('SIGKILL');
  const startedMs = Date.now();
  await server.start();
  return startedMs;
}

async function handOver({ server }) {
  const askedMs = Date.now();
  await server.handOver();
  return askedMs;
}

/** One fault for all pages. */
async function round(browser, name) {
  const { inflict, isOver = () => true, flags = [], pages: count = PAGES } = FAULTS[name];
  const server = await startServer(...CHATTY, ...flags);
  const network = await startNetwork(server);
  const pages = [];
  let near;
  try {
    near = await startPeer(server, 'court');
    for (let number = 0; number < count; number++) {
      const page = await browser.open(`${server.url}?room=court&port=${network.port}`);
      pages.push(page);
      await page.join(`Far${number}`);
      await page.evaluate(note, `far${number}`);
    }
    await sleep(PLAY_MS);
    const sinceMs = await inflict({ server, network, pages });
    await Promise.all(pages.map((page) => first(page, sinceMs, isOver)));
    await sleep(PLAY_MS);
    const said = await Promise.all(pages.map((page) => page.evaluate(() => (clearInterval(window.talking), window.said))));
    const last = [`near ${await near.quiet()}`, ...said.map((count, number) => `far${number} ${count}`)];
    return await Promise.all(pages.map((page) => result(page, last)));
  } finally {
    near?.stop();
    for (const page of pages) await page.close();
    network.stop();
    await server.stop();
    server.clean();
  }
}

/** Waits for a snapshot after the fault's end, and notes when it came. */
async function first(page, sinceMs, isOver) {
  const end = Date.now() + RETURN_MS;
  while (Date.now() < end) {
    const isBack = (await page.evaluate(isOver)) && (await page.evaluate(noteFirst, sinceMs));
    if (isBack) return;
    await sleep(50);
  }
}

/** In the page: whether a snapshot came over what carries the session now. */
function noteFirst(sinceMs) {
  const { told, toldMs, cameMs } = window;
  const at = told.findLastIndex((event) => event === 'moved' || event === 'resumed');
  const came = cameMs.find((ms) => ms > Math.max(sinceMs, toldMs[at] ?? 0));
  window.firstMs = came && came - sinceMs;
  return came !== undefined;
}

/** What a page lost, once it has heard the last lines or does not. */
async function result(page, last) {
  const hasAll = (last) => last.every((text) => [...window.lines, ...window.past].some((line) => line.text === text));
  await page.until('the last lines', hasAll, last, RETURN_MS).catch(() => {});
  const { lines, past, ...noted } = await page.evaluate(() => {
    const { told, lines, past, firstMs, session, arena } = window;
    return { told, lines, past, firstMs, error: arena.error, state: arena.state, transport: session.transport, isSame: arena.client === session && arena.state === 'playing' };
  });
  const begin = lines[0].id;
  const heard = new Map([...past, ...lines].filter(({ id }) => id >= begin).map(({ id, text }) => [id, { id, text }]));
  const counts = last.map((text) => countsOf([...heard.values()], text.split(' ')[0]));
  const sum = (of) => counts.reduce((sum, count) => sum + count[of], 0);
  const missed = last.filter((text) => ![...heard.values()].some((line) => line.text === text)).length;
  const repeated = lines.length - new Set(lines.map(({ id }) => id)).size;
  return { ...noted, heard: sum('heard'), gap: sum('gap') + missed, doubled: sum('doubled') + repeated };
}

const [name, ...given] = process.argv.slice(2);
const unknown = given.filter((fault) => !FAULTS[fault]);
if (!BROWSERS.includes(name) || unknown.length > 0) {
  console.error(`usage: node e2e/faults.mjs ${BROWSERS.join('|')} [${Object.keys(FAULTS).join('|')}...]`);
  process.exit(2);
}
/** Firefox runs only the page in front at its full pace. */
const PAGES = name === 'firefox' ? 1 : 3;
process.env.ARENA_BROWSER = name;

const percentile = (sorted, part) => sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)];

const browser = await launchBrowser();
for (const fault of given.length > 0 ? given : Object.keys(FAULTS)) {
  const results = [];
  const isLost = ({ isSame, told, firstMs }) => !isSame || told.includes('close') || firstMs === undefined;
  for (let done = 0; done < ROUNDS; done++) {
    const ofRound = await round(browser, fault);
    for (const session of ofRound.filter(isLost)) console.error('lost:', JSON.stringify(session));
    results.push(...ofRound);
  }
  const firstMs = results.flatMap(({ firstMs }) => firstMs ?? []).sort((a, b) => a - b);
  const sum = (of) => results.reduce((sum, one) => sum + one[of], 0);
  console.log(
    JSON.stringify({
      browser: name,
      fault,
      tries: results.length,
      sessions_lost: results.filter(isLost).length,
      chat_heard: sum('heard'),
      chat_gap: sum('gap'),
      chat_doubled: sum('doubled'),
      needed_reconnect: results.filter(({ told }) => told.includes('reconnecting')).length,
      on_websocket: results.filter(({ transport }) => transport === 'websocket').length,
      first_snapshot_ms_p50: percentile(firstMs, 0.5),
      first_snapshot_ms_p99: percentile(firstMs, 0.99),
    }),
  );
}
await browser.close();
