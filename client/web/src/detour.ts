import type { Core } from './core.js';
import { delay } from './deadline.js';
import { TickwireError } from './errors.js';
import type { Entrance, JoinRequest, SpectateRequest } from './joining.js';
import type { Member } from './messages.js';
import type { Transport, TransportKind } from './transport.js';

/** Opens the other transport than this one, with the core of a session that is new: sessions cannot be resumed. */
export type Detour = (from: TransportKind) => Promise<{ core: Core; transport: Transport }>;

/** How long the server may take to notice the end of the old connection, which holds the name: its `idle_ms` by default. */
export const NAME_HELD_MS = 15_000;
const PAUSE_MS = 250;

interface Seats {
  join(request: JoinRequest): Promise<unknown>;
  spectate(request: SpectateRequest): Promise<unknown>;
}

/** Who comes back, to which room, with what. */
export interface Return extends Entrance, Pick<Member, 'name' | 'spectator'> {
  readonly room: string;
}

/** Joins a room again by the name that one had there, once the name is free: after `heldMs` that is given up. */
export async function sitAgain(client: Seats, { room, name, spectator, options, password }: Return, heldMs = NAME_HELD_MS): Promise<void> {
  for (let leftMs = heldMs; ; leftMs -= PAUSE_MS) {
    try {
      await (spectator ? client.spectate({ name, room, password }) : client.join({ name, room, options, password }));
      return;
    } catch (error) {
      const isHeld = error instanceof TickwireError && error.code === 'NameTaken';
      if (!isHeld || leftMs <= 0) throw error;
      await delay(PAUSE_MS);
    }
  }
}
