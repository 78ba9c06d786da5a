import { type Client, connect } from 'tickwire';
import { chat } from './chat';
import { draw } from './draw';
import { held } from './keys';
import { room as rooms } from './room';
import { type MyGame, myGameSchema } from './types';
import { core } from './rules';

const state = document.querySelector<HTMLOutputElement>('#state')!;
/** A tab keeps its name. */
const name = (sessionStorage['name'] ??= `Runner ${1000 + Math.floor(Math.random() * 9000)}`) as string;
/** How long after the end of a session the next one is tried, as when the server is started again. */
const PAUSE_MS = 1000;

/** One session, to its end. */
async function play(): Promise<void> {
  const asked = new URLSearchParams(location.search);
  const room = asked.get('room') ?? undefined;
  // The room to watch, as the page of a replay asks for it.
  const watched = asked.get('watch');
  const place = watched ? {} : { name, room, rejoin: true };
  const client = await connect<MyGame>(location.origin, { ...place, core, schema: myGameSchema });
  if (watched) await client.spectate({ name, room: watched });
  Object.assign(globalThis, { client }); // to look at it in the console
  chat(client);
  rooms(client, name);
  let frame = requestAnimationFrame(function next() {
    if (!watched) client.setInput(held());
    client.update();
    draw(client);
    state.value = client.difference ?? stateOf(client);
    frame = requestAnimationFrame(next);
  });
  const { text } = await client.closed;
  cancelAnimationFrame(frame);
  throw new Error(text);
}

function stateOf(client: Client<MyGame>): string {
  const { rttMs, corrections } = client.stats();
  const coins = { Red: 0, Blue: 0 };
  for (const runner of client.entities.of('Runner')) coins[runner.team] += runner.coins;
  return `Red ${coins.Red}, Blue ${coins.Blue} · ${client.room?.name ?? 'no room'} · ${client.transport}, ${rttMs.toFixed(0)} ms, ${corrections} corrections`;
}

for (;;) {
  await play().catch((error: Error) => (state.value = `${error.message} …`));
  await new Promise((done) => setTimeout(done, PAUSE_MS));
}
