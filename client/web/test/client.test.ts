import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Client } from '../src/client.js';
import type { Adopt, Core, StepOnce } from '../src/core.js';
import type { ChatHistory, ChatSent, CoreEvent } from '../src/messages.js';
import type { Modes } from '../src/modes.js';
import type { Transport, TransportHandler } from '../src/transport.js';

const SCHEMA = {
  game: 'boats',
  tickHz: 60,
  input: { name: 'Helm', fields: [{ name: 'rudder', type: 'float', components: 1 }] },
  entities: [{ name: 'Boat', fields: [{ name: 'pos', type: 'vec2', components: 2 }] }],
  events: [{ name: 'Splash', fields: [{ name: 'pos', type: 'vec2', components: 2 }] }],
  commands: [
    { name: 'Ready', fields: [] },
    {
      name: 'Trim',
      fields: [
        { name: 'sail', type: 'int', components: 1, min: 0, max: 9, step: 1 },
        { name: 'wind', type: 'vec2', components: 2 },
      ],
    },
  ],
};
const BAY = {
  name: 'bay',
  players: 2,
  playersMax: 8,
  bots: 0,
  spectators: 0,
  full: false,
  needsPassword: false,
  tags: ['eu'],
  metadata: { map: 'reef' },
};
const JOINED: CoreEvent = {
  type: 'joined',
  request: 1,
  room: BAY,
  tick: 9,
  spectator: false,
  host: 4,
  members: [
    { player: 4, name: 'Host', spectator: false, bot: false },
    { player: 7, name: 'Me', spectator: false, bot: false },
  ],
};

/** A core that says what it is told to: what a client makes of it is tested, not the protocol. */
class ScriptedCore {
  events: CoreEvent[] = [{ type: 'welcome', server: 'test', player: 7 }];
  fault: unknown;
  datagrams: Uint8Array[] = [];
  asked: string[] = [];
  requests = 0;
  flat: number[] = [];
  onControl = () => {
    if (this.fault) throw this.fault;
  };
  onChat = () => {};
  setToken = (token: string) => this.asked.push(`token ${token}`);
  onDatagram = () => {};
  wanted: Uint8Array[] = [];
  loaded: Uint8Array[] = [];
  maps = new Map<number, Uint8Array>();
  onStatic = (bytes: Uint8Array) => this.asked.push(`static ${bytes}`);
  takeStatic = () => new Uint8Array();
  onTopics = (bytes: Uint8Array) => this.asked.push(`topics ${bytes}`);
  takeTopics = () => this.topics;
  topics = new Uint8Array();
  useStaticCache = () => {};
  pollStaticWanted = () => this.wanted.shift();
  pollStaticLoaded = () => this.loaded.shift();
  giveStatic = (hash: Uint8Array, found: Uint8Array | undefined) => this.asked.push(`give ${hash[0]} ${found}`);
  staticData = (key: number) => this.maps.get(key);
  setLossless = () => {};
  onClosed = (code: number, text: string) => this.asked.push(`closed ${code} ${text}`);
  canResume = () => false;
  isReconnecting = () => false;
  takeControl = () => new Uint8Array();
  takeChat = () => new Uint8Array();
  takeDatagram = () => this.datagrams.shift();
  publishLossy = (_topic: string, _key: string, payload: Uint8Array) => void this.datagrams.push(payload);
  ask = (what: string) => {
    this.asked.push(what);
    return ++this.requests;
  };
  join = (room: string | undefined, name: string, options: string, password: string) =>
    this.ask(['join', room, name, options, password].join(' ').trimEnd());
  create = (room: string, roomOptions: string, name: string, options: string) => this.ask(`create ${room} ${roomOptions} ${name} ${options}`);
  spectate = (room: string, name: string, password: string) => this.ask(`spectate ${room} ${name} ${password}`);
  listRooms = (query: object) => this.ask(`list ${JSON.stringify(query)}`);
  subscribeRooms = (query: object) => this.ask(`subscribe ${JSON.stringify(query)}`);
  unsubscribeRooms = () => this.ask('unsubscribe');
  listed: unknown[] = [];
  rooms = () => this.listed;
  leave = () => this.ask('leave');
  kick = (player: number) => this.ask(`kick ${player}`);
  command = (kind: number, values: Float64Array) => this.ask(`command ${kind} ${values}`);
  say = (text: string) => this.ask(`say ${text}`);
  chatHistory = (before: number | undefined, count: number) => this.ask(`history ${before} ${count}`);
  publish = (topic: string, key: string, payload: Uint8Array) => this.ask(`publish ${topic} ${key} ${payload}`);
  subscribeTopics = (pattern: string) => [5, this.ask(`subscribe ${pattern}`)];
  isSubscribed = (subscription: number) => this.subscribed && subscription === 5;
  subscribed = true;
  goodbye = () => this.asked.push('goodbye');
  setInput = (values: Float64Array) => this.asked.push(`input ${values}`);
  rules: { adopt: Adopt; step: StepOnce } | undefined;
  predictBy = (adopt: Adopt, step: StepOnce) => (this.rules = { adopt, step });
  showBy = (kind: string, mode: string, ticksMax: number) => this.asked.push(`show ${kind} by ${mode} ${ticksMax}`);
  predictNothing = () => (this.rules = undefined);
  update = () => {};
  pollEvent = () => this.events.shift();
  schema = () => SCHEMA;
  view = () => this.flat;
}

