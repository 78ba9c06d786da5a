// `node e2e/picture.mjs URL FILE`: joins a running arena, flies for a while, and takes a picture of it.
//
// ARENA_BROWSER   chromium, or firefox
// SECONDS         how long to fly; 12 if not given
// CURVES          show what the network did
import { launchBrowser } from './browsers.mjs';

const [url, file] = process.argv.slice(2);
if (!url || !file) {
  console.error('usage: node e2e/picture.mjs URL FILE');
  process.exit(2);
}
const browser = await launchBrowser();
try {
  const page = await browser.open(url, { width: 1440, height: 900, scale: 2 });
  await page.join('Ann');
  await page.say('hello, everyone');
  await page.down(' ');
  if (process.env.CURVES) {
    await page.down('n');
    await page.up('n');
  }
  const end = Date.now() + Number(process.env.SECONDS ?? 12) * 1000;
  while (Date.now() < end) await page.chase();
  await page.save(file);
  const { ships, members } = await page.evaluate(() => ({
    ships: window.arena.entities().filter(({ kind }) => kind === 'Ship').length,
    members: window.arena.client?.members.size,
  }));
  console.log(`${file}: ${ships} ships in sight, ${members} in the room`);
} finally {
  await browser.close();
}
