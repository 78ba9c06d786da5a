import type { Core } from './core.js';

/** A join token, or a function that gets one. */
export type Token = string | (() => string | Promise<string>);

/** Makes the session of `core` say hello with a token, a new one where a function gets it. */
export async function signIn(core: Core, token: Token | undefined): Promise<Core> {
  if (token !== undefined) core.setToken(typeof token === 'function' ? await token() : token);
  return core;
}
