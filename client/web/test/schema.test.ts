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

test('the article fits its noun', () => {
  const fields: Kind['fields'] = [{ name: 'gear', type: 'int', components: 1 }];
  expect(() => new RecordWriter({ name: 'Controls', fields }).write({ gear: 'first' })).toThrow('takes an int, not "first"');
});
