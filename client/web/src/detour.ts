import type { Core } from './core.js';
import { delay } from './deadline.js';
import { TickwireError } from './errors.js';
import type { Entrance, JoinRequest, SpectateRequest } from './joining.js';
import type { Member } from './messages.js';
import type { Transport, TransportKind } from './transport.js';

/** Opens the other transport than this one, with the core of a session that is new: sessions cannot be resumed. */
export type Detour = (from: TransportKind) => Promise<{ core: Core; transport: Transport }>;

/** How long the server may take to notice the end of the old connection, which holds the name. */
const NAME_HELD_MS = 10_000;
const PAUSE_MS = 250;

interface Seats {
  join(request: JoinRequest): Promise<unknown>;
  spectate(request: SpectateRequest): Promise<unknown>;
}

/** Joins a room again by the name that one had there. */
export async function sitAgain(client: Seats, room: string, { name, spectator }: Pick<Member, 'name' | 'spectator'>, entrance: Entrance): Promise<void> {
  const { options, password } = entrance;
  for (let leftMs = NAME_HELD_MS; ; leftMs -= PAUSE_MS) {
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
