import { expect, test } from 'vitest';
import { CLOSE_CODES, closeCodeOf, closeNumberOf, textOf, TickwireError } from '../src/errors.js';

test('the numbers of the close codes are those of the protocol', () => {
  expect(closeCodeOf(0)).toBe('Normal');
  expect(closeCodeOf(3)).toBe('VersionMismatch');
  expect(closeCodeOf(12)).toBe('ServerFull');
  expect(closeCodeOf(17)).toBe('ServerMisbehaved');
  expect(closeCodeOf(18)).toBe('NoRoom');
  expect(closeCodeOf(19)).toBe('NoDatagrams');
  expect(closeCodeOf(20)).toBe('ResumeRefused');
  expect(closeCodeOf(28)).toBe('AuthUnavailable');
  expect(CLOSE_CODES.map(closeNumberOf)).toEqual(CLOSE_CODES.map((_, number) => number));
});

test('a number this version does not know is a lost connection', () => {
  expect(closeCodeOf(99)).toBe("ConnectionLost");
  expect(closeCodeOf(-1)).toBe('ConnectionLost');
});

test('an error has a code, and the text of the server or of the code', () => {
  expect(new TickwireError('ServerFull').message).toBe(textOf('ServerFull'));
  const error = new TickwireError('NameTaken', '"Ann" is taken');
  expect(error).toMatchObject({ name: 'TickwireError', code: 'NameTaken', message: '"Ann" is taken' });
});

test('no end of a session is told as if it went on', () => {
  for (const code of CLOSE_CODES) expect(textOf(code), `${code}: who joins needs a session, which is over`).not.toContain('join');
  expect(textOf('RoomFailed')).toContain('and the session with it; connect again');
});
