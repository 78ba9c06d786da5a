import { connect, type TopicCursor } from 'tickwire';

// ANCHOR: begin
/** To a server without rooms there is nobody to name. */
const client = await connect(location.origin);

const number = await client.topics.publish('chat/berlin', 'hello');
console.log(`message ${number} is there`);

const chats = client.topics.subscribe('chat/**');
chats.on('missed', ({ topic, first, last }) => console.log(`${topic}: messages ${first} to ${last} are gone`));
for await (const message of chats) console.log(`${message.topic}: ${message.text()}`);
// ANCHOR_END: begin

// ANCHOR: latest
/** A table that is filled at once, and then kept up to date. */
export function follow(show: (share: string, price: unknown) => void) {
  const prices = client.topics.subscribe('prices/*', { delivery: 'latest', start: { last: Infinity } });
  prices.on('message', (message) => show(message.key, message.json()));
  prices.on('end', (error) => error && console.log(error.message));
  return () => prices.unsubscribe();
}

export function quote(share: string, price: number) {
  return client.topics.publishJson('prices/xetra', price, { key: share });
}
// ANCHOR_END: latest

// ANCHOR: cursors
/** Reads until the session is over. Gives what to begin the next one with: JSON can hold it. */
export async function read(handle: (text: string) => void, cursors: TopicCursor[] = []): Promise<TopicCursor[]> {
  const client = await connect(location.origin);
  const chats = client.topics.subscribe('chat/**', { cursors });
  chats.on('message', (message) => handle(message.text()));
  console.log((await client.closed).text);
  return chats.cursors;
}
// ANCHOR_END: cursors

// ANCHOR: presence
/** Says that its user is here and in what state, and shows who else is. */
export function appear(account: string, show: (who: string[]) => void): (state: string) => Promise<number> {
  const who = client.topics.table('lobby/who');
  who.on('changed', () => {
    const all = [...who.values('lobby/who')];
    show(all.map(([name, value]) => `${name}: ${value.kind === 'away' ? 'away' : value.text()}`));
  });
  return (state) => client.topics.publish('lobby/who', state, { key: account, lifetime: 'session' });
}

/** Says for three seconds that its user is typing. */
export function typing(account: string): Promise<number> {
  return client.topics.publish('lobby/typing', '', { key: account, lifetime: { ms: 3000 } });
}
// ANCHOR_END: presence
