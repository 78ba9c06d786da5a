import { type CommandFields, type CommandName, commandRecord } from './command.js';
import type { Core } from './core.js';
import type { Game } from './entities.js';
import { type CreateRequest, type Entrance, type JoinRequest, type SpectateRequest, jsonOf } from './joining.js';
import type { Joined, RoomInfo, RoomList, RoomQuery } from './messages.js';
import type { Schema } from './schema.js';
import type { BuiltFor } from './showing.js';

/** The requests of a client: each is answered once, by a promise that need not be awaited. */
export abstract class Asking<G extends Game> {
  /** What it came into the room with, to come into it again. @internal */
  entrance: Entrance = {};

  /** The server's description of its game. */
  abstract get schema(): Schema;

  /** The rules that the page was built for, if it says so. @internal */
  protected abstract get builtFor(): BuiltFor | undefined;

  /** `request` asks the core, and gives the number that the answer will name. @internal */
  protected abstract ask<T>(request: (core: Core) => number): Promise<T>;

  /** @internal */
  protected abstract roomsNow(): readonly RoomInfo[];

  /** Takes a seat in the room of this name, which is made by the default options if there is none, or in any with a free seat. */
  join(request: JoinRequest): Promise<Joined> {
    const { name, room, options, password = '' } = request;
    return this.#enter(request, (core) => core.join(room, name, jsonOf(options), password));
  }

  /** Makes a room and takes a seat in it. Refused with `RoomTaken` where there is one of this name. */
  create(request: CreateRequest): Promise<Joined> {
    const { name, room, roomOptions, options } = request;
    return this.#enter(request, (core) => core.create(room, jsonOf(roomOptions), name, jsonOf(options)));
  }

  /** Watches a room without a seat. */
  spectate(request: SpectateRequest): Promise<Joined> {
    const { name, room, password = '' } = request;
    return this.#enter(request, (core) => core.spectate(room, name, password));
  }

  /** Gives the seat back; the session goes on. */
  leave(): Promise<void> {
    return this.ask((core) => core.leave());
  }

  /** The server's rooms, those that the query says: all, the fullest first, without one. */
  listRooms(query: RoomQuery = {}): Promise<RoomList> {
    return this.ask((core) => core.listRooms(query));
  }

  /** The same, and `roomsChanged` reports from then on what {@link rooms} are. One list at a time is followed. */
  subscribeRooms(query: RoomQuery = {}): Promise<RoomList> {
    return this.ask((core) => core.subscribeRooms(query));
  }

  /** Follows the list of rooms no more. */
  unsubscribeRooms(): Promise<void> {
    return this.ask((core) => core.unsubscribeRooms());
  }

  /** The list that {@link subscribeRooms} follows as it is now, in its order. */
  get rooms(): readonly RoomInfo[] {
    return this.roomsNow();
  }

  /** Removes a member from the room. Only the host may. */
  kick(player: number, reason: string): Promise<void> {
    return this.ask((core) => core.kick(player, reason));
  }

  /**
   * Asks something of the game, as a player in a room: `await client.command('Buy', { item: 3 })`. Fulfilled once a step of the
   * game had it: exactly once, and after the commands asked before. What the game makes of it shows in events and entities.
   *
   * Rejected with a {@link TickwireError} whose code is `NotInRoom`, `NotPlaying`, `CommandTooFast` or `CommandInvalid`, no
   * step will have it; if the session ended first, a step had it or not. Rejected with a `TypeError` or
   * `RangeError` for a command or field that the game does not have, a field that is missing, or a value that does not fit.
   */
  command<K extends CommandName<G>>(kind: K, ...fields: CommandFields<G, K>): Promise<void> {
    return this.ask((core) => core.command(...commandRecord(this.schema.commands, kind, fields[0] ?? {}, this.builtFor)));
  }

  #enter(entrance: Entrance, request: (core: Core) => number): Promise<Joined> {
    const answer = this.ask<Joined>(request);
    answer.then(
      () => (this.entrance = entrance),
      () => {},
    );
    return answer;
  }
}
