import { type CloseCode, closeCodeOf } from './errors.js';
import type { CoreEvent, Joined, Member, RoomInfo } from './messages.js';

/** The events of the core that change who is here. */
export type RoomEvent = CoreEvent & { type: 'joined' | 'left' | 'removed' | 'memberJoined' | 'memberLeft' | 'memberAway' | 'memberBack' | 'host' };

/** The room a client is in, as the server told it. */
export class Room {
  /** As of the moment of joining; nothing outside of rooms. */
  info: RoomInfo | undefined;
  /** The member who may kick. */
  host: number | undefined;
  /** Everyone, by number. */
  readonly members = new Map<number, Member>();

  /** What a `Client` reports of an event: its name and its value. */
  take(event: RoomEvent): [name: RoomEvent['type'], value: unknown] {
    switch (event.type) {
      case 'joined':
        this.join(event);
        return [event.type, event];
      case 'left':
        this.leave();
        return [event.type, undefined];
      case 'removed':
        this.leave();
        return [event.type, { text: event.text }];
      case 'memberJoined':
        this.members.set(event.member.player, event.member);
        return [event.type, event.member];
      case 'memberLeft':
        return [event.type, this.remove(event)];
      case 'memberAway':
      case 'memberBack':
        return [event.type, this.#mark(event.player, event.type === 'memberAway')];
      case 'host':
        this.host = event.player;
        return [event.type, event.player];
    }
  }

  /** A seat was taken. */
  join(joined: Joined): void {
    this.info = joined.room;
    this.host = joined.host;
    this.members.clear();
    for (const member of joined.members) this.members.set(member.player, member);
  }

  /** The seat was given back. */
  leave(): void {
    this.info = this.host = undefined;
    this.members.clear();
  }

  /** Someone is gone. Gives who it was. */
  remove({ player, code }: { player: number; code: number }): Member & { code: CloseCode } {
    const member = this.members.get(player) ?? unknown(player);
    this.members.delete(player);
    return { ...member, code: closeCodeOf(code) };
  }

  /** A connection was lost, or is back. Gives whose. The old object stays as it was, for those who compare. */
  #mark(player: number, away: boolean): Member {
    const marked = { ...(this.members.get(player) ?? unknown(player)), away };
    if (this.members.has(player)) this.members.set(player, marked);
    return marked;
  }
}

/** A member that the server has not told of. */
function unknown(player: number): Member {
  return { player, name: '', spectator: false, bot: false };
}
