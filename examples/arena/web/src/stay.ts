import { TickwireError } from 'tickwire';
import type { ArenaClient } from './game';

/** A person's request: to play or to watch, with a name and a room. */
export interface Stay {
  readonly name: string;
  /** The room's name; undefined for any with a free seat. */
  readonly room: string | undefined;
  readonly watches: boolean;
  /** Of a private room. */
  readonly password?: string | undefined;
  /** The room is to be made, with that password. */
  readonly makes?: boolean;
}

/** Takes the requested place. A session that is in a room leaves it first. */
export async function take(client: ArenaClient, { name, room, watches, password, makes }: Stay): Promise<void> {
  if (client.room) await client.leave();
  if (watches) await client.spectate({ name, room: room ?? '', password });
  else if (makes && room) await client.create({ name, room, roomOptions: { password }, password });
  else await client.join({ name, room, password });
}

/**
 * Takes the same place in a new session. `last` is the old session's room. A player who had asked
 * for no particular room returns there only while it exists, so that such players meet again.
 */
export async function takeAgain(client: ArenaClient, stay: Stay, last: string | undefined): Promise<void> {
  if (stay.makes) return takeMade(client, stay);
  const isOpen = last !== undefined && stay.room === undefined && (await client.listRooms()).rooms.some(({ name }) => name === last);
  return take(client, isOpen ? { ...stay, room: last } : stay);
}

/** A private room that is gone, as after a restart of the server, is made once more. */
async function takeMade(client: ArenaClient, stay: Stay): Promise<void> {
  try {
    await take(client, stay);
  } catch (error) {
    if (!(error instanceof TickwireError && error.code === 'RoomTaken')) throw error;
    await take(client, { ...stay, makes: false });
  }
}
