// A step of JavaScript against a real server, in node: it sees rocks, and shows a shot and an event that the server knows nothing of.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { startServer } from './server.mjs';

const PACKAGE = resolve(import.meta.dirname, '../../../../client/web/dist/index.js');
const SOURCE = `
  const [told, rocks] = [[], new Set()];
  const client = await connect(url, {
    name: 'Bot',
    predict: {
      Ship(ship, _controls, seconds, tick) {
        for (const { id, pos } of tick.nearby('Asteroid')) if (Number.isFinite(pos.x)) rocks.add(id);
        if (ship.isDone) return;
        ship.isDone = true;
        tick.spawn('Shot', { pos: ship.pos, vel: { x: 60, y: 0 }, team: ship.team });
        tick.emit('Hit', { pos: ship.pos, victim: 999 });
      },
    },
  });
  client.on('event', ({ kind, victim, predicted }) => victim === 999 && told.push([kind, predicted]));
  client.on('cancelled', ({ kind, victim }) => victim === 999 && told.push([kind, 'cancelled']));
  let shots = 0;
  const own = () => client.entities.of('Shot').filter(({ mine }) => mine).length;
  while (!told.some(([, how]) => how === 'cancelled') || own() > 0) {
    client.update();
    shots = Math.max(shots, own());
    await new Promise((done) => setTimeout(done, 16));
  }
  const seen = client.entities.of('Asteroid').filter(({ id }) => rocks.has(id)).length;
  console.log(JSON.stringify({ told, shots, hasSeen: seen > 0 }));
  await client.close();`;

let server;

before(async () => {
  server = await startServer();
});

after(async () => {
  await server?.stop();
  server?.clean();
});

test('a step sees rocks; what it spawns and emits is shown, and taken back as the server has it not', () => {
  const module = `import { connect } from ${JSON.stringify(PACKAGE)};\nconst url = ${JSON.stringify(server.url)};\n${SOURCE}`;
  const flags = ['--experimental-websocket', '--input-type=module', '--eval', module];
  const { status, stdout, stderr } = spawnSync(process.execPath, flags, { encoding: 'utf8', timeout: 60_000 });
  assert.equal(status, 0, stderr);
  // A correction of the first ticks, before which nothing was predicted, may have it step them once more.
  const { told, shots, hasSeen } = JSON.parse(stdout);
  assert.deepEqual(told[0], ['Hit', true]);
  assert.deepEqual(told.at(-1), ['Hit', 'cancelled']);
  assert.ok(shots > 0, 'no shot was shown');
  assert.ok(hasSeen, 'no rock was seen');
});
