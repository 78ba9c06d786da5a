import { CLOSE_CODES, type ErrorCode } from 'tickwire';
import { expect, test } from 'vitest';
import { canRetry, endingOf } from '../src/endings';
import { clock } from '../src/hud/board';

const LOCAL: ErrorCode[] = ['NoWebTransport', 'InsecurePage', 'Unreachable', 'ConnectTimeout', 'WasmFailed', 'RoomFull', 'NoSuchRoom', 'NameTaken', 'Busy'];

test.each([...CLOSE_CODES, ...LOCAL])('%s is told in full sentences, with a way on', (code) => {
  const { title, text, action } = endingOf(code, 'something happened; do something');
  expect(title).toMatch(/^[A-Z]/);
  expect(text).toMatch(/^[A-Z].*\.$/);
  expect(action).not.toBe('');
});

test('a page of another version is loaded again, a full server is asked again', () => {
  expect(endingOf('VersionMismatch', '').reload).toBe(true);
  expect(endingOf('SchemaMismatch', '').reload).toBe(true);
  expect(endingOf('ServerFull', '').reload).toBe(false);
});

test('only what passes by itself is tried again', () => {
  const codes: ErrorCode[] = [...CLOSE_CODES, ...LOCAL];
  const retried = ['ConnectTimeout', 'ConnectionLost', 'NameTaken', 'ResumeRefused', 'ServerFull', 'ServerStopping', 'Unreachable'];
  expect(codes.filter(canRetry).sort()).toEqual(retried);
});

test('whoever was removed reads why', () => {
  expect(endingOf('Kicked', 'no spawn camping').text).toBe('No spawn camping.');
});

test('the clock shows minutes and seconds', () => {
  expect([300, 61, 9, 0].map(clock)).toEqual(['5:00', '1:01', '0:09', '0:00']);
});
