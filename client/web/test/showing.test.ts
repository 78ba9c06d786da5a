import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Core } from '../src/core.js';
import type { Schema } from '../src/schema.js';
import { type BuiltFor, difference, tellDifferences } from '../src/showing.js';
import { spaceRace2Schema } from './types.everything.js';
import everything from './schema.everything.json';

const SERVER = everything as unknown as Schema;
const edited = (edit: (built: any) => void): BuiltFor => {
  const built = structuredClone(spaceRace2Schema);
  edit(built);
  return built;
};

let warned: string[];
beforeEach(() => {
  warned = [];
  vi.spyOn(console, 'warn').mockImplementation((text) => void warned.push(text));
});
afterEach(() => vi.restoreAllMocks());

test('what was made of a schema is no other than it', () => {
  expect(difference(spaceRace2Schema, SERVER)).toBeUndefined();
});

test.each([
  ['another game', (built: any) => (built.game = 'chess'), 'built for the game "chess", and the server runs "space-race 2 */"'],
  ['a kind that is gone', (built: any) => (built.entities.Ghost = {}), 'the server has no Ghost'],
  ['a field that is gone', (built: any) => (built.entities.Racer.wings = 'int'), 'the server has no Racer.wings'],
  ['a field of another type', (built: any) => (built.input.gear = 'float'), 'input.gear is int on the server and float in the page'],
  ['variants in another order', (built: any) => (built.entities.Racer.wing = 'choice of Down, Up'), 'Racer.wing is choice of Up, Down on the server'],
])('%s is named', (_, edit, words) => {
  expect(difference(edited(edit), SERVER)).toContain(words);
});

test('what only the server has does no harm', () => {
  const older = edited((built) => {
    delete built.entities.Flag;
    delete built.entities.Racer.fuel;
    delete built.input.fire;
  });
  expect(difference(older, SERVER)).toBeUndefined();
});

test('a page for other rules is told on the console what to do, once', () => {
  const built = edited((built) => (built.entities.Racer.wings = 'int'));
  let told;
  for (let session = 0; session < 2; session++) told = tellDifferences({} as Core, SERVER, built);
  expect(warned).toEqual([`tickwire: ${told}`]);
  expect(told).toMatch(/other rules than the server's \(the server has no Racer\.wings\): start the server again if .* run `npx tickwire types`, /);
  expect(tellDifferences({} as Core, SERVER, undefined)).toBeUndefined();
  expect(tellDifferences({} as Core, SERVER, spaceRace2Schema)).toBeUndefined();
  expect(warned).toHaveLength(1);
});

test('rules of the page that are not the server\'s predict nothing, which is told once', () => {
  const core = { rulesDiffer: () => 'Racer.fuel is not the same there' } as unknown as Core;
  for (let session = 0; session < 2; session++) tellDifferences(core, SERVER, undefined);
  expect(warned).toHaveLength(1);
  expect(warned[0]).toMatch(/nothing is predicted.*\(Racer\.fuel is not the same there\): start the server again if .* build the page anew/);
  tellDifferences({ rulesDiffer: () => undefined } as unknown as Core, SERVER, undefined);
  expect(warned).toHaveLength(1);
});
