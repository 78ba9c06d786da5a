import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launchBrowser, Page } from './browsers.mjs';
import { startMinimal } from './server.mjs';

let browser;
let server;
let ann;
let bob;

before(async () => {
  browser = await launchBrowser();
  server = await startMinimal();
});

after(async () => {
  await browser?.close();
  await server?.stop();
  server?.clean();
});

async function open() {
  const page = await browser.open(server.url, { kind: Page, width: 760, height: 800 });
  await page.until('an own dot that is predicted', () => window.client?.entities.mine('Dot') && window.client.stats().predicting);
  return page;
}

const own = () => window.client.entities.mine('Dot').pos;

test('two pages see each other, and say how they are connected', async () => {
  [ann, bob] = [await open(), await open()];
  for (const page of [ann, bob]) {
    await page.until('two dots', () => window.client.entities.of('Dot').length === 2);
    await page.until('the state', () => /^2 here · (webtransport|websocket), \d+ ms/.test(document.querySelector('output').value));
  }
});

test('the own dot moves in the frame of its input', async () => {
  await ann.raw.bringToFront();
  // In one go: nothing that the network brings is read before the end of it, so what moves the dot is the prediction.
  const moved = await ann.evaluate(() => {
    const { client } = window;
    const moved = (from) => client.entities.mine('Dot').pos.x - from;
    client.update();
    const from = client.entities.mine('Dot').pos.x;
    client.setInput({ right: 1, up: 0 });
    const end = performance.now() + 5000;
    while (moved(from) <= 0.1 && performance.now() < end) client.update();
    return moved(from);
  });
  assert.ok(moved > 0.1, `moved by ${moved}`);
});

test('what the step predicts is what the server does: a dot is steered about with no correction', async () => {
  // A machine that is busy has an input come late now and then, which is put right; a wrong step is put right always.
  const steer = async () => {
    const { corrections } = await ann.evaluate(() => window.client.stats());
    for (const key of ['ArrowRight', 'ArrowUp', 'ArrowLeft']) {
      const { tick } = await ann.evaluate(() => window.client.stats());
      await ann.down(key);
      await ann.until('half a second', (from) => window.client.stats().tick > from + 30, tick);
      await ann.up(key);
    }
    return (await ann.evaluate(() => window.client.stats())).corrections - corrections;
  };
  let corrections;
  for (let round = 0; round < 30 && corrections !== 0; round++) corrections = await steer();
  assert.equal(corrections, 0);
  const { predicting } = await ann.evaluate(() => window.client.stats());
  assert.equal(predicting, true);
});

test('what one steers, the other sees', async () => {
  const from = await bob.evaluate(own);
  const id = await ann.evaluate(() => window.client.player);
  const before = await bob.until("Ann's dot", (id) => window.client.entities.get(id)?.pos, id);
  await ann.down('ArrowDown');
  await bob.until("Ann's dot much further down", ([id, y]) => window.client.entities.get(id)?.pos.y < y - 25, [id, before.y]);
  await ann.up('ArrowDown');
  assert.deepEqual(await bob.evaluate(own), from);
  await ann.screenshot('minimal');
});

test('a step that throws is told once, and the page plays on without prediction', async () => {
  const { told, moved } = await bob.evaluate(async () => {
    const { client } = window;
    const told = [];
    client.on('predictionFailed', ({ code, message }) => told.push({ code, message }));
    const from = client.entities.mine('Dot').pos.y;
    // The call that keeps a dot inside, broken under the page's step; the client's own calls go on.
    const { max } = Math;
    Math.max = (...numbers) => {
      if (numbers[0] === -100) throw new Error('broken on purpose');
      return max(...numbers);
    };
    while (told.length === 0) await new Promise((done) => setTimeout(done, 20));
    Math.max = max;
    const until = client.stats().tick + 60;
    while (client.stats().tick < until) await new Promise((done) => setTimeout(done, 20));
    client.setInput({ right: 0, up: 1 });
    return { told, moved: { from, predicting: client.stats().predicting } };
  });
  assert.equal(told.length, 1);
  assert.equal(told[0].code, 'StepFailed');
  assert.match(told[0].message, /step for "Dot" failed.*broken on purpose/);
  assert.equal(moved.predicting, false);
  await bob.raw.bringToFront();
  await bob.down('ArrowUp');
  await bob.until('the dot to be where the server has it', (from) => window.client.entities.mine('Dot').pos.y > from + 5, moved.from);
  await bob.up('ArrowUp');
  assert.deepEqual([...ann.errors, ...bob.errors], []);
});

test('the end of the server is told', async () => {
  await server.stop();
  await ann.until('the end', () => /reload the page/.test(document.querySelector('output').value));
});
