// `npm run e2e -- chromium|firefox`: plays the arena in a real browser against a real server.
//
// TICKWIRE_URL   a running server to play on; one of our own if not given
// ARENA_SERVER   the server's program; the newest of target/release and target/debug if not given
// ARENA_TERMINAL the terminal client's program; found likewise
// TICKWIRE_BENCH the proxy's program; found likewise
// CHROMIUM       the browser's program; /usr/bin/chromium if not given
// FIREFOX        the same for Firefox; /usr/bin/firefox-esr if not given
// SCREENSHOTS    where pictures go; a folder under the system's temporary one if not given
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BROWSERS } from './browsers.mjs';

const browser = process.argv[2];
if (!BROWSERS.includes(browser)) {
  console.error(`usage: npm run e2e -- ${BROWSERS.join('|')}`);
  process.exit(2);
}
const here = import.meta.dirname;
const screenshots = process.env.SCREENSHOTS ?? join(tmpdir(), 'tickwire-arena-e2e');
mkdirSync(screenshots, { recursive: true });
const tests = readdirSync(here).filter((name) => name.endsWith('.test.mjs'));
const options = ['--test', '--test-concurrency=1', '--test-timeout=240000', '--test-reporter=spec'];
const { status } = spawnSync(process.execPath, [...options, ...tests.map((name) => join(here, name))], {
  stdio: 'inherit',
  env: { ...process.env, ARENA_BROWSER: browser, SCREENSHOTS: screenshots },
});
console.log(`pictures: ${screenshots}`);
process.exit(status ?? 1);
