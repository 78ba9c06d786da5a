import type { Core } from './core.js';
import { TickwireError } from './errors.js';
import type { CoreEvent } from './messages.js';
import { refused } from './requests.js';
import { type SubscribeOptions, TopicMessage, TopicSubscription, optionsOf } from './subscription.js';
import { TopicTable } from './table.js';

/** Most bytes of a message at any server. */
const PAYLOAD_BYTES_MAX = 61_440;
const MS_MAX = 0xffff_ffff;

/** How a message is published. */
export interface PublishOptions {
  /**
   * What the message is the newest value of within its topic, such as the name of a share: those who subscribe by `latest` get the
   * newest message of each key. At most 64 bytes of UTF-8; without it the topic has one value.
   */
  key?: string | undefined;
  /**
   * How long the key has this value: `session` for as long as this client's session lasts, as for who is here, in at most 1024
   * bytes; or milliseconds, as for who is typing. Without it until the next message of the key.
   */
  lifetime?: 'session' | { ms: number } | undefined;
}

/** The events of the core that subscriptions bring. @internal */
export type TopicEvent = CoreEvent & { type: 'topicFollowed' | 'topicMessage' | 'topicMissed' | 'topicsEnded' };

/** What topics need of their client. */
interface TopicsClient {
  readonly core: Core;
  /** As `Asking.ask`. */
  ask<T>(request: (core: Core) => number): Promise<T>;
  /** Writes a datagram and sends it; undefined after the session's end. */
  send<T>(write: (core: Core) => T): T | undefined;
}

/** A server's topics: named channels beside rooms, for which a client need be in none. See `client.topics`. */
export class Topics {
  readonly #client: TopicsClient;
  readonly #subscriptions = new Map<number, TopicSubscription>();

  /** @internal */
  constructor(client: TopicsClient) {
    this.#client = client;
  }

  /**
   * Publishes a message of any bytes, or of a text in UTF-8, to a topic, which is made by its first message. A topic's name has 1 to
   * 8 levels between slashes, of ASCII letters, digits and `- _ . : @`.
   *
   * Fulfilled with the message's number in the topic, once it is there. It is published once, whatever connections are lost
   * meanwhile. Rejected with a {@link TickwireError} whose code is `TopicsOff`, `TopicInvalid`, `TopicForbidden`, `TopicTooFast`,
   * `TopicTooLong` or `TopicsFull`, it is not published; if the session ended first, it was or not.
   */
  publish(topic: string, payload: Uint8Array | string, { key = '', lifetime }: PublishOptions = {}): Promise<number> {
    const bytes = typeof payload === 'string' ? new TextEncoder().encode(payload) : payload;
    if (!(bytes instanceof Uint8Array)) return refused(new TypeError('a message is a Uint8Array or a string; see publishJson for others'));
    if (bytes.length > PAYLOAD_BYTES_MAX) {
      const words = `this message has ${bytes.length} bytes, and ${PAYLOAD_BYTES_MAX} are the most that can be sent; shorten it`;
      return refused(new TickwireError('TopicTooLong', words));
    }
    if (lifetime !== undefined && lifetime !== 'session' && !(lifetime.ms > 0)) {
      return refused(new RangeError(`a lifetime is "session", or { ms } with a number above 0, not ${JSON.stringify(lifetime)}`));
    }
    const ms = lifetime === 'session' ? 0 : lifetime && Math.min(Math.ceil(lifetime.ms), MS_MAX);
    return this.#client.ask((core) => core.publish(topic, key, bytes, ms));
  }