class Pipe {
  kind = 'webtransport';
  datagramsDropped = 0;
  handler!: TransportHandler;
  sent: Uint8Array[] = [];
  closes: string[] = [];
  start = (handler: TransportHandler) => (this.handler = handler);
  sendControl = () => {};
  sendChat = () => {};
  sendStatic = () => {};
  sendTopics = (bytes: Uint8Array) => this.topics.push(...bytes);
  topics: number[] = [];
  sendDatagram = (bytes: Uint8Array) => this.sent.push(bytes);
  close = async (code: number, reason: string) => void this.closes.push(`${code} ${reason}`);
}

let core: ScriptedCore;
let pipe: Pipe;
let client: Client;

beforeEach(() => {
  vi.useFakeTimers();
  core = new ScriptedCore();
  pipe = new Pipe();
  client = new Client(core as unknown as Core, pipe as unknown as Transport);
  say();
});

afterEach(() => vi.useRealTimers());

/** Another client, which the server has welcomed, with what its author asks for. */
function withShowing(showing: ConstructorParameters<typeof Client>[2]) {
  const core = new ScriptedCore();
  const client = new Client(core as unknown as Core, new Pipe() as unknown as Transport, showing);
  client.update(1);
  return { core, client };
}

/** The server says these. */
function say(...events: CoreEvent[]): void {
  core.events.push(...events);
  pipe.handler.onControl(new Uint8Array(1));
}

test('a seat gives the room and its members', async () => {
  const seat = client.join({ name: 'Me', room: 'bay' });
  say(JOINED);
  expect((await seat).room.name).toBe('bay');
  expect(core.asked).toEqual(['join bay Me']);
  expect(client.me?.name).toBe('Me');
  expect([...client.members.keys()]).toEqual([4, 7]);
  expect(client.host).toBe(4);
});

test('options are sent as JSON, and a password with them', async () => {
  void client.join({ name: 'Me', room: 'bay', options: { team: 'red' }, password: 'sesame' });
  void client.create({ name: 'Me', room: 'cove', roomOptions: { map: 'reef' }, options: null });
  void client.spectate({ name: 'Me', room: 'bay', password: 'sesame' });
  expect(core.asked).toEqual(['join bay Me {"team":"red"} sesame', 'create cove {"map":"reef"} Me null', 'spectate bay Me sesame']);
  await expect(client.join({ name: 'Me', options: () => {} })).rejects.toThrow(TypeError);
});

