import { expect, test } from 'vitest';
import { TickwireError } from '../src/errors.js';
import { Requests } from '../src/requests.js';

test('an answer goes to the request that it names, in whatever order answers come', async () => {
  const requests = new Requests();
  const [rooms, first, second] = [requests.add<string>(1), requests.add<string>(2), requests.add<string>(3)];
  requests.resolve(3, 'c');
  requests.resolve(1, 'a');
  requests.resolve(2, 'b');
  expect(await Promise.all([rooms, first, second])).toEqual(['a', 'b', 'c']);
});

test('a refusal turns down the request that it names and no other', async () => {
  const requests = new Requests();
  // Of the two that were to be removed the first had left: only its removal is turned down.
  const [gone, removed] = [requests.add<void>(4), requests.add<void>(5)];
  requests.refuse(4, { code: 'NoSuchPlayer', text: 'gone' });
  requests.resolve(5);
  await expect(gone).rejects.toMatchObject({ code: 'NoSuchPlayer', message: 'gone' });
  await expect(removed).resolves.toBeUndefined();
});

test('what nobody asked, or what was answered already, answers nothing', async () => {
  const requests = new Requests();
  const leave = requests.add<string>(1);
  requests.resolve(7, 'other');
  requests.resolve(1, 'left');
  requests.refuse(1, { code: 'Busy', text: 'again' });
  expect(await leave).toBe('left');
});

test('at random, each request is settled once, by its own answer', async () => {
  const requests = new Requests();
  let seed = 9;
  const dice = (sides: number) => (seed = (seed * 16807) % 2147483647) % sides;
  const asked = Array.from({ length: 500 }, (_, at) => at + 1);
  const settled = new Map<number, unknown[]>();
  for (const request of asked) {
    const note = (value: unknown) => settled.set(request, [...(settled.get(request) ?? []), value]);
    requests.add(request).then(note, ({ message }: TickwireError) => note(message));
  }
  const waiting = [...asked];
  while (waiting.length > 0) {
    const [request] = waiting.splice(dice(waiting.length), 1) as [number];
    if (dice(2)) requests.resolve(request, `for ${request}`);
    else requests.refuse(request, { code: 'Busy', text: `for ${request}` });
  }
  await Promise.resolve();
  expect([...settled].every(([request, values]) => values.length === 1 && values[0] === `for ${request}`)).toBe(true);
  expect(settled.size).toBe(500);
});

test('the end of the session turns down everything that waits', async () => {
  const requests = new Requests();
  const [chat, join] = [requests.add<void>(1), requests.add<void>(2)];
  requests.end(new TickwireError('ServerStopping'));
  await expect(chat).rejects.toMatchObject({ code: 'ServerStopping' });
  await expect(join).rejects.toMatchObject({ code: 'ServerStopping' });
});
