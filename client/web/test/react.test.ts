// @vitest-environment happy-dom
import { StrictMode, act, createElement, useState } from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { connect, type ConnectOptions } from '../src/connect.js';
import { Emitter } from '../src/emitter.js';
import { TickwireError } from '../src/errors.js';
import { type Session, useFrame, useTickwire } from '../src/react.js';

vi.mock('../src/connect.js', () => ({ connect: vi.fn() }));

/** A session that is in a room, alone at first. */
class Seated {
  readonly emitter = new Emitter<Record<string, unknown>>();
  readonly on = this.emitter.on.bind(this.emitter);
  readonly members = new Map([[1, { player: 1, name: 'Ann', spectator: false }]]);
  readonly room = { name: 'den' };
  updates = 0;
  isClosed = false;
  isReconnecting = false;
  end!: (closed: object) => void;
  readonly closed = new Promise((resolve) => (this.end = resolve));
  update = () => void this.updates++;
  close = async () => {
    this.isClosed = true;
    this.end({ code: 'Normal', text: 'bye' });
  };
}

let clients: Seated[];
let signals: (AbortSignal | undefined)[];
let root: Root;
let seen: Session[];
let rename: (name: string) => void;

function Player({ draw }: { draw?: () => void }) {
  const [name, setName] = useState('Ann');
  rename = setName;
  const session = useTickwire('https://play.example/', { name });
  useFrame(session.client, draw);
  seen.push(session);
  return `${session.status} ${session.room?.name ?? ''} ${[...session.members.values()].map(({ name }) => name)} ${session.error?.code ?? ''}`.trim();
}

beforeEach(() => {
  vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true);
  [clients, signals, seen] = [[], [], []];
  vi.mocked(connect).mockReset();
  vi.mocked(connect).mockImplementation((async (_: string, { signal }: ConnectOptions) => {
    signals.push(signal);
    const client = new Seated();
    clients.push(client);
    return client;
  }) as never);
  root = createRoot(document.body.appendChild(document.createElement('main')));
});

afterEach(async () => {
  await act(async () => root.unmount());
  document.body.innerHTML = '';
});

const settle = () => act(() => new Promise((done) => setTimeout(done, 5)));
const text = () => document.body.textContent;

async function show(draw?: () => void) {
  await act(async () => root.render(createElement(StrictMode, null, createElement(Player, draw ? { draw } : {}))));
  await settle();
}

test('StrictMode mounts twice and leaves one session, which is open', async () => {
  await show();
  expect(connect).toHaveBeenCalledTimes(1);
  expect(clients[0]!.isClosed).toBe(false);
  expect(text()).toBe('open den Ann');
});

test('who comes and goes is rendered, with a new object each time', async () => {
  await show();
  const before = seen.at(-1)!;
  const [client] = clients as [Seated];
  await act(async () => {
    client.members.set(2, { player: 2, name: 'Bob', spectator: false });
    client.emitter.emit('memberJoined', client.members.get(2));
  });
  expect(text()).toBe('open den Ann,Bob');
  expect(seen.at(-1)).not.toBe(before);
  expect(before.members.size).toBe(1);
});

test.each(['memberAway', 'memberBack', 'moved'])('%s is rendered', async (event) => {
  await show();
  const [client] = clients as [Seated];
  const before = seen.at(-1)!;
  await act(async () => client.emitter.emit(event, {}));
  expect(seen.at(-1)).not.toBe(before);
});

test('a connection that is lost is rendered, with the client, until the session goes on', async () => {
  await show();
  const [client] = clients as [Seated];
  const tell = (event: string, isReconnecting: boolean) =>
    act(async () => {
      client.isReconnecting = isReconnecting;
      client.emitter.emit(event, {});
    });
  await tell('reconnecting', true);
  expect(text()).toBe('reconnecting den Ann');
  expect(seen.at(-1)!.client).toBe(client);
  await tell('resumed', false);
  expect(text()).toBe('open den Ann');
  expect(connect).toHaveBeenCalledTimes(1);
});

test('a component that goes ends its session', async () => {
  await show();
  await act(async () => root.render(null));
  await settle();
  expect(clients[0]!.isClosed).toBe(true);
});

test('a component that goes while it connects ends the session that comes about', async () => {
  let arrive!: (client: Seated) => void;
  vi.mocked(connect).mockImplementation((async (_: string, { signal }: ConnectOptions) => {
    signals.push(signal);
    return new Promise((resolve) => (arrive = resolve));
  }) as never);
  await show();
  await act(async () => root.render(null));
  await settle();
  expect(signals[0]!.aborted).toBe(true);
  const late = new Seated();
  arrive(late);
  await settle();
  expect(late.isClosed).toBe(true);
});

test('another name is another session', async () => {
  await show();
  await act(async () => rename('Bob'));
  await settle();
  expect(connect).toHaveBeenCalledTimes(2);
  expect(vi.mocked(connect).mock.calls[1]![1]).toMatchObject({ name: 'Bob' });
  expect(clients.map(({ isClosed }) => isClosed)).toEqual([true, false]);
});

test('a session that ends says why, and is begun again when that is asked for', async () => {
  await show();
  await act(async () => clients[0]!.end({ code: 'ServerStopping', text: 'it stops' }));
  expect(text()).toMatch(/^closed +ServerStopping$/);
  expect(seen.at(-1)!.error?.message).toBe('it stops');
  await act(async () => seen.at(-1)!.reconnect());
  await settle();
  expect(text()).toBe('open den Ann');
  seen.at(-1)!.reconnect();
  expect(connect).toHaveBeenCalledTimes(2);
});

test('a server that is not there is told', async () => {
  vi.mocked(connect).mockRejectedValue(new TickwireError('Unreachable', 'nobody answers'));
  await show();
  expect(seen.at(-1)).toMatchObject({ status: 'closed', client: undefined, error: { code: 'Unreachable', message: 'nobody answers' } });
});

test('each frame updates the session, then draws, by the newest function', async () => {
  const drawn: string[] = [];
  await show(() => drawn.push('first'));
  await vi.waitFor(() => expect(drawn.length).toBeGreaterThan(1));
  await show(() => drawn.push('second'));
  await vi.waitFor(() => expect(drawn.at(-1)).toBe('second'));
  expect(clients[0]!.updates).toBeGreaterThanOrEqual(drawn.length);
  await act(async () => root.render(null));
  const { length } = drawn;
  await settle();
  expect(drawn).toHaveLength(length);
});
