// Rooms: chat on the topics of a server without a game.
import type { ConnectOptions } from 'tickwire';
import { App } from './app';
import { byId } from './dom';
import { type Account, newKey } from './session';

/** Where this browser keeps its account. */
const STORED = 'tickwire rooms account';

function storedAccount(): Account | undefined {
  try {
    const { name, key } = JSON.parse(localStorage.getItem(STORED) ?? '') as Partial<Account>;
    return typeof name === 'string' && typeof key === 'string' ? { name, key } : undefined;
  } catch {
    return undefined;
  }
}

/** Asks for a name. */
function askForName(error = ''): void {
  byId('welcome').hidden = false;
  byId('sign-in-error').textContent = error;
  byId('name').focus();
}

byId('sign-in').addEventListener('submit', (event) => {
  event.preventDefault();
  const account = { name: byId<HTMLInputElement>('name').value, key: newKey() };
  localStorage.setItem(STORED, JSON.stringify(account));
  location.reload();
});

const query = new URLSearchParams(location.search);
const transport = query.get('transport');
const options: ConnectOptions = transport === 'webtransport' || transport === 'websocket' ? { transport } : {};
const account = storedAccount();
if (account) {
  const refused = (text: string) => {
    localStorage.removeItem(STORED);
    byId('app').hidden = true;
    byId<HTMLInputElement>('name').value = account.name;
    askForName(text);
  };
  const app = new App(account, refused, Number(query.get('idle-ms')) || undefined);
  void app.run(location.origin, options);
  Object.assign(globalThis, { rooms: app }); // to look at it in the console
} else {
  askForName();
}
