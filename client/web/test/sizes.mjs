// `node client/web/test/sizes.mjs FILE...`: the bytes of files as they are, and packed by gzip and brotli as well as they can be.
import { readFileSync } from 'node:fs';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const best = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } };
for (const file of process.argv.slice(2)) {
  const bytes = readFileSync(file);
  const sizes = { raw: bytes, gzip: gzipSync(bytes, { level: 9 }), brotli: brotliCompressSync(bytes, best) };
  const told = Object.entries(sizes).map(([how, { length }]) => `${how} ${(length / 1000).toFixed(1)} kB`);
  console.log(`${file}: ${told.join(', ')}`);
}
