// `npm run e2e -- chromium|firefox [FILE]`: plays the examples in a real browser against real servers; all files, or the
// tests of one, such as `minimal`.
//
// TICKWIRE_URL   a running server to play on; one of our own if not given
// ARENA_SERVER   the server's program; the newest of target/release, target/debug and target/play if not given
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

const [browser, file] = process.argv.slice(2);
if (!BROWSERS.includes(browser)) {
  console.error(`usage: npm run e2e -- ${BROWSERS.join('|')} [FILE]`);
  process.exit(2);
}
const here = import.meta.dirname;
const screenshots = process.env.SCREENSHOTS ?? join(tmpdir(), 'tickwire-arena-e2e');
mkdirSync(screenshots, { recursive: true });
const tests = readdirSync(here).filter((name) => name.endsWith('.test.mjs') && (!file || name === `${file}.test.mjs`));
if (tests.length === 0) {
  console.error(`no test is in e2e/${file}.test.mjs; name a file without its end, such as minimal`);
  process.exit(2);
}
const options = ['--test', '--test-concurrency=1', '--test-timeout=600000', '--test-reporter=spec'];
const { status } = spawnSync(process.execPath, [...options, ...tests.map((name) => join(here, name))], {
  stdio: 'inherit',
  env: { ...process.env, ARENA_BROWSER: browser, SCREENSHOTS: screenshots },
});
console.log(`pictures: ${screenshots}`);
process.exit(status ?? 1);
