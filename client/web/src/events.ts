import type { CoreStats } from './core.js';
import type { Game, Seen } from './entities.js';
import type { CloseCode, TickwireError } from './errors.js';
import type { ChatHistory, ChatMessage, ChatNotice, ChatSent, Closed, Joined, Member, Reconnecting, Refused, Resumed, RoomInfo } from './messages.js';
import type { StaticChange, StaticProgress } from './static-data.js';
import type { TransportKind } from './transport.js';

/**
 * One event of the game, by the name of its kind. A predicted one happened as far as this client can tell; the server's
 * own word of it does not follow.
 */
export type GameEvent<G extends Game> = {
  [K in keyof G['events'] & string]: { readonly kind: K; readonly tick: number; readonly predicted: boolean } & Seen<G['events'][K]>;
}[keyof G['events'] & string];

/** What a `Client` reports. */
export interface ClientEvents<G extends Game> {
  /** A seat, or a place to watch from. */
  joined: Joined;
  /** Out of the room again, as asked for. */
  left: void;
  /** The host removed this client from the room. The session goes on: another room may be joined. */
  removed: { text: string };
  /** Someone came into the room. */
  memberJoined: Member;
  /** Someone left the room. */
  memberLeft: Member & { code: CloseCode };
  /** A member's connection was lost; its place is kept until it is back or leaves. */
  memberAway: Member;
  /** A member that was away is back, in the same seat. */
  memberBack: Member;
  /** Who may kick changed: the member's number, or undefined when nobody may. */
  host: number | undefined;
  /** Chat, one's own included. */
  message: ChatMessage;
  /** The server is done with an own message to the room: once for each, after `message`. */
  chatSent: ChatSent;
  /** The newest messages of the room from before the join, where the server keeps any. */
  chatHistory: ChatHistory;
  /** Someone joined or left, in order with the chat. */
  chatNotice: ChatNotice;
  /** The server's program has something to say, to everyone or to those in the room. */
  notice: string;
  /** How much of the room's static data is here: 0 when it is told of, also where all of it is another. */
  staticData: StaticProgress;
  /** A part of it is another. */
  staticChanged: StaticChange;
  /** A request or chat message was turned down. Its promise was rejected as well. */
  refused: Refused;
  /** A step function failed: the session goes on, and what the player steers is shown as the server sends it. */
  predictionFailed: TickwireError;
  /** Something happened in the game. */
  event: GameEvent<G>;
  /** A predicted event did not happen. */
  cancelled: GameEvent<G>;
  /** The connection was lost, and another one is tried. What is asked meanwhile is answered once the session goes on. */
  reconnecting: Reconnecting;
  /** The session goes on over another connection, in the same room and seat, with every message and event in order and once. */
  resumed: Resumed;
  /** Another transport carries the session: after `resumed`, or alone, when the client moved to WebTransport while its WebSocket still worked. */
  moved: { from: TransportKind; to: TransportKind };
  /** The list that `subscribeRooms()` follows, as it is now. */
  roomsChanged: readonly RoomInfo[];
  /** The session is over. Once, last. */
  close: Closed;
}

/** How the connection does. */
export interface Stats extends CoreStats {
  /** What it runs on. */
  transport: TransportKind;
  /** Inputs not sent because the network took no more. */
  datagramsDropped: number;
}
