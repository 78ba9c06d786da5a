/**
 * Every way a session can end or a request can be turned down, each with a text that says what to do.
 */

/** Why a session ended, in the order of the numbers on the wire. */
export const CLOSE_CODES = [
  'Normal',
  'ServerStopping',
  'Kicked',
  'VersionMismatch',
  'SchemaMismatch',
  'MalformedFrame',
  'FrameTooLarge',
  'MalformedDatagram',
  'TooEarly',
  'SecondHello',
  'UnexpectedStream',
  'HandshakeTimeout',
  'ServerFull',
  'TooSlow',
  'RoomFailed',
  'ConnectionLost',
  'OriginRefused',
  'ServerMisbehaved',
  'NoRoom',
  'NoDatagrams',
  'ResumeRefused',
  'TokenMissing',
  'TokenInvalid',
  'TokenExpired',
  'TokenNotYet',
  'TokenUsed',
  'AccountInUse',
  'AccountTaken',
  'AuthUnavailable',
] as const;

/** Why a session ended. */
export type CloseCode = (typeof CLOSE_CODES)[number];

/** Why a request was turned down while the session goes on. */
export type RefuseCode =
  | 'NameInvalid'
  | 'NameTaken'
  | 'RoomFull'
  | 'NoSuchRoom'
  | 'RoomNameInvalid'
  | 'TooManyRooms'
  | 'AlreadyInRoom'
  | 'NotInRoom'
  | 'NoSuchPlayer'
  | 'NotHost'
  | 'ChatTooFast'
  | 'ChatTooLong'
  | 'ChatEmpty'
  | 'Busy'
  | 'RemovedFromRoom'
  | 'KickNotAllowed'
  | 'KickTooFast'
  | 'RoomTaken'
  | 'OptionsInvalid'
  | 'WrongPassword'
  /** The game said no: `gameCode` is its own code. */
  | 'ByGame'
  | 'NotPlaying'
  | 'CommandInvalid'
  | 'CommandTooFast'
  | 'TokenForOtherRoom'
  | 'TopicsOff'
  | 'TopicInvalid'
  | 'TopicForbidden'
  | 'TopicTooFast'
  | 'TopicTooLong'
  | 'TopicsFull';

/** What goes wrong on this side, before or without a server's answer. */
export type LocalCode =
  /** The browser has no WebTransport. */
  | 'NoWebTransport'
  /** The page was not loaded over HTTPS or from localhost, so the browser hides WebTransport. */
  | 'InsecurePage'
  /** There is no WebSocket, as in node 20 without a flag. */
  | 'NoWebSocket'
  /** No connection came about. */
  | 'Unreachable'
  /** The server did not answer in time. */
  | 'ConnectTimeout'
  /** The WebAssembly module could not be loaded. */
  | 'WasmFailed'
  /** The caller's `AbortSignal` fired. */
  | 'Aborted'
  /** A step function threw; the session goes on without prediction. */
  | 'StepFailed'
  /** A loop left more messages of a subscription unread than are kept; the session goes on without the subscription. */
  | 'TopicsUnread';

/** The code of a {@link TickwireError}. */
export type ErrorCode = CloseCode | RefuseCode | LocalCode;

/** An error of this package: a stable code for programs and a text for people. */
export class TickwireError extends Error {
  /** Stable across versions. */
  readonly code: ErrorCode;
  /** The game's own code, where `code` is `ByGame`. */
  readonly gameCode: number | undefined;

  /** `text` is what the server said, or the code's own text. */
  constructor(code: ErrorCode, text: string = textOf(code), options: ErrorOptions & { gameCode?: number | undefined } = {}) {
    const { gameCode, ...cause } = options;
    super(text, cause);
    this.name = 'TickwireError';
    this.code = code;
    this.gameCode = gameCode;
  }
}

/** The close code of a number on the wire; an unknown one is a lost connection. */
export function closeCodeOf(number: number): CloseCode {
  return CLOSE_CODES[number] ?? 'ConnectionLost';
}

/** The number of a close code on the wire. */
export function closeNumberOf(code: CloseCode): number {
  return CLOSE_CODES.indexOf(code);
}

/** What happened and what to do about it. */
export function textOf(code: ErrorCode): string {
  return TEXTS[code];
}

