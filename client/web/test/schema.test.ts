import { expect, test } from 'vitest';
import { RecordWriter, type Kind, readRecord } from '../src/schema.js';

const EVERY_TYPE: Kind = {
  name: 'Thing',
  fields: [
    { name: 'alive', type: 'bool', components: 1 },
    { name: 'score', type: 'int', components: 1 },
    { name: 'heading', type: 'angle', components: 1 },
    { name: 'pos', type: 'vec2', components: 2 },
    { name: 'up', type: 'vec3', components: 3 },
    { name: 'turn', type: 'quat', components: 4 },
    { name: 'team', type: 'choice', components: 1, choice: { name: 'Team', variants: ['Red', 'Green', 'Blue'] } },
    { name: 'gun', type: 'choice', components: 1 },
  ],
};

test('a flat record becomes an object by the names and types of the schema', () => {
  const thing = {};
  readRecord(EVERY_TYPE, [9, 1, -3, 0.5, 10, 20, 0, 0, 1, 0.1, 0.2, 0.3, 0.9, 2, 1], 1, thing);
  expect(thing).toEqual({
    alive: true,
    score: -3,
    heading: 0.5,
    pos: { x: 10, y: 20 },
    up: { x: 0, y: 0, z: 1 },
    turn: { x: 0.1, y: 0.2, z: 0.3, w: 0.9 },
    team: 'Blue',
    gun: 1,
  });
});

test('reading the same object again keeps its vectors', () => {
  const thing: Record<string, unknown> = {};
  const record = [0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 1, 0, 0];
  readRecord(EVERY_TYPE, record, 0, thing);
  const pos = thing['pos'];
  readRecord(EVERY_TYPE, record.with(3, 5), 0, thing);
  expect(thing['pos']).toBe(pos);
  expect(pos).toEqual({ x: 5, y: 2 });
});

const INPUT: Kind = {
  name: 'Controls',
  fields: [
    { name: 'thrust', type: 'bool', components: 1 },
    { name: 'aim', type: 'vec2', components: 2 },
    { name: 'look', type: 'quat', components: 4 },
    { name: 'turn', type: 'float', components: 1 },
    { name: 'gun', type: 'choice', components: 1, choice: { name: 'Gun', variants: ['Laser', 'Rail'] } },
  ],
};

test('an input is written in the order of the schema and held until it is changed', () => {
  const writer = new RecordWriter(INPUT);
  expect([...writer.write({})]).toEqual([0, 0, 0, 0, 0, 0, 1, 0, 0]);
  expect([...writer.write({ turn: -0.5, thrust: true, gun: 'Rail' })]).toEqual([1, 0, 0, 0, 0, 0, 1, -0.5, 1]);
  expect([...writer.write({ aim: { x: 3, y: 4 }, thrust: false })]).toEqual([0, 3, 4, 0, 0, 0, 1, -0.5, 1]);
});

test('a wrong name of a variant is refused with the names that there are, in bounds', () => {
  const writer = new RecordWriter(INPUT);
  expect(() => writer.write({ gun: 'Railgun' })).toThrow('the input field "gun" takes one of "Laser", "Rail", not "Railgun"');
  const variants = Array.from({ length: 300 }, (_, at) => `Land${at}`);
  const many = new RecordWriter({ name: 'Pick', fields: [{ name: 'land', type: 'choice', components: 1, choice: { name: 'Land', variants } }] });
  expect(() => many.write({ land: 'Atlantis' })).toThrow('"Land15" and 284 more, not "Atlantis"');
});

test('an input field the game does not have is named, with those it has', () => {
  const writer = new RecordWriter(INPUT);
  expect(() => writer.write({ trust: true })).toThrow('no field "trust"; it has "thrust", "aim", "look", "turn", "gun"');
});

test('an input value of the wrong type is refused and changes nothing', () => {
  const writer = new RecordWriter(INPUT);
  expect(() => writer.write({ turn: Number.NaN })).toThrow('"turn" takes a float');
  expect(() => writer.write({ turn: true })).toThrow('"turn" takes a float');
  expect(() => writer.write({ aim: { x: 1 } })).toThrow('"aim" takes a vec2 with finite y');
  expect(() => writer.write({ thrust: true, turn: Number.NaN })).toThrow('"turn"');
  expect([...writer.write({})]).toEqual([0, 0, 0, 0, 0, 0, 1, 0, 0]);
});

test('an input value beyond its range is refused as well, but for what rounds to its end', () => {
  const fields: Kind['fields'] = [
    { name: 'turn', type: 'float', components: 1, min: -1, max: 1, step: 0.125 },
    { name: 'gear', type: 'int', components: 1, min: -1, max: 5, step: 1 },
    { name: 'gun', type: 'choice', components: 1, min: 0, max: 2, step: 1 },
    { name: 'aim', type: 'vec2', components: 2, min: -10, max: 10, step: 0.5 },
    { name: 'heading', type: 'angle', components: 1, min: -Math.PI, max: Math.PI, step: 0.01 },
    { name: 'look', type: 'quat', components: 4, min: -1, max: 1, step: 1 },
  ];
  const writer = new RecordWriter({ name: 'Controls', fields });
  for (const [wrong, words] of [
    [{ turn: 99 }, '"turn" takes -1 to 1, not 99'],
    [{ turn: -1.1 }, '"turn" takes -1 to 1, not -1.1'],
    [{ gear: 6 }, '"gear" takes -1 to 5, not 6'],
    [{ gun: 3 }, '"gun" takes 0 to 2, not 3'],
    [{ aim: { x: 0, y: 99 } }, '"aim.y" takes -10 to 10, not 99'],
  ] as const) {
    expect(() => writer.write(wrong)).toThrow(RangeError);
    expect(() => writer.write(wrong)).toThrow(words);
  }
  const fine = { turn: 1.0000001, aim: { x: -10.2, y: 10 }, heading: 7, look: { x: 2, y: 0, z: 0, w: 2 } };
  expect([...writer.write(fine)]).toEqual([1.0000001, 0, 0, -10.2, 10, 7, 2, 0, 0, 2]);
});

