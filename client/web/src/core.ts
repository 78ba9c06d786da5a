import type { CoreEvent, RoomInfo, RoomQuery } from './messages.js';
import type { Schema } from './schema.js';
import { TickwireError } from './errors.js';
import type { SubscribeRequest } from './subscription.js';

/** How the connection does. Bytes count what this client sent and got, without the transport's own. */
export interface CoreStats {
  /** Round trip to the server and back. */
  rttMs: number;
  /** How much the spacing of snapshots varies. */
  jitterMs: number;
  /** Snapshots that did not come, 0 to 1. */
  lossFraction: number;
  /** Since the newest snapshot came. */
  silenceMs: number;
  /** How old what it tells is by now: the silence, and half of the round trip. */
  snapshotAgeMs: number;
  /** Received since the start. */
  bytesIn: number;
  /** Sent since the start. */
  bytesOut: number;
  /** Snapshots received since the start. */
  snapshots: number;
  /** The newest snapshot's tick. */
  tick: number;
  /** Snapshots that came after newer ones, and were not needed any more. */
  snapshotsLate: number;
  /** Snapshots coded against something this client no longer has. */
  snapshotsUndecodable: number;
  /** Datagrams that were no snapshots. */
  snapshotsMalformed: number;
  /** How long before their tick the inputs reach the server; negative is too late. */
  inputMarginMs: number;
  /** How far behind the newest snapshot others are shown, for them to move smoothly. */
  interpolationMs: number;
  /** Whether what the player steers is predicted. */
  predicting: boolean;
  /** Snapshots in this room that differed from what was predicted, in fields that steps change. */
  corrections: number;
  /** How far what the player steers is shown from where it is, in steps of its first two numbers. */
  predictionError: number;
}

/** The state of an entity with these numbers; `before` was predicted for the same tick. Undefined is not stepped. */
export type Adopt = (kind: number, values: Float64Array, before: Record<string, unknown> | undefined) => object | undefined;

/**
 * The state a tick after `state`, as a new object; fills `values` with its numbers. Undefined is failed. `nearby` and `made` are
 * flat records of other entities, and of what the step makes; see `tick.ts`.
 */
export type StepOnce = (
  kind: number,
  state: Record<string, unknown>,
  input: Float64Array,
  values: Float64Array,
  nearby: Float64Array,
  made: number[],
) => object | undefined;

/** The state of a move: the old transport still carries the session, the new one does, or the old one goes on. */
export type MoveOutcome = 'pending' | 'moved' | 'failed';

