import { Asking } from './asking.js';
import { Chat } from './chat.js';
import type { Core, MoveOutcome } from './core.js';
import { Emitter, type Listener, report } from './emitter.js';
import { type AnyGame, Entities, type Game } from './entities.js';
import { type CloseCode, TickwireError, closeCodeOf, closeNumberOf, textOf } from './errors.js';
import type { ClientEvents, Stats } from './events.js';
import { type Listening, listen } from './listening.js';
import type { ChatMessage, Closed, CoreEvent, Member, RoomInfo } from './messages.js';
import { Reconnector } from './reconnect.js';
import { Requests, refused } from './requests.js';
import { Room, type RoomEvent } from './room.js';
import type { Schema } from './schema.js';
import type { BuiltFor, Showing } from './showing.js';
import { StallWatch } from './stall.js';
import { StaticLoader } from './static-data.js';
import { Steering } from './steering.js';
import { Topics } from './topics.js';
import type { Transport, TransportEnd, TransportKind } from './transport.js';
import { Upgrader } from './upgrade.js';

/** How long nothing may call `update()` before the client does it itself, as in a hidden tab. */
const IDLE_MS = 50;
/** How long a WebSocket may bring nothing outside of a room before something is asked for. */
const QUIET_MS = 10_000;
/** Rooms that there are none of: their list is always short. */
const NO_ROOMS = { namePrefix: '-none-', tag: '-none-' };

/**
 * A session on a tickwire server. Made by `connect()`.
 *
 * Call {@link update} once a frame; everything else is events, promises and values to read.
 */
export class Client<G extends Game = AnyGame> extends Asking<G> {
  /** What is seen, as of the last {@link update}. */
  readonly entities = new Entities<G>();
  /** Sends chat. */
  readonly chat = new Chat(
    (request) => this.#say(request),
    (before, count) => this.ask((core) => core.chatHistory(before, count)),
  );
  /** Publishes to the server's topics, and subscribes to them. */
  readonly topics: Topics;
  /** Settles when the session is over, always with why. */
  readonly closed: Promise<Closed>;

  readonly #core: Core;
  #transport!: Transport;
  readonly #emitter = new Emitter<ClientEvents<G>>();
  readonly #requests = new Requests();
  readonly #room = new Room();
  readonly #static: StaticLoader;
  readonly #steering: Steering<G>;
  readonly #reconnector: Reconnector;
  readonly #upgrader: Upgrader;
  readonly #listening: Listening;
  readonly #idle: ReturnType<typeof setInterval>;
  #server = '';
  #player = 0;
  #end: Closed | undefined;
  #watch = new StallWatch();
  #lastUpdateMs = performance.now();
  #welcomed!: { resolve: () => void; reject: (error: Error) => void };
  #reportClosed!: (closed: Closed) => void;
  readonly #welcome: Promise<void>;

