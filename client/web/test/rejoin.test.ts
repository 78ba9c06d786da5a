import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Emitter } from '../src/emitter.js';
import { TickwireError } from '../src/errors.js';
import { type CreateRequest, type JoinRequest, type SeatRequest, type SpectateRequest, takeSeat } from '../src/joining.js';
import { joinAgain } from '../src/rejoin.js';

const HOST = 'play.example:4433';

/** What a tab holds. */
class Storage {
  readonly items = new Map<string, string>();
  getItem = (key: string) => this.items.get(key) ?? null;
  setItem = (key: string, value: string) => void this.items.set(key, value);
  removeItem = (key: string) => void this.items.delete(key);
}

/** A session that is seated where it asks, unless a room is full. */
class Session {
  readonly asked: unknown[] = [];
  readonly emitter = new Emitter<{ joined: object; left: undefined; removed: object }>();
  entrance = {};
  ended = 0;
  full: string[] = [];
  taken: string[] = [];
  readonly closed = new Promise<void>(() => {});
  on = this.emitter.on.bind(this.emitter);
  close = async () => void this.ended++;
  join = (request: JoinRequest) => this.#enter('join', request, request.room ?? 'any-1', false);
  create = (request: CreateRequest) => this.#enter('create', request, request.room, false);
  spectate = (request: SpectateRequest) => this.#enter('spectate', request, request.room, true);

  async #enter(how: string, { name, room, ...entrance }: JoinRequest, into: string, spectator: boolean) {
    this.asked.push([how, name, room, entrance]);
    if (how === 'create' && this.taken.includes(into)) throw new TickwireError('RoomTaken');
    if (this.full.includes(into)) throw new TickwireError('RoomFull');
    // As the client does it: first the event, then whoever waits.
    this.emitter.emit('joined', { room: { name: into }, spectator });
    this.entrance = entrance;
  }
}

let storage: Storage;
const page = new EventTarget();

beforeEach(() => {
  storage = new Storage();
  vi.stubGlobal('sessionStorage', storage);
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
  vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page));
});

afterEach(() => vi.unstubAllGlobals());

/** A page of the tab, loaded and joined. */
async function load(request: SeatRequest, full: string[] = []) {
  const session = Object.assign(new Session(), { full });
  await joinAgain(session as never, HOST, request);
  await Promise.resolve();
  return session;
}

test('a page that is loaded anew goes back into its room, with what it came in with', async () => {
  const first = await load({ name: 'Ann' });
  expect(first.asked).toEqual([['join', 'Ann', undefined, {}]]);
  await first.join({ name: 'Ann', room: 'den', options: { team: 2 }, password: 'sesame' });
  await Promise.resolve();
  const second = await load({ name: 'Ann' });
  expect(second.asked).toEqual([['join', 'Ann', 'den', { options: { team: 2 }, password: 'sesame' }]]);
});

test('a spectator comes back to watch', async () => {
  await (await load({ name: 'Ann' })).spectate({ name: 'Ann', room: 'den' });
  await Promise.resolve();
  expect((await load({ name: 'Ann' })).asked).toEqual([['spectate', 'Ann', 'den', { password: undefined }]]);
});

test('a room that is full meanwhile is not insisted on', async () => {
  await load({ name: 'Ann', room: undefined });
  const second = await load({ name: 'Ann' }, ['any-1']).catch((error: TickwireError) => error.code);
  expect(second).toBe('RoomFull');
  await (await load({ name: 'Ann' })).join({ name: 'Ann', room: 'den' });
  await Promise.resolve();
  const third = await load({ name: 'Ann' }, ['den']);
  expect(third.asked).toMatchObject([['join', 'Ann', 'den', {}], ['join', 'Ann', undefined, {}]]);
});

test('a page that asks for another room than before gets that one', async () => {
  await (await load({ name: 'Ann', room: 'hall' })).join({ name: 'Ann', room: 'den' });
  await Promise.resolve();
  expect((await load({ name: 'Ann', room: 'attic' })).asked).toMatchObject([['join', 'Ann', 'attic', {}]]);
});

test('who left the room, or was removed, does not come back by itself', async () => {
  for (const how of ['left', 'removed'] as const) {
    const session = await load({ name: 'Ann' });
    expect(storage.items.size).toBe(1);
    session.emitter.emit(how, {} as never);
    expect(storage.items.size, how).toBe(0);
  }
});

test('a tab that holds something else, or nothing, or may not, joins as anybody', async () => {
  for (const held of ['', '{', 'null', '7', '{"room":7}']) {
    storage.items.set(`tickwire:room:${HOST}`, held);
    expect((await load({ name: 'Ann' })).asked, held).toEqual([['join', 'Ann', undefined, {}]]);
  }
  vi.stubGlobal('sessionStorage', undefined);
  expect((await load({ name: 'Ann' })).asked).toEqual([['join', 'Ann', undefined, {}]]);
});

/** A session of a page that is loaded anew while its old one still holds the name, until `freeMs`. */
function held(freeMs: number) {
  const session = new Session();
  const start = Date.now();
  const { join } = session;
  session.join = async (request: JoinRequest) => {
    if (Date.now() - start < freeMs) throw new TickwireError('NameTaken');
    await join(request);
  };
  return session;
}

test('the name is waited for while the old page still holds it, and not for ever', async () => {
  await (await load({ name: 'Ann' })).join({ name: 'Ann', room: 'den', password: 'sesame' });
  await Promise.resolve();
  vi.useFakeTimers();
  const session = held(3000);
  const back = joinAgain(session as never, HOST, { name: 'Ann' });
  await vi.advanceTimersByTimeAsync(3500);
  await back;
  expect(session.asked).toEqual([['join', 'Ann', 'den', { options: undefined, password: 'sesame' }]]);
  const other = expect(joinAgain(held(1e9) as never, HOST, { name: 'Ann' })).rejects.toMatchObject({ code: 'NameTaken' });
  await vi.advanceTimersByTimeAsync(10_000);
  await other;
  vi.useRealTimers();
});

const DUEL = { name: 'Ann', room: 'den', roomOptions: { seats: 2 }, options: { team: 'Red' }, password: 'sesame' };
const OF_DUEL = { options: DUEL.options, password: DUEL.password };

test('a room is made by its options, and joined as it is where there is one', async () => {
  const made = new Session();
  await takeSeat(made, DUEL);
  expect(made.asked).toEqual([['create', 'Ann', 'den', { roomOptions: { seats: 2 }, ...OF_DUEL }]]);
  const there = Object.assign(new Session(), { taken: ['den'] });
  await takeSeat(there, DUEL);
  expect(there.asked).toEqual([made.asked[0], ['join', 'Ann', 'den', OF_DUEL]]);
  const full = Object.assign(new Session(), { full: ['den'] });
  await expect(takeSeat(full, DUEL)).rejects.toMatchObject({ code: 'RoomFull' });
  expect(full.asked).toHaveLength(1);
});

test('a page that is loaded anew makes its room again if that has ended, and no other one', async () => {
  await load(DUEL);
  expect((await load(DUEL)).asked).toEqual([['create', 'Ann', 'den', { roomOptions: { seats: 2 }, ...OF_DUEL }]]);
  await (await load(DUEL)).join({ name: 'Ann', room: 'hall' });
  await Promise.resolve();
  expect((await load(DUEL)).asked).toMatchObject([['join', 'Ann', 'hall', {}]]);
});

test('the server is told when the page goes', async () => {
  const session = await load({ name: 'Ann' });
  page.dispatchEvent(new Event('pagehide'));
  expect(session.ended).toBe(1);
});
