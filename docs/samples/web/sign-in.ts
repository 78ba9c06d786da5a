import { connect, TickwireError } from 'tickwire';
import type { Tag } from './tag';

// ANCHOR: token
/** Asks the game's backend, which knows by its own cookie who plays. */
async function newToken(): Promise<string> {
  const answer = await fetch('/api/join-token', { method: 'POST', credentials: 'same-origin' });
  if (!answer.ok) throw new Error('sign in first');
  return answer.text();
}

export const client = await connect<Tag>(location.origin, { name: 'Ann', token: newToken });
// ANCHOR_END: token

// ANCHOR: again
/** What helps when a server does not let a player in. */
export function remedyOf(error: unknown): 'new token' | 'sign in' | 'later' | undefined {
  switch (error instanceof TickwireError ? error.code : undefined) {
    case 'TokenExpired':
    case 'TokenUsed':
      return 'new token';
    case 'TokenMissing':
    case 'TokenInvalid':
      return 'sign in';
    case 'TokenNotYet':
    case 'AuthUnavailable':
      return 'later';
    default:
      return undefined; // AccountInUse and AccountTaken: the player is there already
  }
}
// ANCHOR_END: again
