import { type Client, connect } from 'tickwire';
import type { Tag } from './tag';

// ANCHOR: connect
const client = await connect<Tag>(location.origin, {
  name: 'Ann',
  rejoin: true,
  predict: {
    Runner(runner, keys, seconds) {
      runner.vel = { x: keys.right * 20, y: keys.up * 20 };
      runner.pos.x = clamp(runner.pos.x + runner.vel.x * seconds);
      runner.pos.y = clamp(runner.pos.y + runner.vel.y * seconds);
    },
  },
});
// ANCHOR_END: connect

function clamp(place: number): number {
  return Math.min(100, Math.max(-100, place));
}

// ANCHOR: frame
const held = new Set<string>();
addEventListener('keydown', ({ key }) => held.add(key));
addEventListener('keyup', ({ key }) => held.delete(key));
const one = (key: string) => Number(held.has(key));

function frame() {
  client.setInput({
    right: one('ArrowRight') - one('ArrowLeft'),
    up: one('ArrowUp') - one('ArrowDown'),
    tag: held.has(' '),
  });
  client.update();
  draw(client);
  requestAnimationFrame(frame);
}
requestAnimationFrame(frame);
// ANCHOR_END: frame

// ANCHOR: draw
function draw({ entities, members }: Client<Tag>) {
  const canvas = document.querySelector('canvas')!;
  const pen = canvas.getContext('2d')!;
  pen.clearRect(0, 0, canvas.width, canvas.height);
  for (const runner of entities.of('Runner')) {
    const x = (runner.pos.x / 100 + 1) * (canvas.width / 2);
    const y = (1 - runner.pos.y / 100) * (canvas.height / 2);
    pen.globalAlpha = runner.presence;
    pen.fillStyle = runner.mine ? 'gold' : 'skyblue';
    pen.fillRect(x - 6, y - 6, 12, 12);
    pen.fillText(`${members.get(runner.id)?.name ?? ''} ${runner.score}`, x + 10, y);
  }
}
// ANCHOR_END: draw

// ANCHOR: events
client.on('event', (event) => {
  const name = (player: number) => client.members.get(player)?.name ?? 'someone';
  if (event.kind === 'Tagged') console.log(`${name(event.by)} tagged ${name(event.runner)}`);
});
client.on('close', ({ code, text }) => console.log(`over: ${code}, ${text}`));
// ANCHOR_END: events

// ANCHOR: rooms
export async function enter(room: string) {
  const { rooms } = await client.listRooms();
  for (const { name, players, playersMax } of rooms) console.log(name, players, playersMax);
  await client.leave();
  await client.join({ room, name: 'Ann' });
  await client.chat.send('hello');
}
// ANCHOR_END: rooms

// ANCHOR: private
export async function makePrivate(room: string, password: string) {
  await client.leave();
  await client.create({ room, name: 'Ann', roomOptions: { password }, password });
}

export async function enterPrivate(room: string, password: string) {
  await client.leave();
  await client.join({ room, name: 'Bob', password });
}
// ANCHOR_END: private

// ANCHOR: map
const MAP = 0;
client.on('staticData', ({ key, received, total }) => {
  console.log(`map ${key}: ${received} of ${total}`);
  if (received === total) showMap(client.staticData(MAP)); // a copy; undefined while it is loaded
});
client.on('staticChanged', ({ offset, bytes }) => showPart(offset, bytes));
// ANCHOR_END: map

function showMap(tiles: Uint8Array | undefined) {
  console.log(tiles?.length);
}

function showPart(offset: number, tiles: Uint8Array) {
  console.log(offset, tiles.length);
}
