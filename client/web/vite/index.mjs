// The plugin for Vite, `tickwire/vite`.
import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildRules, stubRules } from '../bin/rules.mjs';
import { fetchSchema } from '../bin/schema.mjs';
import { typesOf } from '../bin/types.mjs';
import { writeTypes } from '../bin/write.mjs';
import { directions, isThisMachine } from './directions.mjs';
import { precompress } from './precompress.mjs';
import { watchRules } from './watch.mjs';

const PACKAGE = realpathSync(fileURLToPath(new URL('..', import.meta.url)));
const SERVER = 'http://localhost:4433/';

export function tickwire(options = {}) {
  const server = new URL(options.server ?? process.env.TICKWIRE_SERVER ?? SERVER);
  let config;
  const whole = (path) => resolve(config.root, path);
  const rulesOut = () => whole(options.rulesOut ?? 'src/rules');
  const rules = (fast, quiet) => buildRules({ rules: whole(options.rules), out: rulesOut(), fast, quiet });
  return {
    name: 'tickwire',
    config: (given, { command }) => settings(given, command, server),
    configResolved(resolved) {
      config = resolved;
      // The package may be a link that leads out of the page's folder.
      config.server.fs.allow.push(PACKAGE);
    },
    async buildStart() {
      if (options.rules && config.command === 'build') await rules(false, false);
    },
    configureServer(vite) {
      if (options.rules) watchRules(vite, whole(options.rules), () => rules(true, true), stubRules(rulesOut()));
      const refresh = options.types && (() => refreshTypes(server, whole(options.types), config.logger));
      vite.middlewares.use('/certificate.json', directions(server, () => void refresh?.()));
      void refresh?.();
    },
    closeBundle() {
      if (config.command === 'build' && options.precompress !== false) precompress(whole(config.build.outDir));
    },
  };
}

/** What a page with this package asks of Vite; what the page's own file says goes before. */
function settings(given, command, server) {
  return {
    // The game server serves the page at its root, and relative addresses work behind a path as well.
    ...(command === 'build' && given.base === undefined && { base: './' }),
    // Full of `new URL(…, import.meta.url)`: not to be bundled before.
    optimizeDeps: { exclude: ['tickwire'] },
    // A package that is a link has its own node_modules, and a page must not have React twice.
    resolve: { dedupe: ['react', 'react-dom'] },
    build: { ...(given.build?.target === undefined && { target: 'es2023' }) },
    worker: { ...(given.worker?.format === undefined && { format: 'es' }) },
    server: {
      proxy: {
        '/ws': { target: server.origin, ws: true, changeOrigin: !isThisMachine(server) },
        '/schema.json': { target: server.origin, changeOrigin: !isThisMachine(server) },
      },
    },
  };
}

/** Each session of a page begins with a question, so the types are as fresh as the session. */
async function refreshTypes(server, file, logger) {
  try {
    const now = writeTypes(file, typesOf(await fetchSchema(server), undefined, file.endsWith('.d.ts')));
    if (now !== 'up to date') logger.info(`tickwire: ${file} is ${now}`);
  } catch (error) {
    logger.warn(`tickwire: the types stay as they are: ${error.message}`);
  }
}
