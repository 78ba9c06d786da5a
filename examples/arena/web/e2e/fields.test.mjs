// A field of every type, through the wasm client: from a page as input and command, and back as entity and event.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { startEcho } from './server.mjs';

const PACKAGE = resolve(import.meta.dirname, '../../../../client/web');

let server;

before(async () => {
  server = await startEcho();
});

after(async () => {
  await server?.stop();
  server?.clean();
});

/** Runs a module that has a client in a room, and `until(what, id, wanted)`. What it printed, as JSON. */
function run(source) {
  const module = `
    import { deepEqual } from 'node:assert/strict';
    import { connect } from ${JSON.stringify(`${PACKAGE}/dist/index.js`)};
    const client = await connect(${JSON.stringify(server.url)}, { name: 'Ann' });
    const events = [];
    client.on('event', ({ kind, tick, predicted, ...fields }) => events.push(structuredClone(fields)));
    const isEqual = (a, b) => { try { deepEqual(a, b); return true; } catch { return false; } };
    async function until(what, id, wanted) {
      const end = performance.now() + 30_000;
      let seen;
      while (performance.now() < end) {
        client.update();
        const { id: _, kind, mine, presence, ...fields } = client.entities.get(id) ?? {};
        seen = structuredClone(fields);
        if (isEqual(seen, wanted)) return;
        await new Promise((done) => setTimeout(done, 16));
      }
      deepEqual(seen, wanted, what);
    }
    ${source}
    await client.close();`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--experimental-websocket', '--input-type=module', '--eval', module], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

const FULL = {
  flag: true,
  count: -5,
  player: 4294967295,
  real: -7.75,
  heading: Math.PI / 2,
  place: { x: 8, y: -0.25 },
  at: { x: -8, y: 0.5, z: 8 },
  turned: { x: 1, y: 0, z: 0, w: 0 },
  team: 'Blue',
  name: 'Zoë 🚀',
  aim: { x: 0, y: 3.25 },
  friend: 'Ann',
  slots: [9, 0, 4],
  path: [{ x: 1, y: 2, z: 3 }, { x: -1, y: -2, z: -3 }],
  teams: ['Blue', 'Red'],
};
/** What a client that never set anything holds. */
const NOTHING = {
  flag: false,
  count: 0,
  player: 0,
  real: 0,
  heading: 0,
  place: { x: 0, y: 0 },
  at: { x: 0, y: 0, z: 0 },
  turned: { x: 0, y: 0, z: 0, w: 1 },
  team: 'Red',
  name: '',
  aim: null,
  friend: null,
  slots: [0, 0, 0],
  path: [{ x: 0, y: 0, z: 0 }, { x: 0, y: 0, z: 0 }],
  teams: null,
};

test('a field of every type goes there and back', () => {
  const none = { ...FULL, name: '', aim: null, friend: null, teams: null };
  const one = { ...FULL, name: 'Zoë', slots: [9, 1, 4] };
  const values = [NOTHING, FULL, one, none, FULL, NOTHING];
  const events = run(`
    const [held, asked] = [2 * client.player, 2 * client.player + 1];
    for (const value of ${JSON.stringify(values)}) {
      client.setInput(value);
      await until('the input', held, value);
      await client.command('Everything', value);
      await until('the command', asked, value);
    }
    while (events.length < ${values.length}) {
      client.update();
      await new Promise((done) => setTimeout(done, 16));
    }
    console.log(JSON.stringify(events));`);
  assert.deepEqual(events, values);
});

test('an input that names one field leaves the others, and a text that is none is refused before it is sent', () => {
  const told = run(`
    const held = 2 * client.player;
    client.setInput({ name: 'Ann', aim: { x: 1, y: 2 } });
    client.setInput({ aim: null, slots: [1, 2, 3] });
    await until('both', held, { ...${JSON.stringify(NOTHING)}, name: 'Ann', slots: [1, 2, 3] });
    const told = [];
    for (const wrong of [{ name: 'a\\tb' }, { name: 'seventeen letters' }, { team: 'Green' }, { slots: [1] }]) {
      try { client.setInput(wrong); } catch (error) { told.push(error.name); }
    }
    await client.command('Everything', { name: 'Ann' }).catch((error) => told.push(error.message));
    console.log(JSON.stringify(told));`);
  assert.deepEqual(told.slice(0, 4), ['RangeError', 'RangeError', 'TypeError', 'TypeError']);
  assert.match(told[4], /the Everything command lacks its field "flag"/);
});

test('its types have every one of them', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [`${PACKAGE}/bin/tickwire.mjs`, 'types', server.url], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  for (const line of ['turned: Quat;', 'team: Team;', 'name: string;', 'aim: Vec2 | null;', 'friend: string | null;', 'slots: number[];', 'path: Vec3[];', 'teams: Team[] | null;']) {
    assert.ok(stdout.includes(`      ${line}\n`), line);
  }
  assert.match(stdout, /export type Team = 'Red' \| 'Blue';/);
});
