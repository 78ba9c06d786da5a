import type { Client } from './client.js';
import { sitAgain } from './detour.js';
import type { Game } from './entities.js';
import type { Entrance, JoinRequest } from './joining.js';

/** What a tab remembers of the room that it is in. */
interface Stay {
  /** The room that was asked for; absent for any. */
  readonly asked?: string | undefined;
  readonly room: string;
  readonly spectator: boolean;
  readonly options?: unknown;
  readonly password?: string | undefined;
}

/** How long the old page may still hold the name: it said goodbye. That of a tab that crashed is held longer than is worth waiting for. */
const OLD_NAME_MS = 4000;

/**
 * Joins the room that this tab was in before its page was loaded anew, and otherwise the one that `request` says. From then on
 * the tab remembers the room that the client is in; a page that asks for another room than before does not go back.
 */
export async function joinAgain<G extends Game>(client: Client<G>, host: string, request: JoinRequest): Promise<void> {
  const stay = recall(host);
  follow(client, host, request.room);
  if (stay && stay.asked === request.room) {
    try {
      return await sitAgain(client, { ...stay, name: request.name }, OLD_NAME_MS);
    } catch {
      // It is full, or closed: then as anybody who comes.
    }
  }
  await client.join(request);
}

/** The server hears of the end of the page at once, and keeps no name and no seat for it. */
function follow<G extends Game>(client: Client<G>, host: string, asked: string | undefined): void {
  const forget = () => remember(host, undefined);
  client.on('joined', ({ room, spectator }) => {
    // What it came in with is known once its request is answered, which is what comes next.
    queueMicrotask(() => remember(host, { asked, room: room.name, spectator, ...entranceOf(client.entrance) }));
  });
  client.on('left', forget);
  client.on('removed', forget);
  const end = () => void client.close();
  globalThis.addEventListener?.('pagehide', end);
  void client.closed.then(() => globalThis.removeEventListener?.('pagehide', end));
}

function entranceOf({ options, password }: Entrance): Entrance {
  return { options, password };
}

function keyOf(host: string): string {
  return `tickwire:room:${host}`;
}

function recall(host: string): Stay | undefined {
  try {
    const stay = JSON.parse(sessionStorage.getItem(keyOf(host)) ?? 'null') as Stay | null;
    return typeof stay?.room === 'string' ? stay : undefined;
  } catch {
    return undefined;
  }
}

/** A page may be kept from storing anything, and a Worker has no such storage: then nothing is remembered. */
function remember(host: string, stay: Stay | undefined): void {
  try {
    if (stay) sessionStorage.setItem(keyOf(host), JSON.stringify(stay));
    else sessionStorage.removeItem(keyOf(host));
  } catch {
    // Nothing is lost but the way back.
  }
}
