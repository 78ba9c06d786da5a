import { defineConfig } from 'vite';
import { precompress } from '../../precompress';

export default defineConfig({
  plugins: [precompress()],
  // The server serves the page at its root; relative addresses also work behind a path.
  base: './',
  build: { target: 'es2023' },
  // Linked from this repository and full of `new URL(..., import.meta.url)`: not to be pre-bundled.
  optimizeDeps: { exclude: ['tickwire'] },
});
