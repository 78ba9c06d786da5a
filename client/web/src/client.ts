import { Chat } from './chat.js';
import { type CommandFields, type CommandName, commandRecord } from './command.js';
import type { Core } from './core.js';
import { delay, inTime } from './deadline.js';
import { NAME_HELD_MS, sitAgain } from './detour.js';
import { Emitter, type Listener, report } from './emitter.js';
import { type AnyGame, Entities, type Game } from './entities.js';
import { type CloseCode, TickwireError, closeCodeOf, closeNumberOf, textOf } from './errors.js';
import type { ClientEvents, GameEvent, Stats } from './events.js';
import { type CreateRequest, type Entrance, type JoinRequest, type SpectateRequest, jsonOf } from './joining.js';
import type { ChatMessage, Closed, CoreEvent, Joined, Member, RoomInfo, RoomList, RoomQuery } from './messages.js';
import { showBy } from './modes.js';
import { Predictor } from './prediction.js';
import { Requests } from './requests.js';
import { Room, type RoomEvent } from './room.js';
import { RecordWriter, readRecord, type Schema } from './schema.js';
import { type Showing, tellDifferences } from './showing.js';
import { StallWatch } from './stall.js';
import { StaticLoader } from './static-data.js';
import type { Transport, TransportEnd, TransportKind } from './transport.js';

/** How long nothing may call `update()` before the client does it itself, as in a hidden tab. */
const IDLE_MS = 50;
/** How long a connection that stalls may speak again while the other one is open. */
const LAST_CHANCE_MS = 1000;
/** How long the server may take to welcome the session that goes on. */
const WELCOME_MS = 10_000;
/** The same for the seat there, while the old connection may still hold the name. */
const SEAT_MS = NAME_HELD_MS + 5000;

/**
 * A session on a tickwire server. Made by `connect()`.
 *
 * Call {@link update} once a frame; everything else is events, promises and values to read.
 */