test("a refusal by the game has the game's own code and text", async () => {
  const refused: unknown[] = [];
  client.on('refused', ({ code, gameCode, text }) => refused.push([code, gameCode, text]));
  const seat = client.join({ name: 'Me', room: 'bay' });
  say({ type: 'refused', request: 1, code: 'ByGame', gameCode: 7, text: 'this team has five players' });
  await expect(seat).rejects.toMatchObject({ code: 'ByGame', gameCode: 7, message: 'this team has five players' });
  expect(refused).toEqual([['ByGame', 7, 'this team has five players']]);
});

test('rooms are listed by a query, and followed', async () => {
  const told: unknown[] = [];
  client.on('roomsChanged', (rooms) => told.push(rooms));
  const list = client.listRooms({ tag: 'eu', hasSeat: true });
  const followed = client.subscribeRooms({ order: 'name' });
  say({ type: 'rooms', request: 1, rooms: [BAY], found: 3 }, { type: 'rooms', request: 2, rooms: [], found: 0 });
  expect(await list).toMatchObject({ rooms: [BAY], found: 3 });
  expect(await followed).toMatchObject({ rooms: [] });
  core.listed = [BAY];
  say({ type: 'roomsChanged', rooms: [BAY] });
  expect([told, client.rooms]).toEqual([[[BAY]], [BAY]]);
  void client.unsubscribeRooms();
  expect(core.asked).toEqual(['list {"tag":"eu","hasSeat":true}', 'subscribe {"order":"name"}', 'unsubscribe']);
});

test('what happens with the answer that a page waits for is told to listeners that it adds then', async () => {
  const heard: string[] = [];
  client.holdEvents();
  const seat = client.join({ name: 'Me', room: 'bay' });
  // Node reads several messages of a WebSocket before any promise settles.
  say(JOINED, { type: 'event', kind: 0, tick: 12, values: [3, 4], predicted: true });
  await seat;
  client.releaseEvents();
  client.on('event', ({ kind, tick }) => heard.push(`${kind} ${tick}`));
  client.on('notice', (text) => heard.push(text));
  say({ type: 'notice', text: 'after it' });
  vi.runOnlyPendingTimers();
  expect(heard).toEqual(['Splash 12', 'after it']);
});

test('who comes and goes is known and told', () => {
  const told: string[] = [];
  client.on('memberJoined', ({ name }) => told.push(`+${name}`));
  client.on('memberLeft', ({ name, code }) => told.push(`-${name} ${code}`));
  client.on('host', (player) => told.push(`host ${player}`));
  const guest = { player: 9, name: 'Guest', spectator: true, bot: false };
  say(JOINED, { type: 'memberJoined', member: guest }, { type: 'memberLeft', player: 4, code: 15 }, { type: 'host', player: 7 });
  expect(told).toEqual(['+Guest', '-Host ConnectionLost', 'host 7']);
  expect([...client.members.keys()]).toEqual([7, 9]);
});

test('a member whose connection was lost is away until it is back', () => {
  const told: unknown[] = [];
  client.on('memberAway', ({ name, away }) => told.push(['away', name, away]));
  client.on('memberBack', ({ name, away }) => told.push(['back', name, away]));
  say(JOINED);
  const before = client.members.get(4);
  say({ type: 'memberAway', player: 4 });
  expect([client.members.get(4)?.away, before?.away]).toEqual([true, undefined]);
  say({ type: 'memberBack', player: 4 });
  expect(client.members.get(4)).toEqual({ ...before, away: false });
  expect(told).toEqual([
    ['away', 'Host', true],
    ['back', 'Host', false],
  ]);
  say({ type: 'memberAway', player: 99 });
  expect([...client.members.keys()], 'nobody comes in by going away').not.toContain(99);
});

