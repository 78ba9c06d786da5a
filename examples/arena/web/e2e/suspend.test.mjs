import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage } from './stage.mjs';

const SUSPENDED_MS = 10_000;
/** From then on the numbers are as before. */
const SOON_MS = 1500;

const open = stage();

/** In the page: the first number that is not as on a path without delay, or nothing. */
function wrongNumber(expected) {
  const { client } = window.arena;
  const { rttMs, jitterMs, inputMarginMs, interpolationMs, lossFraction, silenceMs, corrections, tick } = client.stats();
  const limits = {
    rttMs: [0, 400, rttMs],
    jitterMs: [0, 100, jitterMs],
    inputMarginMs: [0, 300, inputMarginMs],
    interpolationMs: [0, expected.interpolationMs + 200, interpolationMs],
    lossFraction: [-0.01, expected.lossFraction + 0.05, lossFraction],
    silenceMs: [0, 300, silenceMs],
    // A second of them, not ten.
    corrections: [0, expected.corrections + 60, corrections],
    ticksBehind: [-10, 60, tick - client.shownTick],
  };
  const wrong = Object.entries(limits).find(([, [least, most, is]]) => !(is >= least && is <= most));
  return wrong && `${wrong[0]} is ${wrong[1][2]}`;
}

for (const transport of ['webtransport', 'websocket']) {
  test(`a tab that was suspended for ten seconds plays on, over ${transport}`, async () => {
    const page = await open(`?transport=${transport}`);
    await page.join('Ann');
    await new Promise((done) => setTimeout(done, 5000));
    const before = await page.evaluate(() => {
      window.session = window.arena.client;
      window.frames = 0;
      const count = () => requestAnimationFrame(count, window.frames++);
      count();
      return { ...window.session.stats(), chat: window.arena.chat().length };
    });
    await page.suspend(SUSPENDED_MS);
    const frames = await page.evaluate(() => window.frames);
    assert.ok(frames < 100, `it was not suspended: it drew ${frames} frames`);

    const wrong = `(${wrongNumber})(${JSON.stringify(before)})`;
    await page.until('sane numbers', `!${wrong}`, undefined, SOON_MS).catch(async (error) => {
      throw new Error(`${await page.evaluate(wrong)}: ${error.message}`);
    });
    const own = () => window.arena.entities().find((entity) => entity.kind === 'Ship' && entity.mine);
    const ship = await page.until('the own ship', own);
    await page.down('ArrowLeft');
    const turned = (from) => Math.abs((window.session.entities.mine('Ship')?.heading ?? from) - from) > 0.5;
    await page.until('a turn', turned, ship.heading);
    await page.up('ArrowLeft');
    // What the server does not know of would be put right by now.
    await new Promise((done) => setTimeout(done, 1000));
    assert.ok(Math.abs((await page.ship()).heading - ship.heading) > 0.5, 'the server knows nothing of the turn');

    const after = await page.evaluate(() => ({
      same: window.session === window.arena.client,
      state: window.arena.state,
      transport: window.session.transport,
      members: window.session.members.size,
      notices: window.arena.chat().length,
    }));
    assert.deepEqual(after, { same: true, state: 'playing', transport, members: 1, notices: before.chat });
    assert.deepEqual(page.errors, []);
  });
}
