import type { Client } from './client.js';
import { delay } from './deadline.js';
import type { Game } from './entities.js';
import { TickwireError } from './errors.js';
import { type Entrance, type SeatRequest, type Seats, type SpectateRequest, takeSeat } from './joining.js';
import type { Member } from './messages.js';

/** A tab's memory of the room that it is in. */
interface Stay {
  /** The requested room; absent for any. */
  readonly asked?: string | undefined;
  readonly room: string;
  readonly spectator: boolean;
  readonly options?: unknown;
  readonly password?: string | undefined;
}

/**
 * Longest wait for the name, which the old page gives up by its goodbye. The name of a crashed tab is held longer, too long to wait
 * for.
 */
const OLD_NAME_MS = 4000;
const PAUSE_MS = 250;

interface Places extends Seats {
  spectate(request: SpectateRequest): Promise<unknown>;
}

/** Who comes back, to which room, with what. */
interface Return extends Entrance, Pick<Member, 'name' | 'spectator'> {
  readonly room: string;
  /** Of a room that may have ended meanwhile. */
  readonly roomOptions?: unknown;
}

/**
 * Joins the room that this tab was in before its page was reloaded, else the room of `request`. From then on the tab remembers the
 * client's room. A page that asks for another room than before does not return.
 */
export async function joinAgain<G extends Game>(client: Client<G>, host: string, request: SeatRequest): Promise<void> {
  const stay = recall(host);
  follow(client, host, request.room);
  if (stay && stay.asked === request.room) {
    try {
      const roomOptions = stay.room === request.room ? request.roomOptions : undefined;
      return await sitAgain(client, { ...stay, name: request.name, roomOptions });
    } catch {
      // The room is full or closed: join as a newcomer.
    }
  }
  await takeSeat(client, request);
}

/** Joins a room again by the former name, once that is free; gives up after a while. */
async function sitAgain(client: Places, { room, name, spectator, options, password, roomOptions }: Return): Promise<void> {
  for (let leftMs = OLD_NAME_MS; ; leftMs -= PAUSE_MS) {
    try {
      await (spectator ? client.spectate({ name, room, password }) : takeSeat(client, { name, room, options, password, roomOptions }));
      return;
    } catch (error) {
      const isHeld = error instanceof TickwireError && error.code === 'NameTaken';
      if (!isHeld || leftMs <= 0) throw error;
      await delay(PAUSE_MS);
    }
  }
}

/** Remembers the client's room, and ends the session with the page, so that the server frees its name and seat at once. */
function follow<G extends Game>(client: Client<G>, host: string, asked: string | undefined): void {
  const forget = () => remember(host, undefined);
  client.on('joined', ({ room, spectator }) => {
    // The entrance is known once the request is answered, which comes next.
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

/** Remembers nothing where a page may not store anything, or in a Worker, which has no such storage. */
function remember(host: string, stay: Stay | undefined): void {
  try {
    if (stay) sessionStorage.setItem(keyOf(host), JSON.stringify(stay));
    else sessionStorage.removeItem(keyOf(host));
  } catch {
    // Only the way back is lost.
  }
}