test('an update sends every datagram and shows what is seen', () => {
  say(JOINED);
  core.datagrams = [new Uint8Array([1]), new Uint8Array([2])];
  core.flat = [7, 7, 0, 1, 0.25, 10, 20];
  client.update(100);
  expect(pipe.sent.map(([first]) => first)).toEqual([1, 2]);
  expect(client.entities.mine('Boat')).toEqual({ id: 7, kind: 'Boat', mine: true, presence: 0.25, pos: { x: 10, y: 20 } });
});

test('a client that nobody updates keeps the session alive', () => {
  core.datagrams = [new Uint8Array([1])];
  vi.advanceTimersByTime(200);
  expect(pipe.sent).toHaveLength(1);
});

test('an event of the game has its name and fields', () => {
  const [events, cancelled]: [unknown[], unknown[]] = [[], []];
  client.on('event', (event) => events.push(event));
  client.on('cancelled', (event) => cancelled.push(event));
  say({ type: 'event', kind: 0, tick: 12, values: [3, 4], predicted: true });
  const splash = { kind: 'Splash', tick: 12, predicted: true, pos: { x: 3, y: 4 } };
  expect(events).toEqual([splash]);
  expect(cancelled).toEqual([]);
  say({ type: 'cancelled', kind: 0, tick: 12, values: [3, 4], predicted: true });
  expect([events, cancelled]).toEqual([[splash], [splash]]);
});

test("chat settles with the message as it was stamped, not with someone else's", async () => {
  const sent = client.chat.send('ahoy');
  // Numbers are each client's own: another's message may have the same.
  const message = { type: 'chat' as const, request: 1, id: 1, timeMs: 5, name: 'x', text: 'ahoy' };
  say({ ...message, from: 4 }, { ...message, id: 2, from: 7 });
  expect((await sent).id).toBe(2);
  const refused = client.chat.send('ahoy ahoy');
  say({ type: 'chatRefused', request: 2, code: 'ChatTooFast', text: 'wait' });
  await expect(refused).rejects.toMatchObject({ code: 'ChatTooFast', message: 'wait' });
});

test('earlier messages come by a promise where asked for, and by an event after a join', async () => {
  const joined: ChatHistory[] = [];
  client.on('chatHistory', (history) => joined.push(history));
  const message = { request: 0, id: 8, timeMs: 5, from: 4, name: 'x', text: 'ahoy' };
  const page = { type: 'chatHistory' as const, room: 'bay', messages: [message], hasOlder: true };
  say({ ...page, request: undefined });
  expect(joined).toMatchObject([{ room: 'bay', messages: [{ id: 8, text: 'ahoy' }], hasOlder: true }]);
  const asked = client.chat.history({ before: 8, count: 1e9 });
  expect(core.asked.at(-1)).toBe('history 8 200');
  say({ ...page, request: 1, messages: [], hasOlder: false });
  expect(await asked).toMatchObject({ messages: [], hasOlder: false });
  void client.chat.history();
  expect(core.asked.at(-1)).toBe('history undefined 50');
  const refused = client.chat.history();
  say({ type: 'chatRefused', request: 3, code: 'Busy', text: 'ask again later' });
  await expect(refused).rejects.toMatchObject({ code: 'Busy' });
  expect(joined).toHaveLength(1);
});

test('the server tells of each own message whether it is saved', () => {
  const sent: ChatSent[] = [];
  client.on('chatSent', (event) => sent.push(event));
  say({ type: 'chatSent', request: 1, id: 8, isSaved: true }, { type: 'chatSent', request: 2, id: 9, isSaved: false });
  expect(sent).toMatchObject([{ id: 8, isSaved: true }, { id: 9, isSaved: false }]);
});

test('a message that may be lost goes at once, by a datagram', () => {
  client.topics.publishLossy('a', new Uint8Array([7]), { key: 'k' });
  expect(pipe.sent).toEqual([new Uint8Array([7])]);
});

