import { expect, test } from 'vitest';
import { Entities } from '../src/entities.js';
import type { Kind } from '../src/schema.js';

interface Shapes {
  input: object;
  entities: { Ship: { pos: { x: number; y: number }; alive: boolean }; Rock: { radius: number } };
  events: Record<string, object>;
  commands: Record<string, object>;
}

const KINDS: Kind[] = [
  {
    name: 'Ship',
    fields: [
      { name: 'pos', type: 'vec2', components: 2 },
      { name: 'alive', type: 'bool', components: 1 },
    ],
  },
  { name: 'Rock', fields: [{ name: 'radius', type: 'float', components: 1 }] },
];

const ship = (id: number, x: number, mine = 0) => [8, id, 0, mine, 0.5, x, 0, 1];
const rock = (id: number, radius: number) => [6, id, 1, 0, 1, radius];

function seen(...records: number[][]): Entities<Shapes> {
  const entities = new Entities<Shapes>();
  entities.begin(KINDS);
  entities.read(Float32Array.from(records.flat()));
  return entities;
}

test('the view is read into typed objects by kind', () => {
  const entities = seen(ship(1, 10), rock(9, 2.5), ship(2, 20, 1));
  expect(entities.size).toBe(3);
  expect(entities.of('Ship').map((ship) => ship.pos.x)).toEqual([10, 20]);
  expect(entities.of('Rock')).toEqual([{ id: 9, kind: 'Rock', mine: false, presence: 1, radius: 2.5 }]);
  expect(entities.mine('Ship')?.id).toBe(2);
  expect(entities.mine('Rock')).toBeUndefined();
});

test('what is seen cannot be changed by mistake, its vectors included', () => {
  const ship = seen([8, 1, 0, 1, 1, 10, 0, 1]).mine('Ship')!;
  const change = () => {
    // @ts-expect-error It belongs to the client.
    ship.alive = false;
    // @ts-expect-error So does what is in it.
    ship.pos.x = 3;
  };
  expect(change).toBeTypeOf('function');
  const copied: { x: number; y: number } = { ...ship.pos };
  copied.x = 3;
  expect(ship.pos.x).toBe(10);
});

test('an entity keeps its object while it is seen and is forgotten when it is not', () => {
  const entities = seen(ship(1, 10), ship(2, 20));
  const first = entities.get(1);
  entities.read(Float32Array.from(ship(1, 11)));
  expect(entities.get(1)).toBe(first);
  expect(entities.of('Ship')[0]?.pos.x).toBe(11);
  expect(entities.get(2)).toBeUndefined();
  expect([...entities].map((entity) => entity.id)).toEqual([1]);
});

test('a number used again by another kind is a new entity', () => {
  const entities = seen(ship(1, 10));
  entities.read(Float32Array.from(rock(1, 3)));
  expect(entities.get(1)).toEqual({ id: 1, kind: 'Rock', mine: false, presence: 1, radius: 3 });
  expect(entities.of('Ship')).toEqual([]);
});

test('a broken view is an error, not an endless loop', () => {
  const entities = seen();
  expect(() => entities.read(Float32Array.from([0, 1, 0, 0, 1]))).toThrow('a record of 0 numbers');
  expect(() => entities.read(Float32Array.from([5, 1, 7, 0, 1]))).toThrow('kind 7');
});
