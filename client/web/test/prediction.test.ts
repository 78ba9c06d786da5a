import { expect, expectTypeOf, test, vi } from 'vitest';
import type { ConnectOptions } from '../src/connect.js';
import type { Game } from '../src/entities.js';
import { Predictor, type Step } from '../src/prediction.js';
import type { StepTick } from '../src/tick.js';
import type { Schema, Vec2 } from '../src/schema.js';

const SCHEMA: Schema = {
  game: 'boats',
  tickHz: 50,
  input: { name: 'Helm', fields: [{ name: 'rudder', type: 'float', components: 1 }] },
  entities: [
    { name: 'Buoy', fields: [{ name: 'pos', type: 'vec2', components: 2 }] },
    {
      name: 'Boat',
      fields: [
        { name: 'pos', type: 'vec2', components: 2 },
        { name: 'crew', type: 'int', components: 1 },
        { name: 'sail', type: 'bool', components: 1 },
      ],
    },
  ],
  events: [{ name: 'Splash', fields: [{ name: 'pos', type: 'vec2', components: 2 }, { name: 'by', type: 'int', components: 1 }] }],
  commands: [],
};

interface Boats extends Game {
  input: { rudder: number };
  entities: { Buoy: { pos: Vec2 }; Boat: { pos: Vec2; crew: number; sail: boolean } };
  events: { Splash: { pos: Vec2; by: number } };
}

const BOAT = 1;

function predictor(step: Step<Boats, 'Boat'>): Predictor {
  return new Predictor(SCHEMA, { Boat: step });
}

/** One step from an own boat with these numbers. */
function stepOnce(step: Step<Boats, 'Boat'>, from = [0, 0, 1, 0]) {
  const predicts = predictor(step);
  const values = new Float64Array(4);
  const state = predicts.step(BOAT, predicts.adopt(BOAT, from, undefined)!, [0.5], values);
  return { state, values: [...values], error: predicts.error };
}

test('a step has the fields of its kind, the input and how long a tick is', () => {
  const seen = vi.fn();
  const { values } = stepOnce((boat, input, seconds) => {
    seen({ ...boat, pos: { ...boat.pos } }, input, seconds);
    boat.pos.x += input.rudder;
    boat.crew += 2;
    boat.sail = true;
  }, [3, 4, 1, 0]);
  expect(seen).toHaveBeenCalledWith({ pos: { x: 3, y: 4 }, crew: 1, sail: false }, { rudder: 0.5 }, 0.02);
  expect(values).toEqual([3.5, 4, 3, 1]);
});

test('a state is left as it was: a tick can be stepped again from it', () => {
  const predicts = predictor((boat) => void (boat.pos.x += 1));
  const state = predicts.adopt(BOAT, [1, 2, 3, 0], undefined)!;
  const first = predicts.step(BOAT, state, [0], new Float64Array(4));
  expect(predicts.step(BOAT, state, [0], new Float64Array(4))).toEqual(first);
  expect(state).toEqual({ pos: { x: 1, y: 2 }, crew: 3, sail: false });
});

test('a vector that the game puts there stays its own', () => {
  const harbour = { x: 0.1, y: 0.2 };
  const predicts = predictor((boat) => void (boat.pos = harbour));
  const state = predicts.step(BOAT, predicts.adopt(BOAT, [0, 0, 1, 0], undefined)!, [0], new Float64Array(4));
  expect(state).toMatchObject({ pos: { x: Math.fround(0.1) } });
  expect(harbour).toEqual({ x: 0.1, y: 0.2 });
});

test('what goes on from tick to tick is of the precision of the server', () => {
  const { state } = stepOnce((boat) => {
    boat.pos.x = 0.1;
    boat.crew = 2.6;
  });
  expect(state).toMatchObject({ pos: { x: Math.fround(0.1), y: 0 }, crew: 3 });
});

