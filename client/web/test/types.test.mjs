import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkSchema } from '../bin/schema.mjs';
import { typesOf } from '../bin/types.mjs';

const COMMAND = new URL('../bin/tickwire.mjs', import.meta.url).pathname;
const EVERYTHING = readFileSync(new URL('./schema.everything.json', import.meta.url), 'utf8');
/** What is made of it; the type check of this package reads it too. */
const GOLDEN = readFileSync(new URL('./types.everything.ts', import.meta.url), 'utf8');

let folder;
let server;
let url;
/** What the server answers. */
let answer;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tickwire-types-'));
  answer = { status: 200, body: EVERYTHING };
  server = createServer((request, response) => {
    const known = request.url === '/schema.json';
    response.writeHead(known ? answer.status : 404).end(known ? answer.body : '');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${server.address().port}/`;
});

afterEach(async () => {
  server.close();
  server.closeAllConnections();
  rmSync(folder, { recursive: true });
});

/** Runs the command. */
function run(...args) {
  return new Promise((done) => {
    execFile(process.execPath, [COMMAND, ...args], (error, stdout, stderr) => done({ code: error?.code ?? 0, stdout, stderr }));
  });
}

const edited = (edit) => {
  const schema = JSON.parse(EVERYTHING);
  edit(schema);
  return schema;
};

test('every type of field has its TypeScript', async () => {
  expect(await run('types', url)).toEqual({ code: 0, stdout: GOLDEN, stderr: '' });
});

test('a file is written, found up to date, and brought up to date', async () => {
  const file = join(folder, 'game.ts');
  expect((await run('types', url, '--check', '-o', file)).stderr).toMatch('does not exist; run this again without --check');
  expect((await run('types', url, '-o', file)).stderr).toMatch('is written');
  expect(readFileSync(file, 'utf8')).toBe(GOLDEN);
  expect(await run('types', url, '--check', '-o', file)).toMatchObject({ code: 0, stderr: expect.stringContaining('up to date') });
  answer.body = JSON.stringify(edited((schema) => (schema.tickHz = 60)));
  expect(await run('types', url, '--check', '-o', file)).toMatchObject({ code: 1, stderr: expect.stringContaining('not what the server says') });
  expect((await run('types', url, '-o', file)).stderr).toMatch('brought up to date');
  expect(readFileSync(file, 'utf8')).toMatch('60 ticks a second');
});

test('a file of somebody else is left alone', async () => {
  const file = join(folder, 'own.ts');
  writeFileSync(file, 'export const mine = 1;\n');
  expect(await run('types', url, '-o', file)).toMatchObject({ code: 1, stderr: expect.stringContaining('left alone; give another file, or delete it') });
  expect(readFileSync(file, 'utf8')).toBe('export const mine = 1;\n');
});

test('an error says what to do', async () => {
  expect(await run()).toMatchObject({ code: 1, stderr: expect.stringContaining('usage: npx tickwire types URL') });
  expect(await run('types', url, '--wat')).toMatchObject({ code: 1, stderr: expect.stringContaining('usage') });
  expect((await run('types', 'localhost')).stderr).toMatch('"localhost" is no address; give one such as');
  expect((await run('types', 'quic://localhost:1')).stderr).toMatch('is not HTTP');
  expect((await run('types', 'http://127.0.0.1:9/')).stderr).toMatch(/no server answers at http:\/\/127\.0\.0\.1:9 .*start it/);
  answer = { status: 404, body: 'no such page' };
  expect((await run('types', url)).stderr).toMatch('answers 404; is this a tickwire server?');
  answer = { status: 200, body: '<h1>hello</h1>' };
  expect((await run('types', url)).stderr).toMatch('is not a tickwire schema');
  answer = { status: 200, body: 'x'.repeat(2 ** 21) };
  expect((await run('types', url)).stderr).toMatch('longer than 1048576 bytes');
  answer = { status: 200, body: EVERYTHING };
  expect((await run('types', url, '--name', 'a b')).stderr).toMatch('"a b" cannot be the name of an interface');
});

test('what a server says never becomes code but as a name', () => {
  const wrong = (edit, words) => expect(() => checkSchema(edited(edit))).toThrow(words);
  wrong((schema) => (schema.entities[0].name = 'A: {} }; evil() //'), 'is not a name');
  wrong((schema) => (schema.entities[0].fields[0].name = 'a-b'), '"a-b" is not a name');
  wrong((schema) => (schema.entities[0].fields[0].velocity = '*/ evil() /*'), 'is not a name');
  wrong((schema) => (schema.entities[0].fields[0].type = 'toString'), 'unknown type "toString"');
  wrong((schema) => (schema.entities[0].fields[0].max = '1 */ evil() /*'), 'has no "min", "max" and "step"');
  wrong((schema) => (schema.entities[0].fields[5].max = 1e9), 'has no range');
  wrong((schema) => (schema.entities[1].name = 'Racer'), 'has "Racer" twice');
  wrong((schema) => (schema.tickHz = '60 */'), '"tickHz"');
  wrong((schema) => (schema.entities[0].fields[5].choice.name = '0; evil()'), 'is not a name');
  wrong((schema) => (schema.entities[0].fields[5].choice.variants[1] = 'Soft: 0 }; evil() //'), 'is not a name');
  wrong((schema) => schema.entities[0].fields[5].choice.variants.pop(), 'has not a name for each variant');
  wrong((schema) => (schema.entities[0].fields[5].choice.variants[1] = 'Soft'), 'has a variant twice');
  wrong((schema) => (schema.entities[0].fields[4].choice = { name: 'Fuel', variants: ['Full'] }), 'has not a name for each variant');
  wrong((schema) => (schema.input = null), 'is not a name');
  wrong((schema) => (schema.events = 3), '"events" is not a list');
  wrong((schema) => (schema.commands = {}), '"commands" is not a list');
  expect(() => checkSchema(null)).toThrow('it has no "game"');
  const quoted = typesOf(checkSchema(edited((schema) => (schema.game = 'a\n */ evil() /*'))), 'Fine');
  expect(quoted).toContain('/** The game "a\\n *\\/ evil() /*", 30 ticks');
});

test('a text and an array have bounds', () => {
  const wrong = (field, edit, words) => expect(() => checkSchema(edited(({ entities }) => edit(entities[0].fields[field])))).toThrow(words);
  for (const max of [0, 65, 1.5]) wrong(10, (label) => (label.max = max), 'Racer.label has no range');
  for (const length of [0, 33, '3', 2.5]) wrong(12, (laps) => (laps.length = length), 'Racer.laps has no length of 1 to 32');
});

test('an enum keeps its names, whatever else has them', () => {
  const renamed = (name) => {
    const schema = edited((schema) => schema.entities[0].fields.forEach(({ choice }) => choice && (choice.name = name)));
    return typesOf(checkSchema(schema), 'Race');
  };
  expect(renamed('Wheel')).toContain("export type Wheel = 'Soft' | 'Medium' | 'Hard';");
  for (const taken of ['Race', 'Vec3', 'default', 'class']) {
    expect(renamed(taken), taken).toContain("export type RacerTyres = 'Soft' | 'Medium' | 'Hard';");
    expect(renamed(taken), taken).toContain('tyres: RacerTyres;');
  }
});

test('an enum of very many variants is any text', () => {
  const variants = Array.from({ length: 300 }, (_, at) => `Land${at}`);
  const schema = edited((schema) => (schema.entities[0].fields[9] = { ...schema.entities[0].fields[9], max: 299, choice: { name: 'Land', variants } }));
  expect(typesOf(checkSchema(schema))).toContain('/** The name of one of 300 variants. Told to its owner only. */\n      country: string;');
});

test('a server that tells no names gives indices, and a file of types alone has no values', async () => {
  const nameless = edited((schema) => schema.entities[0].fields.forEach((field) => delete field.choice));
  const text = typesOf(checkSchema(nameless));
  expect(text).toContain('/** The index of one of 3 variants. */\n      tyres: 0 | 1 | 2;');
  const file = join(folder, 'race.d.ts');
  await run('types', url, '-o', file);
  const ambient = readFileSync(file, 'utf8');
  expect(ambient).toContain("export type Tyres = 'Soft' | 'Medium' | 'Hard';");
  expect(ambient).not.toContain('const');
});
