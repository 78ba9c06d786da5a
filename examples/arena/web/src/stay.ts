import type { ArenaClient } from './game';

/** What a person asked for: to play or to watch, by which name and where. */
export interface Stay {
  readonly name: string;
  /** The room's name; undefined for any with a free seat. */
  readonly room: string | undefined;
  readonly watches: boolean;
}

/** Takes the place asked for. A session that is in a room already leaves it first. */
export async function take(client: ArenaClient, { name, room, watches }: Stay): Promise<void> {
  if (client.room) await client.leave();
  if (watches) await client.spectate({ name, room: room ?? '' });
  else await client.join({ name, room });
}

/**
 * The same place in a new session. `last` is the room that the old session was in: who had asked for no room by name comes back to it
 * only while it is there, so that all who had not meet again.
 */
export async function takeAgain(client: ArenaClient, stay: Stay, last: string | undefined): Promise<void> {
  const isOpen = last !== undefined && stay.room === undefined && (await client.listRooms()).rooms.some(({ name }) => name === last);
  return take(client, isOpen ? { ...stay, room: last } : stay);
}