test('what a step adds goes from tick to tick, and through a correction', () => {
  const step = (boat: Boats['entities']['Boat'] & { tired?: number }) => void (boat.tired = (boat.tired ?? 0) + 1);
  const predicts = predictor(step);
  const first = predicts.step(BOAT, predicts.adopt(BOAT, [0, 0, 1, 0], undefined)!, [0], new Float64Array(4))!;
  const corrected = predicts.adopt(BOAT, [9, 9, 2, 1], first)!;
  expect(corrected).toEqual({ pos: { x: 9, y: 9 }, crew: 2, sail: true, tired: 1 });
  expect(first).toMatchObject({ pos: { x: 0, y: 0 }, crew: 1 });
});

test('kinds without a step are left to the server', () => {
  expect(predictor(() => {}).adopt(0, [0, 0], undefined)).toBeUndefined();
});

test('a step that throws, or makes no number, is told with its cause, and is not called again', () => {
  const thrown = new RangeError('no wind');
  const step = vi.fn(() => {
    throw thrown;
  });
  const predicts = predictor(step);
  const state = predicts.adopt(BOAT, [0, 0, 1, 0], undefined)!;
  for (let tick = 0; tick < 3; tick++) expect(predicts.step(BOAT, state, [0], new Float64Array(4))).toBeUndefined();
  expect(step).toHaveBeenCalledTimes(1);
  expect(predicts.error).toMatchObject({ code: 'StepFailed', cause: thrown });
  expect(predicts.error?.message).toMatch(/step for "Boat" failed.*no wind/);

  const nowhere = stepOnce((boat) => void (boat.pos.x = Number.NaN));
  expect(nowhere.error?.message).toMatch(/"pos" is \{ x: NaN, y: 0 \} after it, which is no vec2/);
  const gone = stepOnce((boat) => void delete (boat as Partial<typeof boat>).crew);
  expect(gone.error?.message).toMatch(/"crew" is undefined after it, which is no int/);
  const given = stepOnce((boat) => ({ ...boat }));
  expect(given.error?.message).toMatch(/returned another object; a step changes its first argument/);
  const same = (boat: Boats['entities']['Boat']) => boat;
  expect(stepOnce(same).error).toBeUndefined();
});

test('a step sees the variants of an enum by their names, and leaves a name', () => {
  const sail = { name: 'sail', type: 'choice', components: 1, choice: { name: 'Sail', variants: ['Furled', 'Set'] } } as const;
  const schema = { ...SCHEMA, input: { name: 'Helm', fields: [sail] }, entities: [{ name: 'Boat', fields: [sail] }] };
  const stepped = (after: string) => {
    const step = (own: Record<string, unknown>, input: Record<string, unknown>) => {
      expect([own['sail'], input['sail']]).toEqual(['Furled', 'Set']);
      own['sail'] = after;
    };
    const predicts = new Predictor(schema, { Boat: step });
    const values = new Float64Array(1);
    const state = predicts.step(0, predicts.adopt(0, [0], undefined)!, [1], values);
    return { state, values: [...values], error: predicts.error?.message };
  };
  expect(stepped('Set')).toMatchObject({ state: { sail: 'Set' }, values: [1] });
  expect(stepped('Sett').error).toMatch('"sail" is "Sett" after it, which is not one of "Furled", "Set"');
});

test('a step has texts, what may be null, and arrays as its own', () => {
  const fields = [
    { name: 'label', type: 'text', components: 2, max: 4 },
    { name: 'aim', type: 'vec2', components: 3, optional: true },
    { name: 'laps', type: 'int', components: 2, length: 2 },
  ] as const;
  const schema = { ...SCHEMA, entities: [{ name: 'Boat', fields }] };
  const stepped = (change: (own: any) => void) => {
    const predicts = new Predictor(schema, { Boat: change });
    const before = predicts.adopt(0, [2, 0x6261, 1, 3, 4, 7, 8], undefined)!;
    const values = new Float64Array(7);
    const state = predicts.step(0, before, [0], values);
    expect(before).toEqual({ label: 'ab', aim: { x: 3, y: 4 }, laps: [7, 8] });
    return { state, values: [...values], error: predicts.error?.message };
  };
  const changed = stepped((own) => {
    own.label = 'héllo';
    own.aim.x = 5;
    own.laps[1] += 1.2;
  });
  expect(changed).toMatchObject({ state: { label: 'hél', aim: { x: 5, y: 4 }, laps: [7, 9] }, error: undefined });
  expect(stepped((own) => (own.aim = null)).values).toEqual([2, 0x6261, 0, 0, 0, 7, 8]);
  expect(stepped((own) => own.laps.pop()).error).toMatch('"laps" is an array of 1 after it, which is no array of 2');
  expect(stepped((own) => (own.label = 7)).error).toMatch('"label" is 7 after it, which is no text');
});

