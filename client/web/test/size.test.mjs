import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';
import { expect, test } from 'vitest';

const here = (path) => new URL(path, import.meta.url).pathname;
/** How far a figure of the README may be from what it is. */
const TOLERANCE = 0.1;

/** The bytes of what a page with this package loads, by the end of their names, each packed by gzip. */
async function packed() {
  const entry = 'virtual:page';
  const page = `import { connect } from ${JSON.stringify(here('../src/index.ts'))}; globalThis.connect = connect;`;
  const plugin = { name: 'page', resolveId: (id) => (id === entry ? id : undefined), load: (id) => (id === entry ? page : undefined) };
  const { output } = await build({
    configFile: false,
    logLevel: 'error',
    plugins: [plugin],
    build: { write: false, target: 'es2023', assetsInlineLimit: 0, modulePreload: false, rollupOptions: { input: entry } },
  });
  const bytes = {};
  for (const { fileName, code, source } of output) {
    const end = fileName.split('.').at(-1);
    bytes[end] = (bytes[end] ?? 0) + gzipSync(code ?? source, { level: 9 }).length;
  }
  return bytes;
}

test('the README states what a page loads', { timeout: 60_000 }, async () => {
  const bytes = await packed();
  expect(Object.keys(bytes).sort(), 'run `cargo xtask web` for the module').toEqual(['js', 'wasm']);
  const readme = readFileSync(here('../README.md'), 'utf8');
  for (const [what, end] of [['JavaScript, minified', 'js'], ['WebAssembly', 'wasm']]) {
    const kilobytes = bytes[end] / 1000;
    console.log(`${what}, gzip: ${kilobytes.toFixed(1)} kB`);
    const stated = Number(new RegExp(`\\| ${what} \\| ([\\d.]+) kB \\|`).exec(readme)?.[1]);
    const off = Math.abs(stated / kilobytes - 1);
    expect(off, `README: ${stated} kB of ${what}; it is ${kilobytes.toFixed(1)} kB`).toBeLessThan(TOLERANCE);
  }
});