test('topics have a stream of their own, and answers as other requests do', async () => {
  const number = client.topics.publish('a', new Uint8Array([1, 2]), { key: 'k' });
  const subscription = client.topics.subscribe('a/*');
  expect(core.asked).toEqual(['publish a k 1,2', 'subscribe a/*']);
  core.topics = new Uint8Array([4, 9]);
  client.update(1);
  expect(pipe.topics).toEqual([4, 9]);
  say({ type: 'published', request: 1, sequence: 7 }, { type: 'done', request: 2 });
  expect(await number).toBe(7);
  await subscription.ready;
  const heard: unknown[] = [];
  subscription.on('message', (message) => heard.push(message.text()));
  const of = { subscription: 5, topic: 'a/b' };
  core.events.push({ type: 'topicFollowed', ...of, epoch: '3', after: 0, isContinued: false });
  core.events.push({ type: 'topicMessage', ...of, sequence: 1, timeMs: 5, from: 7, kind: 'value', key: '', payload: new Uint8Array([104, 105]) });
  pipe.handler.onTopics(new Uint8Array([8]));
  expect([heard, core.asked.at(-1)]).toEqual([['hi'], 'topics 8']);
});

test('a refusal ends the subscription that it is of, and the end of the session all', async () => {
  const refused = client.topics.subscribe('a/*');
  const ends: unknown[] = [];
  refused.on('end', (error) => ends.push(error?.code));
  say({ type: 'refused', request: 9, code: 'TopicForbidden', text: 'another request' });
  expect(ends).toEqual([]);
  core.subscribed = false;
  say({ type: 'refused', request: 1, code: 'TopicForbidden', text: 'not this one' });
  expect(ends).toEqual(['TopicForbidden']);
  core.subscribed = true;
  client.topics.subscribe('a').on('end', (error) => ends.push(error?.code));
  say({ type: 'goodbye', code: 1, text: 'back soon' });
  expect(ends).toEqual(['TopicForbidden', 'ServerStopping']);
});

test('two leaves at once are each answered', async () => {
  say(JOINED);
  const [first, second] = [client.leave(), client.leave()];
  say({ type: 'left', request: 1 }, { type: 'refused', request: 2, code: 'NotInRoom', text: 'you are in no room' });
  await expect(first).resolves.toBeUndefined();
  await expect(second).rejects.toMatchObject({ code: 'NotInRoom' });
});

test('a kick is done when its answer says so, not when its player left', async () => {
  say(JOINED);
  const kick = client.kick(4, 'rude');
  const settled = vi.fn();
  kick.finally(settled).catch(() => {});
  say({ type: 'memberLeft', player: 4, code: 0 });
  await Promise.resolve();
  expect(settled).not.toHaveBeenCalled();
  say({ type: 'refused', request: 1, code: 'NoSuchPlayer', text: 'gone' });
  await expect(kick).rejects.toMatchObject({ code: 'NoSuchPlayer' });
});

test('who is removed is told why, is in no room any more, and may join another', async () => {
  say(JOINED);
  core.flat = [7, 7, 0, 1, 0.25, 10, 20];
  client.update(100);
  const told = vi.fn();
  client.on('removed', told);
  say({ type: 'removed', text: 'you were removed from the room by its host: rude' });
  expect(told).toHaveBeenCalledWith({ text: 'you were removed from the room by its host: rude' });
  expect([client.room, client.me, client.host, client.entities.mine('Boat')]).toEqual([undefined, undefined, undefined, undefined]);
  const again = client.join({ name: 'Me', room: 'cove' });
  say({ ...JOINED, request: 1 });
  expect((await again).room.name).toBe('bay');
});

test('a goodbye ends the session once, with its code and text, whatever the transport says after', async () => {
  const waiting = client.join({ name: 'Me' });
  const ends: unknown[] = [];
  client.on('close', (closed) => ends.push(closed));
  say({ type: 'goodbye', code: 1, text: 'back soon' });
  pipe.handler.onClosed({ reason: 'connection lost' });
  expect(ends).toEqual([{ code: 'ServerStopping', text: 'back soon' }]);
  expect(await client.closed).toEqual(ends[0]);
  expect(pipe.closes).toEqual(['1 back soon']);
  await expect(waiting).rejects.toMatchObject({ code: 'ServerStopping' });
  await expect(client.listRooms()).rejects.toMatchObject({ code: 'ServerStopping' });
});

