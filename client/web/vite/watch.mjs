// The rules of a development server: built from its start on, and again when they change.
import { join, sep } from 'node:path';

/** How long after a change nothing more may change until the rules are built. */
const CALM_MS = 100;

const FIRST =
  'tickwire: building the rules for the page, beside what `cargo run` builds; the first time takes some minutes. Until then the page ' +
  'plays without prediction, and then it is loaded anew';

/**
 * Builds the rules by `build`, now and whenever a file of the crate in `folder` changes; then the page is loaded anew. Rules that
 * do not build are shown over the page. The server does not wait: meanwhile a page has the rules of an earlier time, or none if
 * `isFirst`.
 */
export function watchRules(vite, folder, build, isFirst) {
  const { logger } = vite.config;
  let timer;
  let running;
  let isStale = false;

  async function rebuild() {
    isStale = true;
    if (running) return running;
    running = (async () => {
      while (isStale) {
        isStale = false;
        await once();
      }
    })();
    await running;
    running = undefined;
  }

  async function once() {
    const start = performance.now();
    try {
      if (!(await build())) return;
      logger.info(`tickwire: the rules are built (${((performance.now() - start) / 1000).toFixed(1)} s)`, { timestamp: true });
      vite.ws.send({ type: 'full-reload' });
    } catch (error) {
      logger.error(`tickwire: ${error.message}`, { timestamp: true });
      vite.ws.send({ type: 'error', err: { message: error.message, stack: '', plugin: 'tickwire' } });
    }
  }

  const sources = [join(folder, 'src'), join(folder, 'Cargo.toml')];
  vite.watcher.add(sources);
  vite.watcher.on('all', (_event, path) => {
    if (!sources.some((source) => path === source || path.startsWith(source + sep)) || !/\.(rs|toml)$/.test(path)) return;
    clearTimeout(timer);
    timer = setTimeout(() => void rebuild(), CALM_MS);
  });
  if (isFirst) logger.info(FIRST);
  void rebuild();
}
