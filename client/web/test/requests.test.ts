import { expect, test } from 'vitest';
import { TickwireError } from '../src/errors.js';
import { Requests } from '../src/requests.js';

test('answers go to the oldest request of their kind', async () => {
  const requests = new Requests();
  const rooms = requests.add<string>('rooms');
  const first = requests.add<string>('join');
  const second = requests.add<string>('join');
  requests.resolve('join', 'a');
  requests.resolve('join', 'b');
  requests.resolve('rooms', 'c');
  expect(await Promise.all([first, second, rooms])).toEqual(['a', 'b', 'c']);
});

test('a refusal goes to the request it can be about, not to an older one of another kind', async () => {
  const requests = new Requests();
  const rooms = requests.add<string>('rooms');
  const kick = requests.add<void>('kick', 5);
  const join = requests.add<void>('join');
  requests.refuse('NameTaken', 'taken');
  requests.refuse('NotHost', 'no');
  requests.resolve('rooms', 'list');
  await expect(join).rejects.toMatchObject({ code: 'NameTaken', message: 'taken' });
  await expect(kick).rejects.toMatchObject({ code: 'NotHost' });
  expect(await rooms).toBe('list');
});

test('a busy server turns down the oldest request, and never a chat message', async () => {
  const requests = new Requests();
  const chat = requests.add<string>('chat');
  const leave = requests.add<void>('leave');
  requests.refuse('Busy', 'busy');
  requests.resolve('chat', 'said');
  await expect(leave).rejects.toMatchObject({ code: 'Busy' });
  expect(await chat).toBe('said');
});

test('a kick is done when that player has left', async () => {
  const requests = new Requests();
  const kick = requests.add<void>('kick', 5);
  requests.kicked(4);
  requests.refuse('NoSuchPlayer', 'gone');
  requests.kicked(5);
  await expect(kick).rejects.toMatchObject({ code: 'NoSuchPlayer' });
  const again = requests.add<void>('kick', 5);
  requests.kicked(5);
  await expect(again).resolves.toBeUndefined();
});

test('the end of the session turns down everything that waits', async () => {
  const requests = new Requests();
  const chat = requests.add<void>('chat');
  const join = requests.add<void>('join');
  requests.end(new TickwireError('ServerStopping'));
  await expect(chat).rejects.toMatchObject({ code: 'ServerStopping' });
  await expect(join).rejects.toMatchObject({ code: 'ServerStopping' });
});