test('a transport that ends without a word is a lost connection', async () => {
  pipe.handler.onClosed({ reason: 'whatever a browser says' });
  expect(await client.closed).toEqual({ code: 'ConnectionLost', text: 'the connection was lost; connect again' });
});

test('what the core cannot read ends the session with the code it names', async () => {
  core.fault = Object.assign(new Error('a frame of protocol version 9'), { code: 3 });
  say();
  expect(await client.closed).toEqual({ code: 'VersionMismatch', text: 'a frame of protocol version 9' });
  expect(pipe.closes).toEqual(['3 a frame of protocol version 9']);
});

test('closing says goodbye, and nothing is sent after it', async () => {
  await client.close();
  expect(core.asked).toEqual(['goodbye']);
  expect(pipe.closes).toEqual(['0 goodbye']);
  core.datagrams = [new Uint8Array([1])];
  client.update();
  client.setInput({ rudder: 1 });
  vi.advanceTimersByTime(1000);
  expect(pipe.sent).toEqual([]);
  expect(core.asked).toEqual(['goodbye']);
});

test('a step that fails is told once, and the session goes on without it', () => {
  const steps = {
    Boat: () => {
      throw new Error('no wind');
    },
  };
  const { core, client: sailor } = withShowing({ predict: steps });
  core.events.push(JOINED);
  sailor.update(2);
  const told = vi.fn();
  sailor.on('predictionFailed', told);
  const run = () => {
    const boat = core.rules?.adopt(0, new Float64Array(2), undefined) as Record<string, unknown>;
    core.rules?.step(0, boat, new Float64Array(1), new Float64Array(2), new Float64Array(), []);
  };
  core.update = run;
  for (let frame = 3; frame < 6; frame++) sailor.update(frame);
  expect(told).toHaveBeenCalledTimes(1);
  expect(told.mock.calls[0]![0]).toMatchObject({ code: 'StepFailed' });
  expect(core.rules).toBeUndefined();
  expect(sailor.room?.name).toBe('bay');
  void sailor.close();
});

test('a step for a kind that the game does not have is refused as soon as the game is known', async () => {
  const steps = { Bote: () => {} };
  const { client: sailor } = withShowing({ predict: steps as never });
  await expect(sailor.welcomed()).rejects.toThrow('"Bote"');
  void sailor.close();
});

test('modes are given to the core once the game is known; half a second is the bound', async () => {
  const { core, client: sailor } = withShowing({ modes: { Boat: 'extrapolate' } });
  await sailor.welcomed();
  expect(core.asked).toEqual(['show Boat by extrapolate 30']);
  void sailor.close();
});

test.each([
  [{ Bote: 'extrapolate' }, '"Bote"'],
  [{ Boat: 'reckon' }, '"reckon"'],
  [{ Boat: { mode: 'extrapolate', ticksMax: -1 } }, 'ticksMax'],
])('a mode that cannot be is refused as soon as the game is known: %j', async (modes, why) => {
  const { client: sailor } = withShowing({ modes: modes as Modes });
  await expect(sailor.welcomed()).rejects.toThrow(why);
  void sailor.close();
});

test('without another way, a stall changes nothing', async () => {
  say(JOINED);
  await vi.advanceTimersByTimeAsync(20_000);
  expect([client.transport, pipe.closes]).toEqual(['webtransport', []]);
});

test('what is asked after the end is refused, and need not be awaited', async () => {
  await client.close();
  // A rejection that nobody handles fails the run.
  void client.topics.publish('a', 'too late');
  void client.leave();
  await expect(client.topics.publish('a', 'too late')).rejects.toMatchObject({ code: 'Normal' });
});
