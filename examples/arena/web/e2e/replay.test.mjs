// A match that was recorded, watched again: with pause, seek and single ticks.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { launchBrowser, Page } from './browsers.mjs';
import { startReplay, startServer } from './server.mjs';

const PLAYED_TICKS = 180;

let browser;
let server;
let journals;

before(async () => {
  browser = await launchBrowser();
  journals = mkdtempSync(join(tmpdir(), 'tickwire-journals-'));
});

after(async () => {
  await browser?.close();
  await server?.stop();
  server?.clean();
  rmSync(journals, { recursive: true, force: true });
});

/** The page of a replay: the arena's own in a frame. */
class ReplayPage extends Page {
  ready() {
    return this.until('the game in its frame', () => document.getElementById('game').contentWindow?.arena?.state === 'playing');
  }

  /** Gives the range another tick, as somebody does who drags it. */
  seek(tick) {
    return this.evaluate((tick) => {
      const range = document.getElementById('seek');
      range.value = tick;
      for (const event of ['input', 'change']) range.dispatchEvent(new Event(event));
    }, tick);
  }

  async untilTick(tick) {
    await this.until(`tick ${tick}`, (tick) => document.getElementById('time').textContent.endsWith(`tick ${tick}`), tick);
  }
}

/** Plays alone until the journal has some seconds of it. */
async function record() {
  server = await startServer('--journal', journals);
  const player = await browser.open(`${server.url}?room=court`);
  await player.join('Vega');
  const ticks = async () => (await (await fetch(new URL('/stats.json', server.url))).json()).ticks;
  const before = await ticks();
  while ((await ticks()) < before + PLAYED_TICKS) await player.hold('ArrowUp', 200);
  await player.close();
  await server.stop();
  server.clean();
}

test('a recorded match is watched, paused and sought in the page', async () => {
  await record();
  const [room] = readdirSync(journals, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  server = await startReplay(join(journals, room.name));
  const page = await browser.open(`${server.url}replay`, { kind: ReplayPage });
  await page.until('the ship of Vega', () => {
    const { client } = document.getElementById('game').contentWindow.arena;
    const names = [...client.members.values()].map(({ name }) => name);
    return names.includes('Vega') && client.entities.of('Ship').length === 1;
  });
  await page.screenshot('replay');
  const joins = () => document.getElementById('game').contentWindow.document.getElementById('watching-join').checkVisibility();
  assert.equal(await page.evaluate(joins), false, 'nobody plays in a replay');

  await page.click('#pause');
  await page.until('a pause', () => document.getElementById('pause').textContent === 'Play');
  await page.seek(60);
  await page.untilTick(60);
  await page.click('#on');
  await page.untilTick(61);
  await page.click('#back');
  await page.untilTick(60);
  const { tick, paused, failure } = await (await fetch(`${server.url}replay/state`)).json();
  assert.deepEqual({ tick, paused, failure }, { tick: 60, paused: true, failure: null });
  await page.evaluate(() => {
    const speed = document.getElementById('speed');
    speed.value = '8';
    speed.dispatchEvent(new Event('change'));
  });
  await page.click('#pause');
  await page.until('the end', () => document.getElementById('seek').value === document.getElementById('seek').max);
  assert.deepEqual(page.errors, []);
  await page.close();
});