const PARTS: Kind = {
  name: 'Racer',
  fields: [
    { name: 'label', type: 'text', components: 3, min: 0, max: 6 },
    { name: 'aim', type: 'vec2', components: 3, optional: true, min: -8, max: 8, step: 0.5 },
    { name: 'laps', type: 'int', components: 3, length: 3, min: 0, max: 9 },
    { name: 'path', type: 'vec2', components: 4, length: 2, min: -8, max: 8, step: 0.5 },
    { name: 'teams', type: 'choice', components: 3, optional: true, length: 2, choice: { name: 'Team', variants: ['Red', 'Blue'] } },
    { name: 'nick', type: 'text', components: 3, optional: true, min: 0, max: 1 },
  ],
};
/** `Züri!`, which has six bytes. */
const LABEL = [6, 0x72bcc35a, 0x2169];
const FULL = [...LABEL, 1, 3, -4, 1, 2, 3, 5, 6, 7, 8, 1, 1, 0, 1, 1, 0x61];
const FULL_FIELDS = {
  label: 'Züri!',
  aim: { x: 3, y: -4 },
  laps: [1, 2, 3],
  path: [{ x: 5, y: 6 }, { x: 7, y: 8 }],
  teams: ['Blue', 'Red'],
  nick: 'a',
};
const NOTHING = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const NO_FIELDS = { label: '', aim: null, laps: [0, 0, 0], path: [{ x: 0, y: 0 }, { x: 0, y: 0 }], teams: null, nick: null };

test('texts, optional fields and arrays are read and written', () => {
  const writer = new RecordWriter(PARTS);
  expect([...writer.write({})]).toEqual(NOTHING);
  expect([...writer.write(FULL_FIELDS)]).toEqual(FULL);
  expect([...writer.write({ aim: null, teams: null })]).toEqual(FULL.with(3, 0).fill(0, 4, 6).fill(0, 13, 16));
  const racer: Record<string, unknown> = {};
  readRecord(PARTS, FULL, 0, racer);
  expect(racer).toEqual(FULL_FIELDS);
  const { path } = racer;
  readRecord(PARTS, FULL.with(9, 1), 0, racer);
  expect(racer['path']).toBe(path);
  expect(racer).toEqual({ ...FULL_FIELDS, path: [{ x: 1, y: 6 }, { x: 7, y: 8 }] });
  readRecord(PARTS, NOTHING, 0, racer);
  expect(racer).toEqual(NO_FIELDS);
});

test('a text is read anew when any of its bytes is another', () => {
  const read = (before: string, bytes: number[]) => {
    const into = { label: before };
    readRecord({ name: 'K', fields: [PARTS.fields[0]!] }, [bytes.length, ...words(bytes)], 0, into);
    return into.label;
  };
  const words = (bytes: number[]) => [0, 4].map((at) => new DataView(Uint8Array.from([...bytes, 0, 0, 0, 0, 0, 0, 0, 0]).buffer).getUint32(at, true));
  for (const text of ['abcdef', 'abcdeg', 'Abcdef', 'abc', '', 'Züri!', '\ufeffabc', '€€']) {
    const bytes = [...new TextEncoder().encode(text)];
    for (const before of ['abcdef', 'abc', 'Züri!', '']) expect(read(before, bytes)).toBe(text);
  }
});

test('a value that is no text, of another length, or absent where it may not be is refused', () => {
  const writer = new RecordWriter(PARTS);
  for (const [wrong, words] of [
    [{ label: 7 }, '"label" takes a text, not 7'],
    [{ label: null }, '"label" takes a text, not null'],
    [{ label: 'Zürich' }, '"label" takes at most 6 bytes of UTF-8, not 7'],
    [{ label: 'a\nb' }, '"label" takes no control characters'],
    [{ label: '\u202eab' }, '"label" takes no control characters'],
    [{ aim: 3 }, '"aim" takes a vec2 with finite x'],
    [{ laps: [1, 2] }, '"laps" takes an array of 3, each an int'],
    [{ laps: null }, '"laps" takes an array of 3, each an int'],
    [{ laps: [1, 2, 10] }, '"laps[2]" takes 0 to 9, not 10'],
    [{ laps: [1, 2, null] }, '"laps[2]" takes an int, not null'],
    [{ path: [{ x: 0, y: 0 }, { x: 0, y: 9 }] }, '"path[1].y" takes -8 to 8, not 9'],
    [{ teams: ['Red', 'Green'] }, '"teams[1]" takes one of "Red", "Blue", not "Green"'],
  ] as const) {
    expect(() => writer.write(wrong), words).toThrow(words);
  }
  expect([...writer.write({})]).toEqual(NOTHING);
});

test('the article fits its noun', () => {
  const fields: Kind['fields'] = [{ name: 'gear', type: 'int', components: 1 }];
  expect(() => new RecordWriter({ name: 'Controls', fields }).write({ gear: 'first' })).toThrow('takes an int, not "first"');
});