test('a step for what the game does not have is refused by name', () => {
  const nothing = () => {};
  expect(() => new Predictor(SCHEMA, { Bote: nothing })).toThrow('"Bote", which the game does not have; it has "Buoy", "Boat"');
  expect(() => new Predictor(SCHEMA, { Boat: 3 })).toThrow('not a function');
});

test("steps are typed by the game's types", () => {
  type Given = NonNullable<NonNullable<ConnectOptions<Boats>['predict']>['Boat']>;
  expectTypeOf<Parameters<Given>[0]>().toEqualTypeOf<{ pos: Vec2; crew: number; sail: boolean }>();
  expectTypeOf<Parameters<Given>[1]>().toEqualTypeOf<Readonly<{ rudder: number }>>();
  // @ts-expect-error: there is no such kind
  ({ predict: { Bote: () => {} } }) satisfies ConnectOptions<Boats>;
});

/** One step with a buoy and another boat around. Gives what it made. */
function stepAmong(step: Step<Boats, 'Boat'>) {
  const predicts = predictor(step);
  const made: number[] = [];
  const around = [5, 70, 0, 8, 9, 7, 71, BOAT, 1, 2, 3, 1];
  const state = predicts.step(BOAT, predicts.adopt(BOAT, [0, 0, 1, 0], undefined)!, [0], new Float64Array(4), around, made);
  return { state, made, error: predicts.error };
}

test('a step sees the other entities of a kind', () => {
  let seen: unknown;
  stepAmong((_boat, _input, _seconds, tick) => (seen = [tick.nearby('Buoy'), tick.nearby('Boat')]));
  expect(seen).toEqual([[{ id: 70, pos: { x: 8, y: 9 } }], [{ id: 71, pos: { x: 1, y: 2 }, crew: 3, sail: true }]]);
});

test('what a step spawns and emits is handed on as numbers', () => {
  const { made } = stepAmong((_boat, _input, _seconds, tick) => {
    tick.emit('Splash', { pos: { x: 1.5, y: 2 }, by: 6.7 });
    tick.spawn('Boat', { pos: { x: 3, y: 4 }, crew: 2, sail: true });
  });
  expect(made).toEqual([6, 1, 0, 1.5, 2, 7, 7, 0, BOAT, 3, 4, 2, 1]);
});

test.each([
  ['an unknown kind around', (tick: StepTick<Boats>) => tick.nearby('Whale' as never), /no "Whale" among its entities: Buoy, Boat/],
  ['an unknown entity', (tick: StepTick<Boats>) => tick.spawn('Whale' as never, {} as never), /no "Whale"/],
  ['an unknown event', (tick: StepTick<Boats>) => tick.emit('Bang' as never, {} as never), /no "Bang" among its events: Splash/],
  ['a field that is not given', (tick: StepTick<Boats>) => tick.emit('Splash', { by: 1 } as never), /"pos" is undefined/],
])('%s fails the step', (_, make, words) => {
  const { state, error } = stepAmong((_boat, _input, _seconds, tick) => void make(tick));
  expect(state).toBeUndefined();
  expect(error?.message).toMatch(words);
});

test('what is around is asked for by a step that takes its tick, and by no other', () => {
  const predictBy = vi.fn();
  for (const step of [() => {}, (_boat: unknown, _input: unknown, _seconds: number, tick: StepTick<Boats>) => void tick.nearby('Buoy')]) {
    predictor(step as Step<Boats, 'Boat'>).begin({ predictBy } as never);
  }
  expect(predictBy.mock.calls.map((call) => call[2])).toEqual([false, true]);
});
