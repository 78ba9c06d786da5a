// What the page knows: places, posts, people and marks. No DOM and no network.

/** A message of a channel or of direct messages. */
export interface Post {
  readonly id: number;
  readonly by: string;
  readonly name: string;
  readonly text: string;
  readonly mentions: readonly string[];
  readonly request: string;
  readonly timeMs: number;
}

/** A message of one's own that is not there yet. */
export interface PendingPost {
  readonly request: string;
  readonly text: string;
  readonly timeMs: number;
  /** Why it is not published; without it, it is under way. */
  refused?: string;
}

/** A message of a topic, whatever way it came. */
export interface Incoming {
  readonly topic: string;
  readonly sequence: number;
  readonly timeMs: number;
  readonly value: unknown;
}

export interface Person {
  readonly account: string;
  readonly name: string;
  readonly isModerator: boolean;
}

/** A channel, or the direct messages with a person. */
export class Place {
  readonly topic: string;
  readonly pending: PendingPost[] = [];
  /** Who removed a post, by its id. */
  readonly removed = new Map<number, string>();
  readonly mentions = new Set<number>();
  /** The last post that there is, and the last one that was read here or on another page. */
  lastId = 0;
  mark = 0;
  /** The topic's message before which an older page ends. */
  oldest = Infinity;
  hasOlder = true;
  #posts: Post[] = [];

  constructor(topic: string) {
    this.topic = topic;
  }

  /** In order. */
  get posts(): readonly Post[] {
    return this.#posts;
  }

  get unread(): number {
    const removed = [...this.removed.keys()].filter((id) => id > this.mark && id <= this.lastId);
    return Math.max(0, this.lastId - this.mark - removed.length);
  }

  get unreadMentions(): number {
    return [...this.mentions].filter((id) => id > this.mark && !this.removed.has(id)).length;
  }

