// The session with the server, begun again whenever it ends, and what the page asks for and reads by it.
import { type Client, connect, type ConnectOptions, type TopicCursor, TickwireError, type TopicMessage, type TopicSubscription, type TopicTable } from 'tickwire';
import { type ChatModel, type Incoming, isRecord, numberOf, type Place, type Post, textOf } from './model';
import { type Presence, presenceOf } from './presence';

export interface Account {
  readonly name: string;
  /** 64 hexadecimal digits, which this browser alone has. */
  readonly key: string;
}

/** Who shows what comes. */
export interface ChatScreen {
  state(state: 'connecting' | 'live' | 'lost', text: string): void;
  /** The name is none, or another one's. */
  refused(text: string): void;
  /** Something is to be drawn anew. */
  changed(): void;
  /** Somebody else wrote, just now. */
  arrived(place: Place, post: Post): void;
  muted(untilMs: number): void;
}

const RETRY_MS = 1000;
/** Messages of a place at the beginning, and of a page. */
const PAGE = 50;
const TYPING_MS = 4000;
/** A request's answer, or why there is none. */
type Settle = (refused: string | undefined) => void;

/** Asks for what its account may do, and keeps the model up to date. */
export class ChatSession {
  client: Client | undefined;
  readonly #model: ChatModel;
  readonly #screen: ChatScreen;
  readonly #account: Account;
  /** Names this page among those of the account. */
  readonly #page = randomText(8);
  /** Requests whose results have not come: they are sent again by the next session, under the same ids. */
  readonly #open = new Map<string, { body: object; settle: Settle }>();
  #cursors: TopicCursor[] = [];
  #followed: TopicSubscription[] = [];
  #here: TopicTable | undefined;
  #typing: TopicTable | undefined;
  #state: Presence = 'online';
  #typedAtMs = -Infinity;
  #typedIn = '';
  /** By the server's clock: what is later is new. */
  #beganMs = Infinity;
  readonly #loading = new Set<string>();

  constructor(model: ChatModel, screen: ChatScreen, account: Account) {
    this.#model = model;
    this.#screen = screen;
    this.#account = account;
  }

  /** Holds a session with the server until the server does not know this account. */
  async run(url: string, options: ConnectOptions): Promise<void> {
    for (;;) {
      try {
        this.#begin(await connect(url, { ...options, token: this.#token }));
        const { text } = await this.client!.closed;
        this.#screen.state('lost', text);
      } catch (error) {
        const text = error instanceof Error ? error.message : String(error);
        if (error instanceof TickwireError && error.code === 'TokenInvalid') return this.#screen.refused(text);
        this.#screen.state('lost', text);
      }
      this.#cursors = mergedCursors(this.#cursors, this.#followed.flatMap(({ cursors }) => cursors));
      this.#followed = [];
      this.client = this.#here = this.#typing = undefined;
      this.#screen.changed();
      await pause(RETRY_MS);
    }
  }

