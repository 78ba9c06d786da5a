import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { startMinimal, startServer } from './server.mjs';

const ROOT = resolve(import.meta.dirname, '../../../..');
const COMMAND = join(ROOT, 'client/web/bin/tickwire.mjs');

for (const [start, file] of [[startServer, 'examples/arena/web/src/arena.ts'], [startMinimal, 'examples/minimal/web/src/minimal.ts']]) {
  test(`${file} is what the server's game has`, async () => {
    const server = await start();
    try {
      const args = [COMMAND, 'types', server.url, '--check', '-o', join(ROOT, file)];
      const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
      assert.equal(status, 0, stderr);
    } finally {
      await server.stop();
      server.clean();
    }
  });
}