  /** False if it is there already. */
  add(post: Post): boolean {
    this.lastId = Math.max(this.lastId, post.id);
    let at = this.#posts.length;
    while (at > 0 && this.#posts[at - 1]!.id > post.id) at--;
    if (this.#posts[at - 1]?.id === post.id) return false;
    this.#posts.splice(at, 0, post);
    const own = this.pending.findIndex(({ request }) => request === post.request);
    if (own >= 0) this.pending.splice(own, 1);
    return true;
  }

  /** Its topic was made anew: marks begin anew as well. */
  restart(): void {
    if (this.#posts.length > 0) this.mark = 0;
    this.clear();
  }

  /** Forgets the posts: some are missing. */
  clear(): void {
    this.#posts = [];
    this.removed.clear();
    this.lastId = 0;
    this.oldest = Infinity;
    this.hasOlder = true;
  }
}

/** All of it. */
export class ChatModel {
  readonly places = new Map<string, Place>();
  readonly people = new Map<string, Person>();
  readonly me: string;
  mutedUntilMs = 0;

  constructor(me: string) {
    this.me = me;
  }

  place(topic: string): Place {
    let place = this.places.get(topic);
    if (!place) this.places.set(topic, (place = new Place(topic)));
    return place;
  }

  /** The topic of the direct messages with a person. */
  directTopic(account: string): string {
    return `dm/${[this.me, account].sort().join('/')}`;
  }

  /** The person of a topic of direct messages. */
  otherOf(topic: string): string | undefined {
    const [kind, one, other] = topic.split('/');
    if (kind !== 'dm') return undefined;
    return one === this.me ? other : one;
  }

  titleOf(topic: string): string {
    const other = this.otherOf(topic);
    return other === undefined ? topic.slice(topic.indexOf('/') + 1) : (this.people.get(other)?.name ?? other);
  }

  get channels(): Place[] {
    const places = [...this.places.values()].filter(({ topic }) => topic.startsWith('channel/'));
    return places.sort((a, b) => (a.topic < b.topic ? -1 : 1));
  }

  /** Takes a message of a place. Gives the post that is new by it. */
  take({ topic, sequence, timeMs, value }: Incoming): Post | undefined {
    const place = this.place(topic);
    place.oldest = Math.min(place.oldest, sequence);
    if (!isRecord(value)) return undefined;
    const id = numberOf(value.id);
    if (value.type === 'removed') {
      place.removed.set(id, textOf(value.by));
      place.lastId = Math.max(place.lastId, numberOf(value.last));
      return undefined;
    }
    if (value.type !== 'post' || id < 1) return undefined;
    const mentions = Array.isArray(value.mentions) ? value.mentions.filter((it) => typeof it === 'string') : [];
    const post = { id, by: textOf(value.by), name: textOf(value.name), text: textOf(value.text), mentions, request: textOf(value.request), timeMs };
    if (mentions.includes(this.me) && post.by !== this.me) place.mentions.add(id);
    return place.add(post) ? post : undefined;
  }

  /** Takes a page of older messages. */
  takePage(topic: string, messages: readonly Incoming[], hasOlder: boolean): void {
    for (const message of messages) this.take(message);
    this.place(topic).hasOlder = hasOlder;
  }

  takePerson(account: string, value: unknown): void {
    if (!isRecord(value)) return;
    this.people.set(account, { account, name: textOf(value.name) || account, isModerator: value.moderator === true });
  }

  takeMark(topic: string, value: unknown): void {
    const place = this.place(topic);
    place.mark = Math.max(place.mark, numberOf(value));
  }

  /** A place that has a message which names this account, though that message is not loaded. */
  takeMention(topic: string, id: number): void {
    this.place(topic).mentions.add(id);
  }

  /** Marks a message of one's own as not published. */
  refuse(request: string, text: string): void {
    for (const { pending } of this.places.values()) {
      const post = pending.find((it) => it.request === request);
      if (post) post.refused = text;
    }
  }

  /** For the title: direct messages and mentions, which want somebody's attention. */
  get attention(): number {
    let count = 0;
    for (const place of this.places.values()) count += place.topic.startsWith('dm/') ? place.unread : place.unreadMentions;
    return count;
  }
}

/** A line of the messages as shown. */
export type Row =
  | { kind: 'day'; key: string; timeMs: number }
  | { kind: 'new'; key: string }
  | { kind: 'post'; key: string; post: Post; isFirst: boolean; removedBy: string | undefined }
  | { kind: 'pending'; key: string; pending: PendingPost; isFirst: boolean };

/** Posts of one author within this time are a group. */
const GROUP_MS = 5 * 60_000;

/** The rows of a place: a line for each day and before what is new, posts grouped by author, and one's own that are under way. */
export function rowsOf(place: Place, me: string, newAfter: number | undefined): Row[] {
  const rows: Row[] = [];
  let before: { by: string; timeMs: number } | undefined;
  let isNewShown = newAfter === undefined;
  for (const post of place.posts) {
    const day = dayOf(post.timeMs);
    if (before === undefined || dayOf(before.timeMs) !== day) {
      rows.push({ kind: 'day', key: `day ${day}`, timeMs: post.timeMs });
      before = undefined;
    }
    if (!isNewShown && post.id > newAfter! && post.by !== me) {
      rows.push({ kind: 'new', key: 'new' });
      isNewShown = true;
      before = undefined;
    }
    const isFirst = before?.by !== post.by || post.timeMs - before.timeMs > GROUP_MS;
    rows.push({ kind: 'post', key: `post ${post.id}`, post, isFirst, removedBy: place.removed.get(post.id) });
    before = post;
  }
  for (const pending of place.pending) {
    const isFirst = before?.by !== me || pending.timeMs - before.timeMs > GROUP_MS;
    rows.push({ kind: 'pending', key: `pending ${pending.request}`, pending, isFirst });
    before = { by: me, timeMs: pending.timeMs };
  }
  return rows;
}

function dayOf(timeMs: number): string {
  const date = new Date(timeMs);
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

export function numberOf(value: unknown): number {
  return Number.isSafeInteger(value) ? (value as number) : 0;
}