  /**
   * Publishes a message that may be lost, such as a position or a value of a sensor: by one datagram, without an answer and without
   * another try. A message that comes behind a newer one of this client is dropped, so no old value ever follows a newer one.
   * While there is no connection, and after the session's end, it is lost. What the server refuses is not told.
   *
   * Throws a {@link TickwireError} with the code `TopicTooLong` or `TopicInvalid` for what does not fit: topic, key and payload have
   * 1132 bytes together.
   */
  publishLossy(topic: string, payload: Uint8Array | string, { key = '' }: Pick<PublishOptions, 'key'> = {}): void {
    const bytes = typeof payload === 'string' ? new TextEncoder().encode(payload) : payload;
    if (!(bytes instanceof Uint8Array)) throw new TypeError('a message is a Uint8Array or a string');
    const misfit = this.#client.send((core) => core.publishLossy(topic, key, bytes));
    if (misfit !== undefined) throw new TickwireError(misfit.startsWith('a message') ? 'TopicTooLong' : 'TopicInvalid', misfit);
  }

  /** Removes the value of a key, whoever published it; also fulfilled where there is none. */
  remove(topic: string, key = ''): Promise<void> {
    return this.#client.ask((core) => core.removeValue(topic, key));
  }

  /** The newest values of all topics whose names match a pattern, kept up to date: who is here, what a thing costs. */
  table(pattern: string): TopicTable {
    return new TopicTable(this.subscribe(pattern, { delivery: 'latest', start: { last: Infinity } }));
  }

  /** Publishes a value as JSON, as {@link publish}; rejected with a `TypeError` for what JSON cannot hold. */
  publishJson(topic: string, value: unknown, options?: PublishOptions): Promise<number> {
    try {
      const text = JSON.stringify(value) as string | undefined;
      if (text === undefined) throw new TypeError('a message is what JSON can hold, not a function or a symbol');
      return this.publish(topic, text, options);
    } catch (error) {
      return refused(error as TypeError);
    }
  }

  /**
   * Follows all topics whose names match a pattern, also those that are made later: `*` is any one level of a name, `**` at the end
   * one level or more. Read the subscription by a loop or by its event `message`; it is over when the session is.
   *
   * Throws a `TypeError` or `RangeError` for options that no server takes. What the server refuses ends the subscription.
   */
  subscribe(pattern: string, options: SubscribeOptions = {}): TopicSubscription {
    const asked = optionsOf(options);
    let id = 0;
    const ready = this.#client.ask<void>((core) => {
      const [subscription, request] = core.subscribeTopics(pattern, asked) as [number, number];
      id = subscription;
      return request;
    });
    const subscription = new TopicSubscription(pattern, asked.delivery, ready, () => this.#leave(id));
    // No number without a session: that it is over is known from `ready`.
    if (id !== 0) this.#subscriptions.set(id, subscription);
    ready.catch((error: TickwireError) => {
      this.#subscriptions.delete(id);
      subscription.end(error);
    });
    return subscription;
  }

  /** Takes what came by a subscription. @internal */
  take(event: TopicEvent): void {
    const subscription = this.#subscriptions.get(event.subscription);
    if (!subscription) return;
    switch (event.type) {
      case 'topicFollowed':
        return subscription.follow(event);
      case 'topicMessage':
        return subscription.take(new TopicMessage(event));
      case 'topicMissed':
        return subscription.miss(event);
      case 'topicsEnded':
        this.#subscriptions.delete(event.subscription);
        return subscription.end(new TickwireError(event.code, event.text));
    }
  }

  /** Ends the subscriptions that a server refused to take over, after it was started again. @internal */
  judge({ code, text }: { code: TickwireError['code']; text: string }): void {
    for (const [id, subscription] of this.#subscriptions) {
      if (this.#client.core.isSubscribed(id)) continue;
      this.#subscriptions.delete(id);
      subscription.end(new TickwireError(code, text));
    }
  }

  /** The session is over: by an error, or as this side asked. @internal */
  end(error: TickwireError): void {
    const ended = [...this.#subscriptions.values()];
    this.#subscriptions.clear();
    for (const subscription of ended) subscription.end(error.code === 'Normal' ? undefined : error);
  }

  #leave(id: number): Promise<void> {
    // The session is over, or the subscription was.
    if (!this.#subscriptions.delete(id)) return Promise.resolve();
    return this.#client.ask((core) => core.unsubscribeTopics(id));
  }
}
