// The whole page: arrow keys steer the own dot, predicted by a step of JavaScript; others glide between snapshots.
import { type Client, connect, type Vec2 } from 'tickwire';
import { type Minimal, minimalSchema } from './minimal';

/** As in `examples/minimal/src/main.rs`. */
const SPEED = 20;
const HALF = 100;

const pen = document.querySelector('canvas')!.getContext('2d')!;
const state = document.querySelector('output')!;
const held = new Set<string>();
addEventListener('keydown', ({ key }) => held.add(key));
addEventListener('keyup', ({ key }) => held.delete(key));
addEventListener('blur', () => held.clear());

/** One axis of a tick, as the server's rules have it. */
function run(dot: Minimal['entities']['Dot'], axis: keyof Vec2, key: number, seconds: number) {
  dot.vel[axis] = key * SPEED;
  dot.pos[axis] = Math.min(HALF, Math.max(-HALF, dot.pos[axis] + dot.vel[axis] * seconds));
}

async function play() {
  const client = await connect<Minimal>(`https://${location.host}/`, {
    schema: minimalSchema,
    name: `Dot ${Math.floor(Math.random() * 9000) + 1000}`,
    predict: {
      Dot(dot, keys, seconds) {
        run(dot, 'x', keys.right, seconds);
        run(dot, 'y', keys.up, seconds);
      },
    },
  });
  Object.assign(globalThis, { client }); // to look at it in the console
  let frame = requestAnimationFrame(function draw() {
    const one = (key: string) => Number(held.has(key));
    client.setInput({ right: one('ArrowRight') - one('ArrowLeft'), up: one('ArrowUp') - one('ArrowDown') });
    client.update();
    paint(client);
    frame = requestAnimationFrame(draw);
  });
  const { text } = await client.closed;
  cancelAnimationFrame(frame);
  throw new Error(text);
}

function paint(client: Client<Minimal>) {
  const { width, height } = pen.canvas;
  pen.clearRect(0, 0, width, height);
  for (const dot of client.entities.of('Dot')) {
    const x = (dot.pos.x / HALF + 1) * (width / 2);
    const y = (1 - dot.pos.y / HALF) * (height / 2);
    pen.fillStyle = `hsl(${(dot.id * 137) % 360} 75% 62%)`;
    pen.beginPath();
    pen.arc(x, y, dot.mine ? 18 : 13, 0, 2 * Math.PI);
    pen.fill();
    pen.lineWidth = 4;
    pen.strokeStyle = '#f4f7ff';
    if (dot.mine) pen.stroke();
    pen.fillStyle = '#d8deea';
    pen.font = '20px system-ui, sans-serif';
    pen.textAlign = 'center';
    pen.fillText(dot.mine ? 'you' : (client.members.get(dot.id)?.name ?? ''), x, y - 28);
  }
  const { rttMs, corrections } = client.stats();
  state.value = `${client.members.size} here · ${client.transport}, ${rttMs.toFixed(0)} ms · ${corrections} corrections · steer with the arrow keys`;
}

play().catch((error: Error) => (state.value = `${error.message} (reload the page)`));
