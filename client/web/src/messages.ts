/** What the server says, as the core hands it over. */
import type { CloseCode, RefuseCode } from './errors.js';
import type { StaticChange, StaticProgress } from './static-data.js';
import type { TopicFollowed, TopicMessage, TopicMissed } from './subscription.js';

/** One room of the list. */
export interface RoomInfo {
  /** Its name. */
  name: string;
  /** Seats taken by people. */
  players: number;
  /** Seats in all. */
  playersMax: number;
  /** Bots of the server's own, which make way for people. */
  bots: number;
  /** Watching. */
  spectators: number;
  /** Every seat is taken. */
  full: boolean;
  /** Only those who know its password come in. */
  needsPassword: boolean;
  /** The game's tags of it, to filter by. */
  tags: string[];
  /** What the game shows of it in lists; undefined for nothing. */
  metadata: unknown;
}

/** Which rooms a list has, and in which order. */
export interface RoomQuery {
  /** Only rooms that have this tag. */
  tag?: string | undefined;
  /** Only rooms whose name begins so. */
  namePrefix?: string | undefined;
  /** Only rooms with a free seat. */
  hasSeat?: boolean | undefined;
  /** Only rooms without a password. */
  noPassword?: boolean | undefined;
  /** Which come first: those with the most players if not given. */
  order?: 'fullest' | 'emptiest' | 'name' | undefined;
}

/** A list of rooms. */
export interface RoomList {
  /** The first ones, as many as a list holds. */
  rooms: RoomInfo[];
  /** How many there are in all. */
  found: number;
}

/** Someone in a room. */
export interface Member {
  /** Number on this server. */
  player: number;
  /** Display name, unique in the room. */
  name: string;
  /** Watching only. */
  spectator: boolean;
  /** A player of the server's own, that no person steers. */
  bot: boolean;
  /** Its connection was lost, and the server keeps its place. */
  away?: boolean;
}

/** A seat, or a place to watch from. */
export interface Joined {
  /** The room. */
  room: RoomInfo;
  /** The room's tick when this was sent. */
  tick: number;
  /** Watching only: inputs are not taken. */
  spectator: boolean;
  /** Who may kick, if anyone may. */
  host: number | undefined;
  /** Everyone in the room, this client included. */
  members: Member[];
}

/** A chat message as the server stamped it. */
export interface ChatMessage {
  /** Grows in each room, with gaps; no two messages of a room have the same. */
  id: number;
  /** Milliseconds since 1970 by the server's clock. */
  timeMs: number;
  /** The sender's number. */
  from: number;
  /** The sender's display name. */
  name: string;
  /** The one member it is for; absent when it is for the room. */
  to?: number | undefined;
  /** The text: plain, never HTML. */
  text: string;
}

/** Earlier messages to a room. */
export interface ChatHistory {
  /** The room. */
  room: string;
  /** From old to new. After a join, messages that were reported may be among them: their ids tell. */
  messages: ChatMessage[];
  /** Whether there are older ones. */
  hasOlder: boolean;
}

/** The server is done with an own message to the room. Comes at most once: not at all if the server is killed first. */
export interface ChatSent {
  /** The message's. */
  id: number;
  /** Whether it is on the server's disk, and outlives it. */
  isSaved: boolean;
}

/** Someone joined or left, in order with the chat messages. */
export interface ChatNotice {
  /** Counted with the messages. */
  id: number;
  /** Milliseconds since 1970 by the server's clock. */
  timeMs: number;
  /** For a person. */
  text: string;
}

/** A request that was turned down. */
export interface Refused {
  /** Why. */
  code: RefuseCode;
  /** The game's own code for it, where `code` is `ByGame`. */
  gameCode?: number | undefined;
  /** Why and what to do, for a person. */
  text: string;
}

/** The connection was lost, or an attempt to go on over another one failed: another attempt follows. */
export interface Reconnecting {
  /** Which attempt, from 1. */
  attempt: number;
  /** Milliseconds until it begins. It begins at once when the browser is online again, or somebody looks at the page again. */
  inMs: number;
}

/** The session goes on over another connection, in the same room and seat. */
export interface Resumed {
  /** Attempts that it took. */
  attempts: number;
  /** Milliseconds without a connection. */
  lostForMs: number;
}

/** How a session ended. */
export interface Closed {
  /** Why. */
  code: CloseCode;
  /** Why and what to do, for a person. */
  text: string;
}

/** An answer: the number of the request. */
interface Answer {
  request: number;
}

/** The answer to a request, or told without one. */
interface MaybeAnswer {
  request?: number | undefined;
}

/** Of a subscription to topics. */
interface OfSubscription {
  subscription: number;
}

/** What the core's `pollEvent` gives. Close codes and kinds are numbers there. */
export type CoreEvent =
  | { type: 'welcome'; server: string; player: number }
  | ({ type: 'joined' } & MaybeAnswer & Joined)
  | ({ type: 'left' } & Answer)
  | ({ type: 'rooms' } & Answer & RoomList)
  | { type: 'roomsChanged'; rooms: RoomInfo[] }
  | ({ type: 'done' } & Answer)
  | ({ type: 'refused' } & Answer & Refused)
  | { type: 'removed'; text: string }
  | { type: 'memberJoined'; member: Member }
  | { type: 'memberLeft'; player: number; code: number }
  | { type: 'memberAway' | 'memberBack'; player: number }
  | { type: 'host'; player: number | undefined }
  | { type: 'notice'; text: string }
  | { type: 'goodbye'; code: number; text: string }
  | { type: 'over'; code: number; text: string }
  | ({ type: 'reconnecting' } & Reconnecting)
  | ({ type: 'resumed' } & Resumed)
  | { type: 'moved' }
  | ({ type: 'chat' } & Answer & ChatMessage)
  | ({ type: 'chatNotice' } & ChatNotice)
  | ({ type: 'chatRefused' } & Answer & Refused)
  | ({ type: 'chatSent' } & Answer & ChatSent)
  | ({ type: 'chatHistory' } & MaybeAnswer & ChatHistory)
  | ({ type: 'staticData' } & StaticProgress)
  | ({ type: 'staticChanged' } & StaticChange)
  | ({ type: 'published'; sequence: number } & Answer)
  | ({ type: 'topicFollowed'; epoch: string; after: number } & OfSubscription & TopicFollowed)
  | ({ type: 'topicMessage' } & OfSubscription & Omit<TopicMessage, 'text' | 'json'>)
  | ({ type: 'topicMissed' } & OfSubscription & TopicMissed)
  | ({ type: 'topicsEnded'; code: RefuseCode; text: string } & OfSubscription)
  | { type: 'event' | 'cancelled'; kind: number; tick: number; values: ArrayLike<number>; predicted: boolean };
