import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { startVite } from '../../../../xtask/e2e/game.mjs';
import { launchBrowser, Page } from './browsers.mjs';
import { startMinimal } from './server.mjs';

const ROOT = resolve(import.meta.dirname, '../../../..');
let browser;
let server;
let vite;

before(async () => {
  browser = await launchBrowser();
  server = await startMinimal();
  vite = await startVite(resolve(ROOT, 'docs/samples/react'), server.url, resolve(ROOT, 'client/web'));
});

after(async () => {
  await browser?.close();
  await vite?.stop();
  await server?.stop();
  server?.clean();
});

test('a component in StrictMode has one session, which draws and is rendered', async () => {
  const ann = await browser.open(vite.url, { kind: Page });
  await ann.until('a room', () => document.querySelectorAll('li').length > 0);
  await ann.until('the own dot', () => {
    const pen = document.querySelector('canvas')?.getContext('2d');
    return pen?.getImageData(300, 300, 1, 1).data[0] === 255;
  });
  const { sessions } = await (await fetch(new URL('/stats.json', server.url))).json();
  assert.equal(sessions, 1);
  const bob = await browser.open(vite.url, { kind: Page });
  for (const page of [ann, bob]) await page.until('two members', () => document.querySelectorAll('li').length === 2);
  await bob.close();
  await ann.until('one again', () => document.querySelectorAll('li').length === 1);
  assert.deepEqual(ann.errors, []);
  await ann.screenshot('react');
});

test('a page that is loaded anew is back in its room, and its old session keeps no seat', async () => {
  const ann = await browser.open(vite.url, { kind: Page });
  await ann.until('a room', () => document.querySelectorAll('li').length > 0);
  const kept = () => Object.values(sessionStorage).join();
  const before = await ann.until('what the tab keeps', kept);
  const seats = () => ann.until('the members', () => document.querySelectorAll('li').length);
  const others = await seats();
  await ann.raw.reload();
  await ann.until('a room again', () => document.querySelectorAll('li').length > 0);
  assert.equal(await ann.until('what the tab keeps', kept), before);
  await ann.until('the same members', (others) => document.querySelectorAll('li').length === others, others);
  assert.deepEqual(ann.errors, []);
  await ann.close();
});