  /** Posts a text. It is shown at once, and is under way until its result has come. */
  post(place: Place, text: string): void {
    const request = randomText(12);
    place.pending.push({ request, text, timeMs: Date.now() });
    this.#ask(request, { do: 'post', place: place.topic, text }, (refused) => {
      if (refused !== undefined) this.#model.refuse(request, refused);
    });
    this.#typedAtMs = -Infinity;
    this.#screen.changed();
  }

  remove(place: Place, id: number): Promise<void> {
    return this.#request({ do: 'remove', place: place.topic, id });
  }

  mute(account: string, minutes: number): Promise<void> {
    return this.#request({ do: 'mute', account, minutes });
  }

  create(channel: string): Promise<void> {
    return this.#request({ do: 'create', channel });
  }

  /** Everything of a place is read. */
  read(place: Place): void {
    if (place.mark >= place.lastId) return;
    place.mark = place.lastId;
    // One that is lost comes again with the next message.
    this.#publish({ request: randomText(12), do: 'read', place: place.topic, id: place.lastId })?.catch(() => {});
    this.#screen.changed();
  }

  /** Tells that its person is writing in a channel, now and then. */
  type(place: Place): void {
    if (!place.topic.startsWith('channel/')) return;
    const now = performance.now();
    if (now - this.#typedAtMs < TYPING_MS / 2 && this.#typedIn === place.topic) return;
    [this.#typedAtMs, this.#typedIn] = [now, place.topic];
    const options = { key: place.topic.slice('channel/'.length), lifetime: { ms: TYPING_MS } };
    this.client?.topics.publish(`typing/${this.#model.me}`, '', options).catch(() => {});
  }

  /** Tells whether its person is here. */
  appear(state: Presence): void {
    this.#state = state;
    this.client?.topics.publish(`here/${this.#model.me}`, state, { key: this.#page, lifetime: 'session' }).catch(() => {});
  }

  presence(account: string): Presence {
    const pages = this.#here?.values(`here/${account}`).values() ?? [];
    return presenceOf([...pages].map((it) => ({ text: it.text(), isLost: it.kind === 'away' })));
  }

  /** The accounts that write in a channel, but for one's own. */
  typists(place: Place): string[] {
    const channel = place.topic.slice('channel/'.length);
    const accounts = [...(this.#typing?.topics ?? [])].filter((topic) => this.#typing!.values(topic).has(channel));
    return accounts.map((topic) => topic.slice('typing/'.length)).filter((account) => account !== this.#model.me);
  }

  /** Gets the page before the oldest message that is there. */
  async loadOlder(place: Place): Promise<void> {
    if (!place.hasOlder || place.oldest === Infinity || this.#loading.has(place.topic)) return;
    this.#loading.add(place.topic);
    try {
      const address = `/topics/${place.topic}?before=${place.oldest}&last=${PAGE}&payload=json`;
      const answer = await fetch(address, { headers: { authorization: `Bearer ${this.#token}` } });
      if (!answer.ok) throw new Error(`older messages did not come: ${answer.status}`);
      const { messages, has_older: hasOlder } = (await answer.json()) as {
        messages: { sequence: number; time_ms: number; json?: unknown }[];
        has_older: boolean;
      };
      const page = messages.map(({ sequence, time_ms, json }) => ({ topic: place.topic, sequence, timeMs: time_ms, value: json }));
      this.#model.takePage(place.topic, page, hasOlder);
    } finally {
      this.#loading.delete(place.topic);
      this.#screen.changed();
    }
  }

  get #token(): string {
    return `${this.#account.name}~${this.#account.key}`;
  }

  #begin(client: Client): void {
    const { me } = this.#model;
    this.client = client;
    const live = () => this.#screen.state('live', '');
    client.on('reconnecting', ({ attempt }) => this.#screen.state('lost', `connection lost, attempt ${attempt}`));
    client.on('resumed', live);
    live();
    this.#beganMs = Infinity;
    const { topics } = client;
    this.#here = topics.table('here/*');
    this.#here.on('changed', ({ topic, key, value }) => {
      if (topic === `here/${me}` && key === this.#page && value) this.#beganMs = Math.min(this.#beganMs, value.timeMs);
      this.#screen.changed();
    });
    this.#typing = topics.table('typing/*');
    this.#typing.on('changed', () => this.#screen.changed());
    topics.table('people').on('changed', ({ key, value }) => value && this.#take(() => this.#model.takePerson(key, value.json())));
    topics.table(`marks/${me}`).on('changed', ({ key, value }) => value && this.#take(() => this.#model.takeMark(key, value.json())));
    this.#follow(`account/${me}`, (message) => this.#takeOwn(message.json()));
    for (const pattern of ['channel/*', `dm/${me}/*`, `dm/*/${me}`]) {
      const subscription = this.#follow(pattern, (message) => this.#takeMessage(message));
      // A topic that was made anew, or whose messages are gone, begins anew here.
      subscription.on('followed', ({ topic, isContinued }) => isContinued || this.#model.place(topic).restart());
      subscription.on('missed', ({ topic }) => this.#model.place(topic).clear());
    }
    this.appear(this.#state);
    for (const [request, { body }] of this.#open) this.#send(request, body);
  }

  #follow(pattern: string, take: (message: TopicMessage) => void): TopicSubscription {
    const subscription = this.client!.topics.subscribe(pattern, { start: { last: PAGE }, cursors: this.#cursors });
    subscription.on('message', (message) => this.#take(() => take(message)));
    this.#followed.push(subscription);
    return subscription;
  }

  /** What is no JSON changes nothing. */
  #take(take: () => void): void {
    try {
      take();
    } catch (error) {
      console.warn(error);
    }
    this.#screen.changed();
  }

  #takeMessage(message: TopicMessage): void {
    const { topic, sequence, timeMs } = message;
    const incoming: Incoming = { topic, sequence, timeMs, value: message.json() };
    const post = this.#model.take(incoming);
    if (!post) return;
    if (post.by === this.#model.me) this.#settle(post.request, undefined);
    else if (timeMs > this.#beganMs) this.#screen.arrived(this.#model.place(topic), post);
  }

  #takeOwn(value: unknown): void {
    if (!isRecord(value)) return;
    switch (value.type) {
      case 'result':
        return this.#settle(textOf(value.request), isRecord(value.refused) ? textOf(value.refused.text) : undefined);
      case 'mention':
        return this.#model.takeMention(textOf(value.place), numberOf(value.id));
      case 'muted':
        this.#model.mutedUntilMs = numberOf(value.until_ms);
        return this.#screen.muted(this.#model.mutedUntilMs);
    }
  }

  #request(body: object): Promise<void> {
    return new Promise((done, failed) => {
      this.#ask(randomText(12), body, (refused) => (refused === undefined ? done() : failed(new Error(refused))));
    });
  }

  #ask(request: string, body: object, settle: Settle): void {
    this.#open.set(request, { body, settle });
    this.#send(request, body);
  }

  #send(request: string, body: object): void {
    this.#publish({ request, ...body })?.catch((error: TickwireError) => {
      if (error.code === 'Busy' || error.code === 'TopicTooFast') setTimeout(() => this.#open.has(request) && this.#send(request, body), RETRY_MS);
      else if (error.code.startsWith('Topic')) this.#settle(request, error.message);
      // Otherwise the session is over, and the next one sends it.
    });
  }

  #publish(body: object): Promise<number> | undefined {
    return this.client?.topics.publishJson(`say/${this.#model.me}`, body);
  }

  #settle(request: string, refused: string | undefined): void {
    const open = this.#open.get(request);
    if (!open) return;
    this.#open.delete(request);
    open.settle(refused);
    this.#screen.changed();
  }
}

/** The later ones, and those of topics that the later ones do not have. */
function mergedCursors(old: TopicCursor[], later: TopicCursor[]): TopicCursor[] {
  const topics = new Set(later.map(({ topic }) => topic));
  return [...old.filter(({ topic }) => !topics.has(topic)), ...later];
}

/** A key of 256 bits. */
export function newKey(): string {
  return randomText(32);
}

/** Hexadecimal digits of so many bytes at random. */
function randomText(bytes: number): string {
  const values = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(values, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
