import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { sitAgain } from '../src/detour.js';
import { type ErrorCode, TickwireError } from '../src/errors.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** The server's `idle_ms`: for so long a connection that is gone holds its name. */
const IDLE_MS = 15_000;

/** A server that refuses a join until a time. */
function refusing(code: ErrorCode, untilMs: number) {
  const start = Date.now();
  return vi.fn(async () => {
    if (Date.now() - start < untilMs) throw new TickwireError(code);
  });
}

const RETURN = { room: 'bay', name: 'Me', spectator: false, options: { team: 1 }, password: 'sesame' };

test('a name is waited for as long as the server may take to notice that its connection is gone', async () => {
  const join = refusing('NameTaken', IDLE_MS - 100);
  const seated = sitAgain({ join, spectate: vi.fn() }, RETURN);
  await vi.advanceTimersByTimeAsync(IDLE_MS);
  await seated;
  expect(join).toHaveBeenLastCalledWith({ name: 'Me', room: 'bay', options: { team: 1 }, password: 'sesame' });
});

test('a name that stays taken, and any other refusal, is told', async () => {
  const taken = expect(sitAgain({ join: refusing('NameTaken', 1e9), spectate: vi.fn() }, RETURN)).rejects.toMatchObject({ code: 'NameTaken' });
  await vi.advanceTimersByTimeAsync(2 * IDLE_MS);
  await taken;
  await expect(sitAgain({ join: refusing('RoomFull', 1), spectate: vi.fn() }, RETURN)).rejects.toMatchObject({ code: 'RoomFull' });
});

test('a spectator comes back to watch', async () => {
  const spectate = vi.fn();
  await sitAgain({ join: vi.fn(), spectate }, { ...RETURN, spectator: true });
  expect(spectate).toHaveBeenCalledWith({ name: 'Me', room: 'bay', password: 'sesame' });
});
