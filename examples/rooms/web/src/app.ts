// The page of somebody who is signed in.
import type { ConnectOptions } from 'tickwire';
import { announce, notify, offerNotifications, toast } from './alerts';
import { byId, countText, show } from './dom';
import { listenToMenu, openMenu } from './menu';
import { ChatModel, type Place, type Post } from './model';
import { typingText } from './presence';
import { type Account, ChatSession } from './session';
import { itemsOf, Side } from './side';
import { Thread } from './thread';

const MUTES: readonly [minutes: number, text: string][] = [
  [5, '5 minutes'],
  [60, 'an hour'],
  [24 * 60, 'a day'],
];
/** Without a key or a pointer for so long, a person is idle. */
const IDLE_MS = 5 * 60_000;

export class App {
  readonly model: ChatModel;
  readonly session: ChatSession;
  readonly #side: Side;
  readonly #thread: Thread;
  readonly #idleMs: number;
  #topic = 'channel/general';
  /** Posts of the shown place after this one are below the line. */
  #newAfter: number | undefined;
  /** Whether the line is decided: once the place's messages are there. */
  #isMarked = false;
  #actedAtMs = performance.now();
  #isIdle = false;
  #isDrawing = false;
  readonly #drafts = new Map<string, string>();

  constructor(account: Account, refused: (text: string) => void, idleMs = IDLE_MS) {
    this.#idleMs = idleMs;
    this.model = new ChatModel(account.name.toLowerCase());
    this.session = new ChatSession(
      this.model,
      {
        state: (state, text) => this.#state(state, text),
        refused,
        changed: () => this.#drawSoon(),
        arrived: (place, post) => this.#arrived(place, post),
        muted: (untilMs) => untilMs > Date.now() && toast('You are muted', `until ${new Date(untilMs).toLocaleTimeString()}`),
      },
      account,
    );
    this.#side = new Side((topic) => this.open(topic));
    this.#thread = new Thread(this.model, {
      older: () => void this.session.loadOlder(this.#place).catch((error: Error) => toast('Not loaded', error.message)),
      end: (isAtEnd) => {
        if (isAtEnd && document.hasFocus()) this.#newAfter = undefined;
        this.#drawSoon();
      },
      menu: (post, opener) => this.#menu(post, opener),
      again: (pending) => {
        this.#discard(pending.request);
        this.session.post(this.#place, pending.text);
      },
      discard: (pending) => this.#discard(pending.request),
      person: (account) => account !== this.model.me && this.open(this.model.directTopic(account)),
    });
    this.#listen();
    this.#listenToKeys();
  }

  run(url: string, options: ConnectOptions): Promise<void> {
    byId('app').hidden = false;
    this.#state('connecting', '');
    const asked = decodeURIComponent(location.hash.slice(1));
    if (/^(channel\/[\w-]+|dm\/[\w-]+\/[\w-]+)$/.test(asked)) this.#topic = asked;
    this.#drawSoon();
    return this.session.run(url, options);
  }

  /** Shows a channel, or the direct messages with somebody. */
  open(topic: string): void {
    const text = byId<HTMLTextAreaElement>('text');
    this.#drafts.set(this.#topic, text.value);
    if (topic !== this.#topic) [this.#topic, this.#newAfter, this.#isMarked] = [topic, undefined, false];
    history.replaceState(null, '', `#${topic}`);
    text.value = this.#drafts.get(topic) ?? '';
    document.body.classList.remove('side-open');
    byId('shade').hidden = true;
    this.#draw();
    this.#thread.toNew();
    // On a phone that would open its keyboard.
    if (!matchMedia('(pointer: coarse)').matches) text.focus();
  }

  get #place(): Place {
    return this.model.place(this.#topic);
  }

  /** Once in a frame, or soon where a page that is hidden has none. */
  #drawSoon(): void {
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    setTimeout(() => {
      this.#isDrawing = false;
      this.#draw();
    }, 16);
  }

