import type { Client } from 'tickwire';
import type { MyGame } from './types';

const messages = document.querySelector('#messages')!;
const form = document.querySelector<HTMLFormElement>('#chat')!;
const input = form.querySelector('input')!;
const LINES_MAX = 100;

/** Shows what is said in the room, and says what is typed. */
export function chat(client: Client<MyGame>): void {
  client.on('message', ({ name, text }) => line(`${name}: ${text}`));
  client.on('chatNotice', ({ text }) => line(text));
  client.on('event', ({ kind, by }) => {
    if (kind === 'Collected' && by === client.player) line('You have a coin.');
  });
  form.onsubmit = (event) => {
    event.preventDefault();
    const text = input.value.trim();
    input.value = '';
    if (text) client.chat.send(text).catch((error: Error) => line(error.message));
  };
}

/** Adds a line. */
export function line(text: string): void {
  const item = document.createElement('li');
  item.textContent = text; // never as HTML
  messages.append(item);
  while (messages.children.length > LINES_MAX) messages.firstElementChild!.remove();
  messages.scrollTop = messages.scrollHeight;
}
