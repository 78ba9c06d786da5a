/**
 * The browser client of tickwire: `connect()` gives a {@link Client}.
 *
 * @module
 */
export { connect, type ConnectOptions } from './connect.js';
export type { CoreStats, MakeCore } from './core.js';
export type { Listener } from './emitter.js';
export { Client } from './client.js';
export type { ClientEvents, GameEvent, Stats } from './events.js';
export type { CreateRequest, Entrance, JoinRequest, SpectateRequest } from './joining.js';
export type { Chat, HistoryRequest } from './chat.js';
export type { CommandFields, CommandName } from './command.js';
export type { AnyGame, Entities, Entity, Game, KindName, Seen } from './entities.js';
export { CLOSE_CODES, type CloseCode, type ErrorCode, type LocalCode, type RefuseCode, TickwireError, textOf } from './errors.js';
export type { ChatHistory, ChatMessage, ChatNotice, ChatSent, Closed, Joined, Member, Reconnecting, Refused, Resumed, RoomInfo, RoomList, RoomQuery } from './messages.js';
export { CERTIFICATE_PATH, type CertificateHash, fetchCertificateHashes, parseCertificateHashes } from './certificates.js';
export type { ModeName, ModeOptions, Modes } from './modes.js';
export type { Step, Steps } from './prediction.js';
export type { Nearby, StepTick } from './tick.js';
export type { Field, FieldType, Kind, Quat, Schema, Vec2, Vec3 } from './schema.js';
export type { BuiltFor } from './showing.js';
export { browserCache, type StaticCache, type StaticChange, type StaticProgress } from './static-data.js';
export type {
  SubscribeOptions,
  SubscriptionEvents,
  TopicCursor,
  TopicDelivery,
  TopicFollowed,
  TopicMessage,
  TopicMissed,
  TopicStart,
  TopicSubscription,
} from './subscription.js';
export type { Token } from './token.js';
export type { TableEvents, TopicChange, TopicTable } from './table.js';
export type { PublishOptions, Topics } from './topics.js';
export type { TransportKind } from './transport.js';
