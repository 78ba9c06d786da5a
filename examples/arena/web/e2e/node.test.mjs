// The package as it is built, in node.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { startMinimal } from './server.mjs';

const PACKAGE = resolve(import.meta.dirname, '../../../../client/web/dist/index.js');

let server;

before(async () => {
  server = await startMinimal();
});

after(async () => {
  await server?.stop();
  server?.clean();
});

/** Runs a module that has what the package exports. What it printed. */
function run(flags, source) {
  const module = `import * as tickwire from ${JSON.stringify(PACKAGE)};\nconst url = ${JSON.stringify(server.url)};\n${source}`;
  const { status, stdout, stderr } = spawnSync(process.execPath, [...flags, '--input-type=module', '--eval', module], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout.trim();
}

const failure = `
  const told = await tickwire.connect(url, { name: 'Ann', ...options }).then((client) => client.close(), (error) => error);
  console.log(told instanceof tickwire.TickwireError, told?.code);`;

// Since node 22 there is one without a flag.
const without = ['--no-experimental-websocket'];

for (const options of [{}, { transport: 'websocket' }, { certificateHashes: [] }]) {
  test(`without a WebSocket the error says so: ${JSON.stringify(options)}`, () => {
    assert.equal(run(without, `const options = ${JSON.stringify(options)};${failure}`), 'true NoWebSocket');
  });
}

test('without WebTransport, and asked for it alone, the error says so', () => {
  assert.equal(run(without, `const options = { transport: 'webtransport' };${failure}`), 'true NoWebTransport');
});

test('a server that is not there is told by its address, not by a page that there is not', () => {
  const source = `const options = { certificateHashes: undefined }; await tickwire.connect('http://127.0.0.1:9/', { timeoutMs: 3000 })
    .catch((error) => console.log(error.code, /page/.test(error.message)));`;
  assert.equal(run(['--experimental-websocket'], source), 'Unreachable false');
});

test('with a WebSocket it plays and chats, and a listener that throws ends nothing but is told', () => {
  const source = `
    let told;
    process.on('uncaughtException', (error) => (told = error.message));
    const client = await tickwire.connect(url, { name: 'Bot' });
    client.on('message', () => { throw new Error('a listener'); });
    client.setInput({ right: 1 });
    const { text } = await client.chat.send('from node');
    while (!(client.entities.mine('Dot')?.pos.x > 5)) {
      client.update();
      await new Promise((done) => setTimeout(done, 16));
    }
    console.log(client.transport, text, told);
    await client.close();`;
  assert.equal(run(['--experimental-websocket'], source), 'websocket from node a listener');
});
