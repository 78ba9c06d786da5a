import { expect, test } from 'vitest';
import type { Core } from '../src/core.js';
import { signIn } from '../src/token.js';

/** The tokens that sessions said hello with. */
function cores(said: string[]): Core {
  return { setToken: (token: string) => said.push(token) } as unknown as Core;
}

test('a guest says nothing, and a text says itself', async () => {
  const said: string[] = [];
  await signIn(cores(said), undefined);
  await signIn(cores(said), 'a.b.c');
  expect(said).toEqual(['a.b.c']);
});

test('a function is asked for a new token for each session, and its failure is told as it is', async () => {
  const said: string[] = [];
  let made = 0;
  const core = cores(said);
  for (const _ of [1, 2]) expect(await signIn(core, async () => `token ${++made}`)).toBe(core);
  expect(said).toEqual(['token 1', 'token 2']);
  const fails = () => Promise.reject(new Error('signed out'));
  await expect(signIn(core, fails)).rejects.toThrow('signed out');
  expect(said).toHaveLength(2);
});
