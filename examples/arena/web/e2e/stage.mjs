import { after, afterEach, before } from 'node:test';
import { launchBrowser } from './browsers.mjs';
import { startServer } from './server.mjs';

/**
 * A browser and an arena server for the tests of a file, from its first to its last. Gives what opens a page there, for one
 * test: `query` goes behind the address.
 */
export function stage() {
  let browser;
  let server;
  let pages = [];

  before(async () => {
    browser = await launchBrowser();
    server = await startServer();
  });

  afterEach(async () => {
    await Promise.all(pages.map((page) => page.close()));
    pages = [];
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
    server?.clean();
  });

  return async (query = '', options = {}) => {
    const page = await browser.open(server.url + query, options);
    pages.push(page);
    return page;
  };
}
