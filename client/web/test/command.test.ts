import { expect, expectTypeOf, test, vi } from 'vitest';
import { Client } from '../src/client.js';
import { type CommandFields, commandRecord } from '../src/command.js';
import type { Core } from '../src/core.js';
import type { AnyGame } from '../src/entities.js';
import type { CoreEvent } from '../src/messages.js';
import type { Kind, Schema } from '../src/schema.js';
import type { BuiltFor } from '../src/showing.js';
import type { Transport, TransportHandler } from '../src/transport.js';
import everything from './schema.everything.json';
import { type SpaceRace2, type Tyres, spaceRace2Schema } from './types.everything.js';

const SCHEMA = everything as unknown as Schema;

const record = (kinds: readonly Kind[], name: string, fields: object, builtFor?: BuiltFor) => {
  const [kind, values] = commandRecord(kinds, name, fields, builtFor);
  return [kind, ...values];
};

/** A client on a core that takes commands, and what the server answers. */
function start() {
  const events: CoreEvent[] = [{ type: 'welcome', server: 'test', player: 7 }];
  const asked: string[] = [];
  const core = {
    command: (kind: number, values: Float64Array) => asked.push(`${kind}: ${values}`),
    pollEvent: () => events.shift(),
    schema: () => SCHEMA,
    takeControl: () => new Uint8Array(),
    takeChat: () => new Uint8Array(),
    takeStatic: () => new Uint8Array(),
    takeTopics: () => new Uint8Array(),
    pollStaticWanted: () => undefined,
    pollStaticLoaded: () => undefined,
    setLossless: () => {},
    isReconnecting: () => false,
    onControl: () => {},
    goodbye: () => {},
  };
  let handler!: TransportHandler;
  const transport = {
    kind: 'webtransport',
    start: (given: TransportHandler) => (handler = given),
    close: async () => {},
  };
  const client = new Client<SpaceRace2>(core as unknown as Core, transport as unknown as Transport);
  const say = (...said: CoreEvent[]) => {
    events.push(...said);
    handler.onControl(new Uint8Array(1));
  };
  say();
  return { client, asked, say };
}

test('a command is its number and the components of its fields', () => {
  expect(record(SCHEMA.commands, 'Ready', {})).toEqual([0]);
  expect(record(SCHEMA.commands, 'Repair', { wheels: 4, tyres: 'Hard' })).toEqual([1, 2, 4]);
});

test('a field that is missing is named, unless the page was built for a server without it', () => {
  const lacks = 'the Repair command lacks its field "tyres"; it has "tyres", "wheels"';
  expect(() => record(SCHEMA.commands, 'Repair', { wheels: 1 })).toThrow(new TypeError(lacks));
  expect(() => record(SCHEMA.commands, 'Repair', { wheels: 1, tyres: undefined })).toThrow(lacks);
  expect(() => record(SCHEMA.commands, 'Repair', { wheels: 1 }, spaceRace2Schema)).toThrow(lacks);
  const older = { ...spaceRace2Schema, commands: { Repair: { wheels: 'int' } } };
  expect(record(SCHEMA.commands, 'Repair', { wheels: 1 }, older)).toEqual([1, 0, 1]);
  expect(() => record(SCHEMA.commands, 'Repair', {}, older)).toThrow('lacks its field "wheels"');
});

test('a command that the game does not have is named, and so is a field or value', () => {
  const wrong = (name: string, fields: object) => expect(() => record(SCHEMA.commands, name, fields));
  wrong('Fly', {}).toThrow(new TypeError('the game has no command "Fly"; it has "Ready", "Repair"'));
  wrong('Repair', { tyres: 'Soft', wheels: 1, wings: 1 }).toThrow(new TypeError('the Repair command has no field "wings"; it has "tyres", "wheels"'));
  wrong('Repair', { tyres: 'Soft', wheels: 'all' }).toThrow(new TypeError('the Repair command field "wheels" takes an int, not "all"'));
  const names = 'the Repair command field "tyres" takes one of "Soft", "Medium", "Hard", not ';
  for (const [tyres, told] of [['soft', '"soft"'], [0, '0'], [null, 'null']] as const) {
    wrong('Repair', { tyres, wheels: 1 }).toThrow(new TypeError(names + told));
  }
  wrong('Repair', { tyres: 'Soft', wheels: 5 }).toThrow(new RangeError('the Repair command field "wheels" takes 1 to 4, not 5'));
  expect(() => commandRecord([], 'Fly', {})).toThrow('it has none');
});

test('its promise is fulfilled once a step had it, and rejected with why none will', async () => {
  const { client, asked, say } = start();
  const [ready, repair] = [client.command('Ready'), client.command('Repair', { tyres: 'Soft', wheels: 4 })];
  expect(asked).toEqual(['0: ', '1: 0,4']);
  const settled = vi.fn();
  void ready.then(settled);
  await Promise.resolve();
  expect(settled).not.toHaveBeenCalled();
  say({ type: 'done', request: 1 });
  await expect(ready).resolves.toBeUndefined();
  say({ type: 'refused', request: 2, code: 'CommandTooFast', text: 'wait a moment' });
  await expect(repair).rejects.toMatchObject({ name: 'TickwireError', code: 'CommandTooFast', message: 'wait a moment' });
  await expect(client.command('Repair', { tyres: 'Soft', wheels: 9 })).rejects.toThrow(RangeError);
  const last = client.command('Ready');
  await client.close();
  await expect(last).rejects.toMatchObject({ code: 'Normal' });
  await expect(client.command('Ready')).rejects.toMatchObject({ code: 'Normal' });
});

test('fields are typed by the game, and needed where there are some', () => {
  expectTypeOf<CommandFields<SpaceRace2, 'Ready'>>().toEqualTypeOf<[fields?: {}]>();
  expectTypeOf<CommandFields<SpaceRace2, 'Repair'>>().toEqualTypeOf<[fields: { tyres: Tyres; wheels: number }]>();
  expectTypeOf<CommandFields<AnyGame, string>>().toEqualTypeOf<[fields?: Record<string, unknown>]>();
});
