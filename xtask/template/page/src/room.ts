import type { Client } from 'tickwire';
import { line } from './chat';
import type { MyGame, Team } from './types';

const form = document.querySelector<HTMLFormElement>('#room')!;
const teams = document.querySelectorAll<HTMLButtonElement>('#teams button');
const tell = ({ message }: Error) => line(message);

/** Changes the team by a command of the game, and the room by the form. */
export function room(client: Client<MyGame>, name: string): void {
  for (const button of teams) {
    button.onclick = () => client.command('ChangeTeam', { team: button.value as Team }).catch(tell);
  }
  // ANCHOR: options
  form.onsubmit = (event) => {
    event.preventDefault();
    const { room, coins, team } = Object.fromEntries(new FormData(form)) as Record<'room' | 'coins' | 'team', string>;
    const seat = { name, room, options: { team: team || null } };
    const isNew = event.submitter?.id === 'make';
    const enter = () => (isNew ? client.create({ ...seat, roomOptions: { coins: Number(coins) } }) : client.join(seat));
    change(client, enter).catch(tell);
  };
  // ANCHOR_END: options
}

// ANCHOR: refusal
/** Leaves for another room. If the server or the rules refuse that, it says why, and goes back. */
async function change(client: Client<MyGame>, enter: () => Promise<unknown>): Promise<void> {
  const { room, me } = client;
  try {
    if (room) await client.leave();
    await enter();
  } catch (error) {
    tell(error as Error);
    if (room && me) await client.join({ name: me.name, room: room.name });
  }
}
// ANCHOR_END: refusal