  #draw(): void {
    const { model, session } = this;
    const place = this.#place;
    const isSeen = document.visibilityState === 'visible' && document.hasFocus();
    if (!this.#isMarked && place.posts.length > 0) {
      this.#isMarked = true;
      // To somebody who comes for the first time, a long history is not new.
      if (place.unread > 0 && (place.mark > 0 || place.posts[0]!.id === 1)) this.#newAfter = place.mark;
    }
    this.#thread.draw(place, this.#newAfter);
    if (isSeen && this.#thread.isAtEnd) session.read(place);
    const { channels, people } = itemsOf(model, (account) => session.presence(account));
    this.#side.draw(channels, people, this.#topic);
    this.#drawHead();
    const names = session.typists(place).map((account) => model.people.get(account)?.name ?? account);
    show('typing', this.#topic.startsWith('channel/') ? typingText(names) : '');
    const newest = byId('newest');
    newest.hidden = this.#thread.isAtEnd;
    newest.textContent = place.unread > 0 ? `${countText(place.unread)} new ↓` : 'newest ↓';
  }

  #drawHead(): void {
    const { model } = this;
    const other = model.otherOf(this.#topic);
    const title = model.titleOf(this.#topic);
    show('title', other === undefined ? `# ${title}` : title);
    const here = [...model.people.keys()].filter((account) => this.session.presence(account) !== 'offline').length;
    show('about', other === undefined ? `${here} here` : this.session.presence(other));
    const me = model.people.get(model.me);
    show('me', me?.name ?? model.me);
    byId('create').hidden = !me?.isModerator;
    byId<HTMLTextAreaElement>('text').placeholder = `Message to ${other === undefined ? `#${title}` : title}`;
    document.title = `${model.attention > 0 ? `(${countText(model.attention)}) ` : ''}${title} · Rooms`;
    const badge = byId('open-badge');
    badge.hidden = model.attention === 0;
    badge.textContent = countText(model.attention);
  }

  #state(state: 'connecting' | 'live' | 'lost', text: string): void {
    const banner = byId('banner');
    document.body.dataset.state = state;
    banner.hidden = state === 'live';
    banner.textContent = state === 'lost' ? `Offline: ${text}. What you write is sent once the connection is back.` : 'connecting …';
    this.#drawSoon();
  }

  #arrived(place: Place, post: Post): void {
    const isDirect = place.topic.startsWith('dm/');
    const isShown = place.topic === this.#topic;
    const isSeen = isShown && document.hasFocus() && this.#thread.isAtEnd;
    if (isShown && !isSeen) this.#newAfter ??= post.id - 1;
    if (isShown) announce(`${post.name}: ${post.text}`);
    if (isSeen || !(isDirect || post.mentions.includes(this.model.me))) return;
    const title = isDirect ? post.name : `${post.name} in #${this.model.titleOf(place.topic)}`;
    if (!isShown) toast(title, post.text, () => this.open(place.topic));
    if (!isShown) announce(`${title}: ${post.text}`);
    notify(title, post.text, () => this.open(place.topic));
  }

  #discard(request: string): void {
    const { pending } = this.#place;
    const at = pending.findIndex((it) => it.request === request);
    if (at >= 0) pending.splice(at, 1);
    this.#drawSoon();
  }

  #menu(post: Post, opener: HTMLElement): void {
    const place = this.#place;
    const told = (done: Promise<void>) => done.catch((error: Error) => toast('Not done', error.message));
    const items = [];
    const isChannel = place.topic.startsWith('channel/');
    const isModerator = this.model.people.get(this.model.me)?.isModerator === true && isChannel;
    if (post.by === this.model.me || isModerator) items.push({ text: 'Remove the message', act: () => void told(this.session.remove(place, post.id)) });
    if (isModerator && post.by !== this.model.me) {
      for (const [minutes, text] of MUTES) items.push({ text: `Mute ${post.name} for ${text}`, act: () => void told(this.session.mute(post.by, minutes)) });
      items.push({ text: `Let ${post.name} write again`, act: () => void told(this.session.mute(post.by, 0)) });
    }
    if (items.length > 0) openMenu(items, opener);
  }

  #send(): void {
    const text = byId<HTMLTextAreaElement>('text');
    if (text.value.trim() === '') return;
    this.session.post(this.#place, text.value.trim());
    text.value = '';
    this.#newAfter = undefined;
    this.#draw();
    this.#thread.toEnd();
  }

  #listen(): void {
    const text = byId<HTMLTextAreaElement>('text');
    text.addEventListener('input', () => text.value.trim() !== '' && this.session.type(this.#place));
    text.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#send();
    });
    byId('composer').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#send();
    });
    byId('newest').addEventListener('click', () => this.#thread.toEnd());
    byId('find').addEventListener('click', () => this.#side.find());
    const side = (isOpen: boolean) => {
      document.body.classList.toggle('side-open', isOpen);
      byId('shade').hidden = !isOpen;
    };
    byId('open-side').addEventListener('click', () => side(true));
    for (const id of ['close-side', 'shade']) byId(id).addEventListener('click', () => side(false));
    byId('create').addEventListener('click', () => {
      const name = prompt('Name of the channel: small letters, digits, - and _');
      if (name) void this.session.create(name).then(() => this.open(`channel/${name}`), (error: Error) => toast('Not made', error.message));
    });
    byId('presence').addEventListener('change', () => this.#appear());
    for (const name of ['focus', 'visibilitychange']) addEventListener(name, () => this.#drawSoon());
    addEventListener('hashchange', () => this.open(decodeURIComponent(location.hash.slice(1))));
    offerNotifications();
    listenToMenu();
  }

  #listenToKeys(): void {
    for (const name of ['keydown', 'pointerdown', 'pointermove']) addEventListener(name, () => this.#acted(), { passive: true });
    setInterval(() => !this.#isIdle && performance.now() - this.#actedAtMs > this.#idleMs && this.#appear((this.#isIdle = true)), Math.min(5000, this.#idleMs));
    addEventListener('keydown', (event) => {
      if (event.key === 'k' && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        this.#side.find();
      } else if (event.altKey && (event.key === 'ArrowUp' || event.key === 'ArrowDown')) {
        event.preventDefault();
        const topic = this.#side.neighbor(this.#topic, event.key === 'ArrowDown' ? 1 : -1);
        if (topic) this.open(topic);
      } else if (event.key === 'Escape') {
        document.body.classList.remove('side-open');
        byId('shade').hidden = true;
      }
    });
  }

  #acted(): void {
    this.#actedAtMs = performance.now();
    if (this.#isIdle) this.#appear((this.#isIdle = false));
  }

  #appear(isIdle = this.#isIdle): void {
    const isAway = byId<HTMLSelectElement>('presence').value === 'away';
    this.session.appear(isAway ? 'away' : isIdle ? 'idle' : 'online');
  }
}
