import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launchBrowser } from './browsers.mjs';
import { findServer } from './server.mjs';
import { Terminal } from './terminal.mjs';

let server;
let browser;
let page;
let terminal;

before(async () => {
  server = await findServer();
  browser = await launchBrowser();
  page = await browser.open(`${server.url}?room=dock`);
  await page.join('Ann');
  terminal = new Terminal(server.url, 'Terra', 'dock');
  await terminal.until('hull');
});

after(async () => {
  terminal?.close();
  await browser?.close();
  await server?.stop();
  server?.clean();
});

const shipOf = (name) => {
  const { client } = window.arena;
  const player = [...client.members.values()].find((member) => member.name === name)?.player;
  return window.arena.entities().find((entity) => entity.kind === 'Ship' && entity.id === player) ?? null;
};

test('a browser and a native client are in one room and see each other', async () => {
  await page.until('Terra among the members', () => [...window.arena.client.members.values()].some(({ name }) => name === 'Terra'));
  await terminal.until('Ann');
  await page.flyTo('Terra');
});

test('the browser sees the native client steer', async () => {
  await page.flyTo('Terra');
  const before = await page.until("Terra's ship", shipOf, 'Terra');
  // A terminal tells of pressed keys only: each press holds the key for a moment.
  for (let press = 0; press < 6; press++) terminal.press('Left');
  const turned = (from) => {
    const { client } = window.arena;
    const player = [...client.members.values()].find(({ name }) => name === 'Terra').player;
    const ship = client.entities.get(player);
    return ship?.kind === 'Ship' && Math.abs(ship.heading - from) > 0.2;
  };
  await page.until("a turn of Terra's ship", turned, before.heading);
  await page.screenshot('with-terminal');
});

test('chat passes between the browser and the native client', async () => {
  await page.say('ahoy from the page');
  await terminal.until('Ann: ahoy from the page');
  terminal.say('ahoy from the terminal');
  const heard = () => window.arena.chat().some(({ name, text }) => name === 'Terra' && text === 'ahoy from the terminal');
  await page.until("Terra's message", heard);
});

test('the page hears of the native client leaving', async () => {
  terminal.press('q');
  await page.until('Terra to be gone', () => window.arena.client.members.size === 1);
  assert.deepEqual(page.errors, []);
});
