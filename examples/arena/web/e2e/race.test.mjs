// Over what a session goes, by how bad the network is: TLS over TCP, the certificate trusted by a flag of the browser.
//
// RACE_RUNS   connections over each network; 3 if not given
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { launchBrowser, Page } from './browsers.mjs';
import { program, startMinimal, startProxy } from './server.mjs';

const PACKAGE = resolve(import.meta.dirname, '../../../../client/web');
const RUNS = Number(process.env.RACE_RUNS ?? 3);
const skip = process.env.ARENA_BROWSER === 'firefox' && 'only Chromium trusts a certificate by a flag';

const PAGE = '<!doctype html><link rel="icon" href="data:,"><script type="module" src="play.js"></script>';
/** All that the page needs: what is measured is connecting. It has asked its server once, as a page has that came from it. */
const SCRIPT = `
  import { connect } from './tickwire/dist/index.js';
  import init, { Core } from './tickwire/wasm/tickwire.js';
  await init({ module_or_path: new URL('./tickwire/wasm/tickwire_bg.wasm', location) });
  const at = 'https://' + location.hostname + ':' + new URLSearchParams(location.search).get('port') + '/';
  await fetch(at + 'certificate.json');
  window.play = async () => {
    const begun = performance.now();
    const client = await connect(at, { name: 'Ann', core: async () => (name) => new Core(name), timeoutMs: 30_000 });
    while (client.stats().snapshots === 0) {
      client.update();
      await new Promise((done) => setTimeout(done, 5));
    }
    const played = { transport: client.transport, firstMs: performance.now() - begun };
    await client.close();
    return played;
  };
  window.isReady = true;
`;

let folder;
let server;
let browser;
const table = [];

before(async () => {
  if (skip) return;
  folder = mkdtempSync(join(tmpdir(), 'tickwire-race-'));
  const [cert, key, page] = ['cert.pem', 'key.pem', 'page'].map((name) => join(folder, name));
  execFileSync(program('tickwire-certs', 'TICKWIRE_CERTS'), ['--dir', join(folder, 'made'), 'export', '--cert', cert, '--key', key]);
  for (const part of ['dist', 'wasm']) cpSync(join(PACKAGE, part), join(page, 'tickwire', part), { recursive: true });
  writeFileSync(join(page, 'index.html'), PAGE);
  writeFileSync(join(page, 'play.js'), SCRIPT);
  const spki = new X509Certificate(readFileSync(cert)).publicKey.export({ type: 'spki', format: 'der' });
  const hash = createHash('sha256').update(spki).digest('base64');
  browser = await launchBrowser(`--ignore-certificate-errors-spki-list=${hash}`, '--webtransport-developer-mode');
  server = await startMinimal(page, '--cert-file', cert, '--key-file', key);
});

after(async () => {
  await browser?.close();
  await server?.stop();
  server?.clean();
  if (folder) rmSync(folder, { recursive: true, force: true });
  if (!skip) console.log(['| network | on datagrams | first snapshot, median | slowest |', '| --- | --- | --- | --- |', ...table].join('\n'));
});

/** So many connections over a network, each of a browser that remembers nothing. */
async function playOver(network) {
  const proxy = await startProxy(server, ...network);
  const played = [];
  try {
    while (played.length < RUNS) {
      const page = await browser.open(`${server.url}?port=${proxy.port}`, { kind: Page });
      await page.until('the page', () => window.isReady, undefined, 60_000);
      played.push(await page.evaluate(() => window.play()));
      assert.deepEqual(page.errors, []);
      await page.close();
    }
  } finally {
    proxy.stop();
  }
  return played;
}

const ms = (value) => `${value.toFixed(0)} ms`;

/** The networks, and how many connections over each may meet too much that is lost. */
const NETWORKS = { lan: 0, wifi: 0, lte: 1, awful: 1 };

for (const [profile, unlucky] of Object.entries(NETWORKS)) {
  test(`where datagrams pass, sessions are on datagrams: ${profile}`, { skip }, async () => {
    const played = await playOver(['--profile', profile]);
    const times = played.map(({ firstMs }) => firstMs).sort((a, b) => a - b);
    const on = played.filter(({ transport }) => transport === 'webtransport').length;
    table.push(`| ${profile} | ${on} of ${RUNS} | ${ms(times[RUNS >> 1])} | ${ms(times.at(-1))} |`);
    assert.ok(on >= RUNS - unlucky, JSON.stringify(played));
  });
}