/** The session core in WebAssembly. It does no IO: bytes go in and come out. */
export interface Core {
  /** Before the first `takeControl`. */
  setToken(token: string): void;
  onControl(bytes: Uint8Array, nowMs: number): void;
  onChat(bytes: Uint8Array): void;
  setLossless(isLossless: boolean): void;
  onStatic(bytes: Uint8Array): void;
  onTopics(bytes: Uint8Array): void;
  onDatagram(bytes: Uint8Array, nowMs: number): void;
  onClosed(code: number, text: string): void;
  /** The transport was lost, or the one that was to take its place. False if the session is over by that. */
  onLost(text: string, nowMs: number): boolean;
  /** Once true when a new transport is to be opened: `resume` or `onConnectFailed` follows. */
  pollReconnect(nowMs: number): boolean;
  reconnectNow(nowMs: number): void;
  onConnectFailed(nowMs: number): void;
  resume(): void;
  canResume(): boolean;
  isReconnecting(): boolean;
  /** The first bytes of the control and of the chat stream of a new transport, for the session to move to. Undefined if it cannot now. */
  beginMove(nowMs: number): [Uint8Array, Uint8Array] | undefined;
  onMoveControl(bytes: Uint8Array, nowMs: number): MoveOutcome;
  onMoveChat(bytes: Uint8Array): MoveOutcome;
  cancelMove(): void;
  isMoving(): boolean;
  takeControl(): Uint8Array;
  takeChat(): Uint8Array;
  takeStatic(): Uint8Array;
  takeTopics(): Uint8Array;
  takeDatagram(): Uint8Array | undefined;
  /** What is loaded from now on is handed out as well. */
  useStaticCache(): void;
  /** The hash of what the room has and this client lacks, to be answered by `giveStatic`. */
  pollStaticWanted(): Uint8Array | undefined;
  giveStatic(hash: Uint8Array, found: Uint8Array | undefined): void;
  /** What was loaded. */
  pollStaticLoaded(): Uint8Array | undefined;
  staticData(key: number): Uint8Array | undefined;
  /** What asks something gives the number that the answer names. */
  join(room: string | undefined, name: string, options: string, password: string): number;
  create(room: string, roomOptions: string, name: string, options: string): number;
  spectate(room: string, name: string, password: string): number;
  leave(): number;
  listRooms(query: RoomQuery): number;
  subscribeRooms(query: RoomQuery): number;
  unsubscribeRooms(): number;
  say(text: string): number;
  chatHistory(before: number | undefined, count: number): number;
  tell(player: number, text: string): number;
  kick(player: number, reason: string): number;
  /** The number of its kind in the schema, and one number for each component. */
  command(kind: number, values: Float64Array): number;
  /** `lifetimeMs` is 0 for as long as the session lasts, undefined for until the next message of the key. */
  publish(topic: string, key: string, payload: Uint8Array, lifetimeMs: number | undefined): number;
  /** Why the message does not fit a datagram; undefined if it does, and the next `takeDatagram` has it. */
  publishLossy(topic: string, key: string, payload: Uint8Array): string | undefined;
  removeValue(topic: string, key: string): number;
  /** The subscription's number, which its events have, and the request's. */
  subscribeTopics(pattern: string, request: SubscribeRequest): number[];
  unsubscribeTopics(subscription: number): number;
  /** Whether the server has it, or is asked for it. */
  isSubscribed(subscription: number): boolean;
  goodbye(): void;
  /** The list that is followed. */
  rooms(): RoomInfo[];
  setInput(values: Float64Array): void;
  predictBy(adopt: Adopt, step: StepOnce, looksAround: boolean): void;
  predictNothing(): void;
  /** In what the rules of the game's own module are not the server's; only such a module has it. */
  rulesDiffer?(): string | undefined;
  showBy(kind: string, mode: string, ticksMax: number): void;
  update(nowMs: number): void;
  pollEvent(): CoreEvent | undefined;
  schema(): Schema | undefined;
  shownTick(): number | undefined;
  view(): ArrayLike<number>;
  stats(nowMs: number): CoreStats;
  free(): void;
}

/** Makes a core; `client` is for the server's log. */
export type MakeCore = (client: string) => Core;

let loading: Promise<MakeCore> | undefined;

/** Makes a core by the game's own module, or by the package's one, which is loaded once. `client` is for the server's log. */
export async function loadCore(client: string, load?: () => Promise<MakeCore | undefined>): Promise<Core> {
  try {
    const make = (await load?.()) ?? (await (loading ??= loadModule()));
    return make(client);
  } catch (cause) {
    loading = undefined;
    throw new TickwireError('WasmFailed', undefined, { cause });
  }
}

/** In node, whose `fetch` takes no files. Not named as a literal: a bundler for browsers would look for it. */
async function readFile(url: URL): Promise<BufferSource> {
  const module = 'node:fs/promises';
  const files = (await import(/* @vite-ignore */ module)) as { readFile(url: URL): Promise<BufferSource> };
  return files.readFile(url);
}

async function loadModule(): Promise<MakeCore> {
  const module = await import('../wasm/tickwire.js');
  // Named here, so that a bundler finds the file and puts it beside its own.
  const url = new URL('../wasm/tickwire_bg.wasm', import.meta.url);
  await module.default({ module_or_path: url.protocol === 'file:' ? await readFile(url) : url });
  const make = module.Core as unknown as new (client: string) => Core;
  return (client) => new make(client);
}