const TEXTS: Record<ErrorCode, string> = {
  Normal: 'goodbye',
  ServerStopping: 'the server is stopping; try again in a minute',
  Kicked: 'you were removed from the room by its host',
  VersionMismatch: 'client and server speak different protocol versions; reload the page, or update the older one',
  SchemaMismatch: 'client and server were built from different rules; reload the page, or update the client',
  MalformedFrame: 'a frame could not be read; update the client',
  FrameTooLarge: 'a frame was longer than 64 KiB; send less at once',
  MalformedDatagram: 'a datagram could not be read; update the client',
  TooEarly: 'something came before hello; update the client',
  SecondHello: 'hello came twice; update the client',
  UnexpectedStream: 'an unexpected stream was opened; update the client',
  HandshakeTimeout: 'the session was not set up in time; check the network and connect again',
  ServerFull: 'the server is full; try again later or another server',
  TooSlow: 'messages were not read fast enough; check the network',
  RoomFailed: 'the room stopped because of a fault, and the session with it; connect again to play on',
  ConnectionLost: 'the connection was lost; connect again',
  OriginRefused: "this page's origin is not allowed; add it to the server's allowed origins",
  ServerMisbehaved: 'the server sent something this client cannot use; update the client',
  NoRoom: 'you were in no room for too long; connect again to play',
  NoDatagrams: 'the connection carries no datagrams; connect over a WebSocket',
  ResumeRefused: 'the session is over; connect again to begin a new one',
  TokenMissing: 'this server takes players who have signed in; sign in, and connect with a token',
  TokenInvalid: 'the token is not valid on this server; sign in again',
  TokenExpired: 'the token has expired; get a new one and connect again',
  TokenNotYet: 'the token is not valid yet; wait a moment, or set the clocks right',
  TokenUsed: 'the token was used before; get a new one and connect again',
  AccountInUse: 'the account is playing already; end that session first',
  AccountTaken: 'the account connected elsewhere, which ended this session',
  AuthUnavailable: 'players cannot be checked now; try again in a minute',
  NameInvalid: 'a display name is 1 to 32 visible characters, and some are reserved; choose another',
  NameTaken: 'someone in the room has this name, or one that looks like it; choose another',
  RoomFull: 'every seat in the room is taken; join another room or watch',
  NoSuchRoom: 'there is no room of this name; list the rooms',
  RoomNameInvalid: 'a room name is 1 to 32 letters, digits, "-" or "_"',
  TooManyRooms: 'no more rooms are made for you, or for anyone; join one that is there',
  AlreadyInRoom: 'you are in a room; leave it first',
  NotInRoom: 'you are not in a room; join one first',
  NoSuchPlayer: 'no such player is in the room',
  NotHost: 'only the host of the room may do this',
  ChatTooFast: 'you chat faster than allowed; wait a few seconds',
  ChatTooLong: 'a chat message has at most 500 characters; shorten it',
  ChatEmpty: 'nothing is left to say; type some visible characters',
  Busy: 'the server is too busy; try again in a moment',
  RemovedFromRoom: 'you were removed from this room a while ago; join another one',
  KickNotAllowed: 'the game does not let you remove this player',
  KickTooFast: 'you removed someone a moment ago; wait a little',
  RoomTaken: 'there is a room of this name already; choose another name, or join it',
  OptionsInvalid: 'these options are too long, or none of this game; change them',
  WrongPassword: 'this is not the password of the room; ask whoever made it',
  ByGame: 'the game does not allow this now',
  NotPlaying: 'you only watch; take a seat to play',
  CommandInvalid: 'the server knows no such command; reload the page, or build it anew from the rules of the server',
  CommandTooFast: 'you ask the game for more than it takes; wait a moment',
  TokenForOtherRoom: 'you are signed in for another room; join that one',
  TopicsOff: 'the server offers no topics',
  TopicInvalid: 'this is no name of a topic, or no pattern of names',
  TopicForbidden: 'you may not publish or subscribe to this topic',
  TopicTooFast: 'you publish more messages than the server takes; wait a moment',
  TopicTooLong: 'the message is longer than the server takes; shorten it',
  TopicsFull: 'the server has as many topics or subscriptions as it may',
  NoWebTransport: 'this browser has no WebTransport; use a current Chrome, Edge, Firefox or Safari',
  InsecurePage: 'the page was not loaded over HTTPS or from localhost; load it over https:// or from http://localhost',
  NoWebSocket: 'there is no WebSocket here; use a browser, node 22 or newer, or node 20 with --experimental-websocket',
  Unreachable: 'the server could not be reached; check that it runs and that no firewall blocks its port',
  ConnectTimeout: 'the server did not answer in time; check the network and connect again',
  WasmFailed: 'the WebAssembly module could not be loaded; reload the page',
  Aborted: 'connecting was cancelled',
  TopicsUnread: 'more messages of the subscription waited to be read than are kept; read faster, or subscribe to the latest ones',
  StepFailed: 'the step function failed, so nothing is predicted any more; correct it',
};
