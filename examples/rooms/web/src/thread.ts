// The messages of the place that is shown.
import { byId, button, element, hueOf } from './dom';
import { type ChatModel, type PendingPost, type Place, type Post, type Row, rowsOf } from './model';
import { partsOf } from './text';

/** What a person does with messages. */
export interface ThreadActions {
  /** Older messages are wanted. */
  older(): void;
  /** The newest message is in sight, or no longer. */
  end(isAtEnd: boolean): void;
  menu(post: Post, opener: HTMLElement): void;
  again(pending: PendingPost): void;
  discard(pending: PendingPost): void;
  person(account: string): void;
}

/** Pixels from an edge that count as there. */
const EDGE = 60;
const TIME = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });

export class Thread {
  /** The newest message is in sight. */
  isAtEnd = true;
  readonly #model: ChatModel;
  readonly #actions: ThreadActions;
  readonly #scroll = byId('scroll');
  readonly #rows = byId('rows');
  readonly #shown = new Map<string, { stamp: string; element: HTMLElement }>();
  #place: Place | undefined;

  constructor(model: ChatModel, actions: ThreadActions) {
    this.#model = model;
    this.#actions = actions;
    this.#scroll.addEventListener('scroll', () => this.#scrolled());
    new ResizeObserver(() => this.isAtEnd && this.toEnd()).observe(this.#scroll);
  }

  /** Draws a place; posts after `newAfter` are below a line. */
  draw(place: Place, newAfter: number | undefined): void {
    if (this.#place !== place) {
      this.#place = place;
      this.#shown.clear();
      this.#rows.replaceChildren();
      this.isAtEnd = true;
    }
    const anchor = this.isAtEnd ? undefined : this.#anchor();
    const rows = rowsOf(place, this.#model.me, newAfter);
    const keys = new Set(rows.map(({ key }) => key));
    for (const [key, { element }] of this.#shown) {
      if (keys.has(key)) continue;
      element.remove();
      this.#shown.delete(key);
    }
    for (const [at, row] of rows.entries()) {
      const made = this.#elementOf(row);
      const there = this.#rows.children[at] ?? null;
      if (made !== there) this.#rows.insertBefore(made, there);
    }
    byId('begin').textContent = place.hasOlder && place.oldest < Infinity ? 'loading …' : `This is where ${this.#model.titleOf(place.topic)} begins.`;
    if (this.isAtEnd) this.toEnd();
    else if (anchor?.element.isConnected) this.#scroll.scrollTop += anchor.element.getBoundingClientRect().top - anchor.top;
    this.#wantOlder();
  }

  toEnd(): void {
    this.#scroll.scrollTop = this.#scroll.scrollHeight;
    if (this.isAtEnd) return;
    this.isAtEnd = true;
    this.#actions.end(true);
  }

  /** To the line before what is new, if there is one. */
  toNew(): void {
    const line = this.#rows.querySelector('.new');
    if (!line) return this.toEnd();
    line.scrollIntoView({ block: 'center' });
    this.#scrolled();
  }

  /** The first row in sight, and where. */
  #anchor(): { element: Element; top: number } | undefined {
    const edge = this.#scroll.getBoundingClientRect().top;
    const element = [...this.#rows.children].find((row) => row.className.includes('post') && row.getBoundingClientRect().bottom > edge);
    return element && { element, top: element.getBoundingClientRect().top };
  }

  #scrolled(): void {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroll;
    const isAtEnd = scrollHeight - scrollTop - clientHeight < EDGE;
    if (isAtEnd !== this.isAtEnd) {
      this.isAtEnd = isAtEnd;
      this.#actions.end(isAtEnd);
    }
    this.#wantOlder();
  }

  #wantOlder(): void {
    if (this.#scroll.scrollTop < 4 * EDGE && this.#place?.hasOlder) this.#actions.older();
  }

  #elementOf(row: Row): HTMLElement {
    const stamp = row.kind === 'post' ? `${row.isFirst} ${row.removedBy} ${this.#model.people.size}` : row.kind === 'pending' ? `${row.isFirst} ${row.pending.refused}` : '';
    const shown = this.#shown.get(row.key);
    if (shown?.stamp === stamp) return shown.element;
    const made = this.#make(row);
    shown?.element.replaceWith(made);
    this.#shown.set(row.key, { stamp, element: made });
    return made;
  }

  #make(row: Row): HTMLElement {
    switch (row.kind) {
      case 'day':
        return element('li', 'day', element('span', '', DAY.format(row.timeMs)));
      case 'new':
        return element('li', 'new', element('span', '', 'new messages'));
      case 'post':
        return this.#post(row.post, row.isFirst, row.removedBy);
      case 'pending':
        return this.#pending(row.pending, row.isFirst);
    }
  }

  #post(post: Post, isFirst: boolean, removedBy: string | undefined): HTMLElement {
    const made = this.#message(post.by, post.name, post.timeMs, isFirst);
    made.dataset.id = String(post.id);
    if (removedBy !== undefined) {
      made.classList.add('removed');
      made.append(element('p', 'text', removedBy === post.by ? 'removed by its author' : 'removed by a moderator'));
      return made;
    }
    const text = element('p', 'text', ...this.#parts(post.text));
    text.dir = 'auto';
    made.append(text);
    if (post.mentions.includes(this.#model.me) && post.by !== this.#model.me) made.classList.add('mentions-me');
    const isModerator = this.#model.people.get(this.#model.me)?.isModerator;
    if (isModerator || post.by === this.#model.me) {
      const more = button('⋯', () => this.#actions.menu(post, more), 'icon more');
      more.ariaLabel = `More for this message of ${post.name}`;
      made.append(more);
    }
    return made;
  }

  #pending(pending: PendingPost, isFirst: boolean): HTMLElement {
    const { me } = this.#model;
    const made = this.#message(me, this.#model.people.get(me)?.name ?? me, pending.timeMs, isFirst);
    made.classList.add(pending.refused === undefined ? 'sending' : 'refused');
    const text = element('p', 'text', ...this.#parts(pending.text));
    text.dir = 'auto';
    made.append(text);
    if (pending.refused === undefined) {
      made.append(element('p', 'state', 'sending …'));
    } else {
      const again = button('Send again', () => this.#actions.again(pending));
      const discard = button('Discard', () => this.#actions.discard(pending));
      made.append(element('p', 'state', `not sent: ${pending.refused} `, again, discard));
    }
    return made;
  }

  #message(by: string, name: string, timeMs: number, isFirst: boolean): HTMLElement {
    const made = element('li', `post${isFirst ? ' first' : ''}${by === this.#model.me ? ' own' : ''}`);
    made.style.setProperty('--hue', String(hueOf(by)));
    const time = element('time', '', TIME.format(timeMs));
    time.dateTime = new Date(timeMs).toISOString();
    if (isFirst) {
      const avatar = element('span', 'avatar', name.slice(0, 1).toUpperCase());
      avatar.ariaHidden = 'true';
      made.append(avatar, element('p', 'by', element('b', '', name), ' ', time));
    } else {
      made.append(time);
    }
    return made;
  }

  #parts(text: string): Node[] {
    return partsOf(text, (account) => this.#model.people.has(account)).map((part) => {
      if (part.kind === 'text') return document.createTextNode(part.text);
      if (part.kind === 'mention') {
        return button(part.text, () => this.#actions.person(part.account), part.account === this.#model.me ? 'mention me' : 'mention');
      }
      const link = element('a', '', part.text);
      link.href = part.text;
      link.rel = 'noopener noreferrer nofollow';
      link.target = '_blank';
      return link;
    });
  }
}