  /** Takes an open transport and begins the session. @internal */
  constructor(core: Core, transport: Transport, showing: Showing<G> = {}) {
    super();
    this.#core = core;
    this.#steering = new Steering(showing);
    this.#static = new StaticLoader(showing.staticCache, () => !this.#end && this.#drain());
    this.topics = new Topics({ core, ask: (request) => this.ask(request), send: (write) => this.#send(write) });
    const current = { core, transport: () => this.#transport };
    this.#reconnector = new Reconnector(showing.ways, {
      ...current,
      isStalled: () => this.#isStalled(performance.now()),
      silentMs: () => this.#watch.silentMs,
      excuse: () => this.#watch.excuse(),
      carry: (transport) => this.#carry(transport),
    });
    this.#upgrader = new Upgrader(showing.ways?.upgrade, {
      ...current,
      isSettled: () => !!this.#room.info && !core.isReconnecting() && this.#watch.isSettled(this.schema.tickHz),
      listen: (transport) => listen(transport, this.#listening),
      keep: (transport) => this.#reconnector.keep(transport),
      lost: () => this.#reconnector.lost(),
    });
    this.#listening = {
      core,
      role: (transport) => (transport === this.#transport ? 'current' : transport === this.#upgrader.next ? 'next' : undefined),
      heardStream: () => this.#watch.heardStream(),
      take: (give) => this.#take(give),
      takeDatagram: (bytes) => this.#takeDatagram(bytes),
      moves: (outcome) => this.#onMove(outcome),
      closed: (end) => this.#onTransportClosed(end),
      nextClosed: () => this.#upgrader.ended(),
    };
    this.closed = new Promise((resolve) => (this.#reportClosed = resolve));
    this.#welcome = new Promise((resolve, reject) => (this.#welcomed = { resolve, reject }));
    this.#welcome.catch(() => {});
    this.#idle = setInterval(() => this.#advanceIfIdle(), IDLE_MS);
    this.#static.begin(core);
    this.#carry(transport);
  }

  /** Carries the session over a transport: nothing of the one before is heard any more. */
  #carry(transport: Transport): void {
    const core = this.#core;
    this.#transport = transport;
    this.#watch = new StallWatch();
    if (core.isReconnecting()) this.#watch.asked();
    core.setLossless(transport.kind === 'websocket');
    listen(transport, this.#listening);
    this.#flush();
  }

  /** Goes on over the new transport, if the server does. */
  #onMove(outcome: MoveOutcome): void {
    const next = this.#upgrader.take(outcome);
    if (!next) return;
    const old = this.#transport;
    this.#transport = next;
    this.#reconnector.resumed();
    this.#watch = new StallWatch(true);
    // What is asked again is answered on a stream.
    if (this.#requests.areAny) this.#watch.asked();
    this.#core.setLossless(false);
    void old.close(0, 'the session goes on over another connection').catch(() => {});
  }

  /** Keeps events, but for the answers to what `connect()` asks: whoever will listen does not have the client yet. @internal */
  holdEvents(): void {
    this.#emitter.hold('joined', 'refused');
  }

  /** Tells of the events that were kept, after whoever gets the client in this task has had its turn to listen. @internal */
  releaseEvents(): void {
    this.#emitter.hold();
    setTimeout(() => this.#emitter.release());
  }

  /** Settles with the server's welcome. @internal */
  welcomed(): Promise<void> {
    return this.#welcome;
  }

  /** This client's number on the server. */
  get player(): number {
    return this.#player;
  }

  /** What carries the session. */
  get transport(): TransportKind {
    return this.#transport.kind;
  }

  /** Whether its connection is lost, and another one is tried. */
  get isReconnecting(): boolean {
    return !this.#end && this.#core.isReconnecting();
  }

  /** What the server is: a name and a version. */
  get server(): string {
    return this.#server;
  }

  /** The server's description of its game. */
  get schema(): Schema {
    const { schema } = this.#steering;
    if (!schema) throw new Error('the schema is known once connect() is done');
    return schema;
  }

  /**
   * One sentence for the author: in what the page, its `schema` or its `core`, is of other rules than the server, and what to do.
   * Undefined if all is of the same rules.
   */
  get difference(): string | undefined {
    return this.#steering.difference;
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

  /** Holds these fields of the input from now on; those not named stay as they are: at first false, zero, the first variant, null or empty. */
  setInput(changes: Partial<G['input']>): void {
    if (!this.#end) this.#steering.hold(this.#core, changes);
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

  /** @internal */
  protected override ask<T>(request: (core: Core) => number): Promise<T> {
    if (this.#end) return refused(new TickwireError(this.#end.code, this.#end.text));
    let number;
    try {
      number = request(this.#core);
    } catch (error) {
      return refused(error as Error);
    }
    const answer = this.#requests.add<T>(number);
    this.#watch.asked();
    this.#flush();
    return answer;
  }

  /** @internal */
  protected override get builtFor(): BuiltFor | undefined {
    return this.#steering.builtFor;
  }

  /** @internal */
  protected override roomsNow(): readonly RoomInfo[] {
    return this.#core.rooms();
  }

  #say({ to, text }: { to?: number; text: string }): Promise<ChatMessage> {
    return this.ask((core) => (to === undefined ? core.say(text) : core.tell(to, text)));
  }

  #advanceIfIdle(): void {
    const nowMs = performance.now();
    if (!this.#end && nowMs - this.#lastUpdateMs >= IDLE_MS) this.#advance(nowMs);
  }

  #advance(nowMs: number): void {
    this.#lastUpdateMs = nowMs;
    this.#guard(() => {
      this.#core.update(nowMs);
      this.#sendDatagrams();
    });
    this.#drain();
    if (this.#end) return;
    this.#upgrader.advance(nowMs);
    this.#reconnector.advance();
    this.#probe();
  }

  /**
   * Asks for something on a WebSocket that brings nothing outside of a room: a page hears of a path that is gone by nothing but an
   * answer that does not come.
   */
  #probe(): void {
    const isQuiet = this.#transport.kind === 'websocket' && !this.#room.info && this.#watch.quietMs >= QUIET_MS;
    if (isQuiet && !this.#end && !this.#core.isReconnecting()) this.listRooms(NO_ROOMS).catch(() => {});
  }

  #sendDatagrams(): void {
    for (let datagram = this.#core.takeDatagram(); datagram; datagram = this.#core.takeDatagram()) this.#transport.sendDatagram(datagram);
  }

  /** Writes a datagram and sends it; nothing after the session's end. */
  #send<T>(write: (core: Core) => T): T | undefined {
    if (this.#end) return undefined;
    const written = write(this.#core);
    this.#guard(() => this.#sendDatagrams());
    return written;
  }

  #isStalled(nowMs: number): boolean {
    return this.#watch.isStalled(nowMs, this.#room.info && this.#steering.schema?.tickHz);
  }

  /** A hidden tab gets no frames and few timers, but its datagrams must still be acknowledged. */
  #takeDatagram(bytes: Uint8Array): void {
    this.#watch.heardDatagram();
    this.#upgrader.heardDatagram();
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
    const error = this.#steering.takeFailure(this.#core);
    if (error) this.#emitter.emit('predictionFailed', error, report);
  }

  #flush(): void {
    const control = this.#core.takeControl();
    if (control.length > 0) this.#transport.sendControl(control);
    const chat = this.#core.takeChat();
    if (chat.length > 0) this.#transport.sendChat(chat);
    // Until the server has said that it goes on, nothing else is sent.
    if (this.#core.isReconnecting()) return;
    const asked = this.#core.takeStatic();
    if (asked.length > 0) this.#transport.sendStatic(asked);
    const topics = this.#core.takeTopics();
    if (topics.length > 0) this.#transport.sendTopics(topics);
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
      case 'memberAway':
      case 'memberBack':
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
        this.topics.judge(event);
        return this.#emitter.emit('refused', event);
      case 'notice':
        return this.#emitter.emit('notice', event.text);
      case 'resumed':
        return this.#onResumed(event);
      case 'moved':
        return this.#emitter.emit('moved', { from: 'websocket', to: this.transport });
      case 'goodbye':
      case 'over':
        return void this.#finish(closeCodeOf(event.code), event.text);
      case 'chat':
        if (event.from === this.#player) this.#requests.resolve(event.request, event);
        return this.#emitter.emit('message', event);
      case 'chatHistory':
        if (event.request === undefined) return this.#emitter.emit('chatHistory', event);
        return this.#requests.resolve(event.request, event);
      case 'published':
        return this.#requests.resolve(event.request, event.sequence);
      case 'topicFollowed':
      case 'topicMessage':
      case 'topicMissed':
      case 'topicsEnded':
        return this.topics.take(event);
      case 'reconnecting':
      case 'chatNotice':
      case 'chatSent':
      case 'staticData':
      case 'staticChanged':
        return this.#emitter.emit(event.type, event as never);
      case 'event':
      case 'cancelled':
        return this.#onGameEvent(event);
    }
  }

  #onWelcome(event: CoreEvent & { type: 'welcome' }): void {
    const schema = this.#core.schema();
    if (!schema) return void this.#finish('ServerMisbehaved', 'the server sent no schema');
    this.#server = event.server;
    this.#player = event.player;
    this.entities.begin(schema.entities);
    try {
      this.#steering.begin(this.#core, schema);
    } catch (error) {
      return this.#welcomed.reject(error as TypeError);
    }
    this.#welcomed.resolve();
  }

  #onRoom(event: RoomEvent): void {
    const [name, value] = this.#room.take(event);
    if (!this.#room.info) this.entities.clear();
    // A restarted server tells of the room unasked.
    if ('request' in event && event.request !== undefined) this.#requests.resolve(event.request, value);
    this.#emitter.emit(name, value as never);
  }

  #onGameEvent(told: CoreEvent & { type: 'event' | 'cancelled' }): void {
    const event = this.#steering.event(told);
    if (event) this.#emitter.emit(told.type, event);
  }

  #onResumed(event: CoreEvent & { type: 'resumed' }): void {
    const from = this.#reconnector.resumed();
    // What is asked again is answered on a stream.
    if (this.#requests.areAny) this.#watch.asked();
    this.#emitter.emit('resumed', event);
    const to = this.transport;
    if (from && from !== to) this.#emitter.emit('moved', { from, to });
  }

  #onTransportClosed({ closeCode, reason }: TransportEnd): void {
    if (this.#end) return;
    const code = closeCode === undefined ? 'ConnectionLost' : closeCodeOf(closeCode);
    if (code === 'ConnectionLost' && this.#reconnector.lose()) return this.#drain();
    this.#core.onClosed(closeNumberOf(code), reason);
    void this.#finish(code, closeCode === undefined || reason === '' ? textOf(code) : reason);
  }

  async #finish(code: CloseCode, text: string): Promise<void> {
    if (this.#end) return;
    this.#end = { code, text };
    clearInterval(this.#idle);
    this.#reconnector.end();
    this.#upgrader.end(closeNumberOf(code), text);
    const error = new TickwireError(code, text);
    this.#welcomed.reject(error);
    this.#requests.end(error);
    this.topics.end(error);
    const closing = this.#transport.close(closeNumberOf(code), text).catch(() => {});
    this.#emitter.emit('close', this.#end);
    this.#reportClosed(this.#end);
    await closing;
  }
}
