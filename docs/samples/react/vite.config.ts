import { fileURLToPath } from 'node:url';
import { tickwire } from '../../../client/web/vite/index.mjs';

const from = (path: string) => fileURLToPath(new URL(`../../../client/web/${path}`, import.meta.url));

// A page of one's own has these in its node_modules, and names only the plugin.
export default {
  plugins: [tickwire()],
  resolve: {
    alias: [
      { find: /^tickwire$/, replacement: from('dist/index.js') },
      { find: /^tickwire\/react$/, replacement: from('dist/react.js') },
      { find: /^(react|react-dom)(\/.*)?$/, replacement: from('node_modules/$1$2') },
    ],
  },
};
