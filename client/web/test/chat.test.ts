import { expect, test, vi } from 'vitest';
import { Chat } from '../src/chat.js';
import type { ChatMessage } from '../src/messages.js';

test('a message that no server takes is refused with its own length, and not sent', async () => {
  const ask = vi.fn(async () => ({}) as ChatMessage);
  const chat = new Chat(ask, vi.fn());
  const long = 'x'.repeat(3_000_000);
  const told = { code: 'ChatTooLong', message: expect.stringContaining('has 3000000 characters') };
  await expect(chat.send(long)).rejects.toMatchObject(told);
  await expect(chat.tell(7, long)).rejects.toMatchObject(told);
  expect(ask).not.toHaveBeenCalled();
  // Not awaited, and never an unhandled rejection.
  void chat.send(long);
  // Each of these is two of UTF-16.
  await chat.send('\u{1F680}'.repeat(4096));
  expect(ask).toHaveBeenCalledTimes(1);
});
