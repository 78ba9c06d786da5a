import { Emitter, type Listener } from './emitter.js';
import type { TickwireError } from './errors.js';
import type { TopicMessage, TopicSubscription } from './subscription.js';

/** A value that became another, is away or back, or is gone. */
export interface TopicChange {
  /** The topic's name. */
  topic: string;
  /** Whose value. */
  key: string;
  /** The message that has the value; `kind` is `away` while the sessions that hold it have lost their connections. Undefined: it is gone. */
  value: TopicMessage | undefined;
}

/** What a table reports. */
export interface TableEvents {
  /** A value is another, or gone. */
  changed: TopicChange;
  /** It is over: with an error, or `undefined` after `unsubscribe()` or `client.close()`. Once, last. */
  end: TickwireError | undefined;
}

/** The newest values of topics, kept up to date by a subscription: see `client.topics.table()`. */
export class TopicTable {
  readonly #topics = new Map<string, Map<string, TopicMessage>>();
  readonly #emitter = new Emitter<TableEvents>();
  readonly #subscription: TopicSubscription;

  /** @internal */
  constructor(subscription: TopicSubscription) {
    this.#subscription = subscription;
    subscription.on('followed', ({ topic, isContinued }) => !isContinued && this.#clear(topic));
    subscription.on('missed', ({ topic }) => this.#clear(topic));
    subscription.on('message', (message) => this.#take(message));
    subscription.on('end', (error) => this.#emitter.emit('end', error));
  }

  /** Fulfilled when the server has the subscription, rejected with why not. It need not be awaited. */
  get ready(): Promise<void> {
    return this.#subscription.ready;
  }

  /** The values of a topic by key, in the order of their first appearance; none of a topic that there is not. */
  values(topic: string): ReadonlyMap<string, TopicMessage> {
    return this.#topics.get(topic) ?? new Map();
  }

  /** The topics that have values. */
  get topics(): Iterable<string> {
    return this.#topics.keys();
  }

  /** Calls `listener` whenever `name` happens. The result removes it. */
  on<K extends keyof TableEvents>(name: K, listener: Listener<TableEvents[K]>): () => void {
    return this.#emitter.on(name, listener);
  }

  /** Removes a listener. */
  off<K extends keyof TableEvents>(name: K, listener: Listener<TableEvents[K]>): void {
    this.#emitter.off(name, listener);
  }

  /** Ends it: the values stay as they are. Fulfilled when the server has ended it too. */
  unsubscribe(): Promise<void> {
    return this.#subscription.unsubscribe();
  }

  #take(message: TopicMessage): void {
    const { topic, key, kind } = message;
    let values = this.#topics.get(topic);
    if (kind === 'removed') return this.#remove(topic, key);
    if (!values) this.#topics.set(topic, (values = new Map()));
    values.set(key, message);
    this.#emitter.emit('changed', { topic, key, value: message });
  }

  #remove(topic: string, key: string): void {
    const values = this.#topics.get(topic);
    if (!values?.delete(key)) return;
    if (values.size === 0) this.#topics.delete(topic);
    this.#emitter.emit('changed', { topic, key, value: undefined });
  }

  #clear(topic: string): void {
    for (const key of [...this.values(topic).keys()]) this.#remove(topic, key);
  }
}