export class Client<G extends Game = AnyGame> {
  /** What is seen, as of the last {@link update}. */
  readonly entities = new Entities<G>();
  /** Sends chat. */
  readonly chat = new Chat((request) => this.#say(request));
  /** Settles when the session is over, always with why. */
  readonly closed: Promise<Closed>;

  #core!: Core;
  #transport!: Transport;
  readonly #emitter = new Emitter<ClientEvents<G>>();
  readonly #requests = new Requests();
  readonly #room = new Room();
  readonly #showing: Showing<G>;
  readonly #static: StaticLoader;
  readonly #idle: ReturnType<typeof setInterval>;
  #predictor: Predictor | undefined;
  #input: RecordWriter | undefined;
  #schema: Schema | undefined;
  #server = '';
  #player = 0;
  #end: Closed | undefined;
  #watch = new StallWatch();
  /** What was said to come into the room, to come into it again. */
  #entrance: Entrance = {};
  #followed: RoomQuery | undefined;
  /** The connection that is to be left for another one, until the session goes on there. */
  #leaving: Transport | undefined;
  /** That connection ended. */
  #isLost = false;
  #lastUpdateMs = performance.now();
  #welcomed!: { resolve: () => void; reject: (error: Error) => void };
  #reportClosed!: (closed: Closed) => void;
  #welcome!: Promise<void>;

  /** Takes an open transport and begins the session. @internal */
  constructor(core: Core, transport: Transport, showing: Showing<G> = {}) {
    this.#showing = showing;
    this.#static = new StaticLoader(showing.staticCache, (core) => core === this.#core && !this.#end && this.#drain());
    this.closed = new Promise((resolve) => (this.#reportClosed = resolve));
    this.#idle = setInterval(() => this.#advanceIfIdle(), IDLE_MS);
    this.#begin(core, transport);
  }

  /** Begins the session, or begins it anew over another transport: nothing of the one before is heard any more. */
  #begin(core: Core, transport: Transport): void {
    this.#core = core;
    this.#transport = transport;
    this.#watch = new StallWatch();
    this.#welcome = new Promise((resolve, reject) => (this.#welcomed = { resolve, reject }));
    this.#welcome.catch(() => {});
    core.setLossless(transport.kind === 'websocket');
    this.#static.begin(core);
    const ifCurrent = (run: () => void) => transport === this.#transport && run();
    const take = (give: () => void) => ifCurrent(() => (this.#watch.heardStream(), this.#take(give)));
    transport.start({
      onControl: (bytes) => take(() => core.onControl(bytes, performance.now())),
      onChat: (bytes) => take(() => core.onChat(bytes)),
      onStatic: (bytes) => take(() => core.onStatic(bytes)),
      onDatagram: (bytes) => ifCurrent(() => this.#takeDatagram(bytes)),
      onClosed: (end) => ifCurrent(() => this.#onTransportClosed(end)),
    });
    this.#flush();
  }

  /** Settles with the server's welcome. @internal */
  welcomed(): Promise<void> {
    return this.#welcome;
  }

  /** What it came into the room with. @internal */
  get entrance(): Entrance {
    return this.#entrance;
  }

  /** This client's number on the server. */
  get player(): number {
    return this.#player;
  }

  /** What carries the session. */
  get transport(): TransportKind {
    return this.#transport.kind;
  }

  /** What the server is: a name and a version. */
  get server(): string {
    return this.#server;
  }

  /** The server's description of its game. */
  get schema(): Schema {
    if (!this.#schema) throw new Error('the schema is known once connect() is done');
    return this.#schema;
  }

  /** The room this client is in. Its counts are those of the moment it joined. */
  get room(): RoomInfo | undefined {
    return this.#room.info;
  }

  /** Everyone in the room by number, this client included. */
  get members(): ReadonlyMap<number, Member> {
    return this.#room.members;
  }

  /** This client as a member of the room. */
  get me(): Member | undefined {
    return this.#room.members.get(this.#player);
  }

  /** The member who may kick, if anyone may. */
  get host(): number | undefined {
    return this.#room.host;
  }

  /** Calls `listener` whenever `name` happens. The result removes it. */
  on<K extends keyof ClientEvents<G>>(name: K, listener: Listener<ClientEvents<G>[K]>): () => void {
    return this.#emitter.on(name, listener);
  }

  /** Removes a listener. */
  off<K extends keyof ClientEvents<G>>(name: K, listener: Listener<ClientEvents<G>[K]>): void {
    this.#emitter.off(name, listener);
  }

  /** Takes a seat in the room of this name, which is made by the default options if there is none, or in any with a free seat. */
  join(request: JoinRequest): Promise<Joined> {
    const { name, room, options, password = '' } = request;
    return this.#enter(request, () => this.#core.join(room, name, jsonOf(options), password));
  }

  /** Makes a room and takes a seat in it. Refused with `RoomTaken` where there is one of this name. */
  create(request: CreateRequest): Promise<Joined> {
    const { name, room, roomOptions, options } = request;
    return this.#enter(request, () => this.#core.create(room, jsonOf(roomOptions), name, jsonOf(options)));
  }

  /** Watches a room without a seat. */
  spectate(request: SpectateRequest): Promise<Joined> {
    const { name, room, password = '' } = request;
    return this.#enter(request, () => this.#core.spectate(room, name, password));
  }

  /** Gives the seat back; the session goes on. */
  leave(): Promise<void> {
    return this.#ask(() => this.#core.leave());
  }

  /** The server's rooms, those that the query says: all, the fullest first, without one. */
  listRooms(query: RoomQuery = {}): Promise<RoomList> {
    return this.#ask(() => this.#core.listRooms(query));
  }

  /** The same, and `roomsChanged` reports from then on what {@link rooms} are. One list at a time is followed. */
  subscribeRooms(query: RoomQuery = {}): Promise<RoomList> {
    this.#followed = query;
    return this.#ask(() => this.#core.subscribeRooms(query));
  }

  /** Follows the list of rooms no more. */
  unsubscribeRooms(): Promise<void> {
    this.#followed = undefined;
    return this.#ask(() => this.#core.unsubscribeRooms());
  }

  /** The list that {@link subscribeRooms} follows as it is now, in its order. */
  get rooms(): readonly RoomInfo[] {
    return this.#core.rooms();
  }

  /** Removes a member from the room. Only the host may. */
  kick(player: number, reason: string): Promise<void> {
    return this.#ask(() => this.#core.kick(player, reason));
  }

  /**
   * Asks something of the game, as a player in a room: `await client.command('Buy', { item: 3 })`. Fulfilled once a step of the
   * game had it: exactly once, and after the commands asked before. What the game makes of it shows in events and entities.
   *
   * Rejected with a {@link TickwireError} whose code is `NotInRoom`, `NotPlaying`, `CommandTooFast` or `CommandInvalid`, no
   * step will have it; if the session or its connection ended first, a step had it or not. Rejected with a `TypeError` or
   * `RangeError` for a command or field that the game does not have, a field that is missing, or a value that does not fit.
   */
  command<K extends CommandName<G>>(kind: K, ...fields: CommandFields<G, K>): Promise<void> {
    return this.#ask(() => this.#core.command(...commandRecord(this.schema.commands, kind, fields[0] ?? {}, this.#showing.schema)));
  }

  /** Holds these fields of the input from now on; those not named stay as they are: at first false, zero, the first variant, null or empty. */
  setInput(changes: Partial<G['input']>): void {
    if (this.#end || !this.#input) return;
    this.#core.setInput(this.#input.write(changes));
  }

  /** Advances the session and refreshes {@link entities}. Call it once a frame. */
  update(nowMs: number = performance.now()): void {
    if (this.#end) return;
    this.#advance(nowMs);
    if (!this.#end && this.#room.info) this.#guard(() => this.entities.read(this.#core.view()));
  }

  /**
   * The room's tick that interpolated entities are shown at, with a fraction; undefined before the first snapshot. An event
   * of a later tick has happened and is not to be seen yet.
   */
  get shownTick(): number | undefined {
    return this.#core.shownTick();
  }

  /**
   * The room's static data under a key of the game's, such as its map, as it is now: a copy, to keep. Undefined until all of it
   * is here, which `staticData` reports; `staticChanged` has what becomes of it.
   */
  staticData(key: number): Uint8Array | undefined {
    return this.#core.staticData(key);
  }

  /** How the connection does. */
  stats(): Stats {
    const { kind: transport, datagramsDropped } = this.#transport;
    return { ...this.#core.stats(performance.now()), transport, datagramsDropped };
  }

  /** Ends the session. */
  async close(): Promise<void> {
    if (this.#end) return;
    this.#core.goodbye();
    this.#flush();
    await this.#finish('Normal', textOf('Normal'));
  }

  /** `request` asks the core, and gives the number that the answer will name. */
  #ask<T>(request: () => number): Promise<T> {
    if (this.#end) return Promise.reject(new TickwireError(this.#end.code, this.#end.text));
    let number;
    try {
      number = request();
    } catch (error) {
      return Promise.reject(error as Error);
    }
    const answer = this.#requests.add<T>(number);
    this.#watch.asked();
    this.#flush();
    return answer;
  }

  #enter(entrance: Entrance, request: () => number): Promise<Joined> {
    const answer = this.#ask<Joined>(request);
    answer.then(
      () => (this.#entrance = entrance),
      () => {},
    );
    return answer;
  }

  #say({ to, text }: { to?: number; text: string }): Promise<ChatMessage> {
    return this.#ask(() => (to === undefined ? this.#core.say(text) : this.#core.tell(to, text)));
  }

  #advanceIfIdle(): void {
    const nowMs = performance.now();
    if (!this.#end && nowMs - this.#lastUpdateMs >= IDLE_MS) this.#advance(nowMs);
  }

  #advance(nowMs: number): void {
    this.#lastUpdateMs = nowMs;
    this.#guard(() => {
      this.#core.update(nowMs);
      for (;;) {
        const datagram = this.#core.takeDatagram();
        if (!datagram) break;
        this.#transport.sendDatagram(datagram);
      }
    });
    this.#drain();
    if (this.#isStalled(nowMs)) void this.#move();
  }

  #isStalled(nowMs: number): boolean {
    return this.#watch.isStalled(nowMs, this.#room.info && this.#schema?.tickHz);
  }

  /** A hidden tab gets no frames and few timers, but its datagrams must still be acknowledged. */
  #takeDatagram(bytes: Uint8Array): void {
    this.#watch.heardDatagram();
    this.#take(() => this.#core.onDatagram(bytes, performance.now()));
    this.#advanceIfIdle();
  }

  #take(give: () => void): void {
    if (this.#end) return;
    this.#guard(give);
    this.#drain();
  }

  /** Runs what reads the server's bytes: what it throws ends the session. */
  #guard(read: () => void): void {
    try {
      read();
    } catch (error) {
      const { code } = error as { code?: unknown };
      const text = error instanceof Error ? error.message : String(error);
      void this.#finish(typeof code === 'number' ? closeCodeOf(code) : 'ServerMisbehaved', text);
    }
  }

  #drain(): void {
    this.#judgePrediction();
    while (!this.#end) {
      const event = this.#core.pollEvent();
      if (!event) break;
      this.#dispatch(event);
    }
    if (this.#end) return;
    this.#static.serve(this.#core);
    this.#flush();
  }

  /** A step that failed is told once, and no other is tried. */
  #judgePrediction(): void {
    const error = this.#predictor?.error;
    if (!error) return;
    this.#predictor = undefined;
    this.#core.predictNothing();
    if (this.#emitter.has('predictionFailed')) this.#emitter.emit('predictionFailed', error);
    else report(error);
  }

  #flush(): void {
    const control = this.#core.takeControl();
    if (control.length > 0) this.#transport.sendControl(control);
    const chat = this.#core.takeChat();
    if (chat.length > 0) this.#transport.sendChat(chat);
    const asked = this.#core.takeStatic();
    if (asked.length > 0) this.#transport.sendStatic(asked);
  }

  #dispatch(event: CoreEvent): void {
    switch (event.type) {
      case 'welcome':
        return this.#onWelcome(event);
      case 'joined':
      case 'left':
      case 'removed':
      case 'memberJoined':
      case 'memberLeft':
      case 'host':
        return this.#onRoom(event);
      case 'rooms':
        return this.#requests.resolve(event.request, event);
      case 'roomsChanged':
        return this.#emitter.emit('roomsChanged', event.rooms);
      case 'done':
        return this.#requests.resolve(event.request);
      case 'refused':
      case 'chatRefused':
        this.#requests.refuse(event.request, event);
        return this.#leaving ? undefined : this.#emitter.emit('refused', event);
      case 'notice':
        return this.#emitter.emit('notice', event.text);
      case 'goodbye':
      case 'over':
        return void this.#finish(closeCodeOf(event.code), event.text);
      case 'chat':
        if (event.from === this.#player) this.#requests.resolve(event.request, event);
        return this.#emitter.emit('message', event);
      case 'chatNotice':
        return this.#emitter.emit('chatNotice', event);
      case 'staticData':
        return this.#emitter.emit('staticData', event);
      case 'staticChanged':
        return this.#emitter.emit('staticChanged', event);
      case 'event':
      case 'cancelled':
        return this.#onGameEvent(event);
    }
  }

  #onWelcome(event: CoreEvent & { type: 'welcome' }): void {
    const schema = this.#core.schema();
    if (!schema) return void this.#finish('ServerMisbehaved', 'the server sent no schema');
    this.#schema = schema;
    this.#server = event.server;
    this.#player = event.player;
    const before = this.#input;
    this.#input = new RecordWriter(schema.input, { before });
    if (before) this.#core.setInput(this.#input.write({}));
    this.entities.begin(schema.entities);
    const { predict, modes, schema: builtFor } = this.#showing;
    tellDifferences(this.#core, schema, builtFor);
    try {
      if (modes) showBy(this.#core, schema, modes);
      if (predict) this.#predictor = new Predictor(schema, predict);
    } catch (error) {
      return this.#welcomed.reject(error as TypeError);
    }
    this.#predictor?.begin(this.#core);
    this.#welcomed.resolve();
  }

  #onRoom(event: RoomEvent): void {
    const room = this.#room;
    switch (event.type) {
      case 'joined':
        room.join(event);
        this.#requests.resolve(event.request, event);
        return this.#emitter.emit('joined', event);
      case 'left':
        room.leave();
        this.entities.clear();
        this.#requests.resolve(event.request);
        return this.#emitter.emit('left', undefined);
      case 'removed':
        room.leave();
        this.entities.clear();
        return this.#emitter.emit('removed', { text: event.text });
      case 'memberJoined':
        room.members.set(event.member.player, event.member);
        return this.#emitter.emit('memberJoined', event.member);
      case 'memberLeft':
        return this.#emitter.emit('memberLeft', room.remove(event));
      case 'host':
        room.host = event.player;
        return this.#emitter.emit('host', event.player);
    }
  }

  #onGameEvent({ type, kind: number, tick, values, predicted }: CoreEvent & { type: 'event' | 'cancelled' }): void {
    const kind = this.#schema?.events[number];
    if (!kind) return;
    const event: Record<string, unknown> = { kind: kind.name, tick, predicted };
    readRecord(kind, values, 0, event);
    this.#emitter.emit(type, event as GameEvent<G>);
  }

  #onTransportClosed({ closeCode, reason }: TransportEnd): void {
    if (this.#end) return;
    const code = closeCode === undefined ? 'ConnectionLost' : closeCodeOf(closeCode);
    // Streams that are not read though datagrams come: it is the browser that stalls, not the page.
    const stalled = code === 'TooSlow' && this.#transport.kind === 'webtransport' && this.#watch.hearsDatagrams;
    const mayGoOn = this.#leaving ? this.#leaving === this.#transport && (stalled || code === 'ConnectionLost') : stalled;
    if (this.#showing.detour && mayGoOn) {
      this.#isLost = true;
      return void this.#move();
    }
    this.#core.onClosed(closeNumberOf(code), reason);
    void this.#finish(code, closeCode === undefined || reason === '' ? textOf(code) : reason);
  }

  /** Goes on over the other transport, if that comes about while this one still says nothing: then it is not the path. */
  async #move(): Promise<void> {
    const { detour } = this.#showing;
    if (!detour || this.#leaving) return;
    const old = this.#transport;
    this.#leaving = old;
    try {
      const { core, transport } = await detour(old.kind);
      if (!this.#isLost) await delay(LAST_CHANCE_MS);
      const goesOn = !this.#end && (this.#isLost || this.#isStalled(performance.now()));
      if (goesOn) await this.#goOn(core, transport);
      else void transport.close(0, 'the other transport goes on');
    } catch {
      // The other one did not come about either, and is not tried again at once.
      this.#watch = new StallWatch();
      if (this.#isLost) void this.#finish('ConnectionLost', textOf('ConnectionLost'));
    }
    this.#leaving = undefined;
    this.#isLost = false;
  }

  async #goOn(core: Core, transport: Transport): Promise<void> {
    const [old, room, me] = [this.#transport, this.room, this.me];
    this.#requests.end(new TickwireError('ConnectionLost', 'the session went on over another connection; ask again'));
    void old.close(0, 'the connection stalled').catch(() => {});
    this.#begin(core, transport);
    try {
      await inTime(this.#welcome, { timeoutMs: WELCOME_MS });
      if (room && me) await inTime(sitAgain(this, { ...me, ...this.#entrance, room: room.name }), { timeoutMs: SEAT_MS });
      if (this.#followed) void this.subscribeRooms(this.#followed);
      this.#emitter.emit('moved', { from: old.kind, to: transport.kind });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      void this.#finish('ConnectionLost', `the connection stalled, and it did not go on over another: ${why}; connect again`);
    }
  }

  async #finish(code: CloseCode, text: string): Promise<void> {
    if (this.#end) return;
    this.#end = { code, text };
    clearInterval(this.#idle);
    const error = new TickwireError(code, text);
    this.#welcomed.reject(error);
    this.#requests.end(error);
    const closing = this.#transport.close(closeNumberOf(code), text).catch(() => {});
    this.#emitter.emit('close', this.#end);
    this.#reportClosed(this.#end);
    await closing;
  }
}
