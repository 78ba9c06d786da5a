import { TickwireError } from './errors.js';

/** What a client says to come into a room. */
export interface Entrance {
  /** The game's join options, such as a team: what JSON can hold. The game's default if not given. */
  options?: unknown;
  /** The room's password. */
  password?: string | undefined;
}

/** Asks for a seat. */
export interface JoinRequest extends Entrance {
  /** The display name. */
  name: string;
  /** The room; any with a free seat if not given. */
  room?: string | undefined;
}

/** Asks for a new room, and a seat in it. Whoever makes a room needs no password. */
export interface CreateRequest {
  /** The display name. */
  name: string;
  /** The new room: 1 to 32 letters, digits, `-` or `_`. */
  room: string;
  /** The game's room options, such as a map: what JSON can hold. The game's default if not given. */
  roomOptions?: unknown;
  /** The game's join options. */
  options?: unknown;
  /** The password that the room is made with, for a page that is loaded anew to come back into it. */
  password?: string | undefined;
}

/** Asks for a seat in a room that is made if there is none. */
export interface SeatRequest extends JoinRequest {
  /** What the room is made with; without it a room that a join makes has the game's default. */
  roomOptions?: unknown;
}

/** What {@link takeSeat} asks. */
export interface Seats {
  join(request: JoinRequest): Promise<unknown>;
  create(request: CreateRequest): Promise<unknown>;
}

/** Makes the room by its options, or joins it as it is if there is one of this name. */
export async function takeSeat(seats: Seats, { roomOptions, ...request }: SeatRequest): Promise<void> {
  const { room } = request;
  if (roomOptions !== undefined && room !== undefined) {
    try {
      await seats.create({ ...request, room, roomOptions });
      return;
    } catch (error) {
      if (!(error instanceof TickwireError && error.code === 'RoomTaken')) throw error;
    }
  }
  await seats.join(request);
}

/** Asks to watch a room. */
export interface SpectateRequest {
  /** The display name. */
  name: string;
  /** The room. */
  room: string;
  /** The room's password. */
  password?: string | undefined;
}

/** Options as the server takes them. Throws a `TypeError` for what JSON cannot hold. */
export function jsonOf(options: unknown): string {
  if (options === undefined) return '';
  const text = JSON.stringify(options) as string | undefined;
  if (text === undefined) throw new TypeError('options are what JSON can hold, not a function or a symbol');
  return text;
}
