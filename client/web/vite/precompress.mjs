import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

/** What a browser loads as text or code; pictures, sounds and fonts are small already. */
const COMPRESSIBLE = /\.(html|js|mjs|css|json|map|svg|txt|wasm|webmanifest|xml)$/;

/** Puts `.br` and `.gz` beside the files of a page that was built, where that makes them smaller: the game server sends those. */
export function precompress(folder) {
  for (const name of readdirSync(folder, { recursive: true })) {
    if (!COMPRESSIBLE.test(name)) continue;
    const path = join(folder, name);
    const bytes = readFileSync(path);
    const brotli = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } });
    if (brotli.length < bytes.length) writeFileSync(`${path}.br`, brotli);
    const gzip = gzipSync(bytes, { level: 9 });
    if (gzip.length < bytes.length) writeFileSync(`${path}.gz`, gzip);
  }
}
