// The list of channels and people, and the finder for both.
import { byId, countText, element, hueOf } from './dom';
import type { ChatModel, Place } from './model';
import type { Presence } from './presence';

/** A line of the lists. */
export interface SideItem {
  readonly topic: string;
  readonly title: string;
  readonly place: Place | undefined;
  /** Of people. */
  readonly presence?: Presence;
  readonly isModerator?: boolean;
}

const PRESENCE_ORDER: Record<Presence, number> = { online: 0, idle: 1, away: 2, offline: 3 };

/** Channels by name, then people: those with whom there are messages first, then those who are here. */
export function itemsOf(model: ChatModel, presence: (account: string) => Presence): { channels: SideItem[]; people: SideItem[] } {
  const channels = model.channels.map((place) => ({ topic: place.topic, title: model.titleOf(place.topic), place }));
  const people = [...model.people.values()].filter(({ account }) => account !== model.me).map(({ account, name, isModerator }) => {
    const topic = model.directTopic(account);
    return { topic, title: name, place: model.places.get(topic), presence: presence(account), isModerator };
  });
  const rank = (it: (typeof people)[number]) => (it.place && it.place.lastId > 0 ? 0 : 4) + PRESENCE_ORDER[it.presence];
  people.sort((a, b) => rank(a) - rank(b) || (a.title < b.title ? -1 : 1));
  return { channels, people };
}

/** Those that a few letters may mean: the ones that begin with them first. */
export function foundBy(items: readonly SideItem[], words: string): SideItem[] {
  const text = words.trim().toLowerCase().replace(/^[#@]/, '');
  const at = ({ title }: SideItem) => title.toLowerCase().indexOf(text);
  return items.filter((it) => at(it) >= 0).sort((a, b) => Math.min(1, at(a)) - Math.min(1, at(b)));
}

export class Side {
  #shown = '';
  readonly #open: (topic: string) => void;

  constructor(open: (topic: string) => void) {
    this.#open = open;
    for (const list of [byId('channels'), byId('people')]) {
      list.addEventListener('click', ({ target }) => {
        const topic = (target as Element).closest<HTMLElement>('button')?.dataset.topic;
        if (topic) open(topic);
      });
    }
    const finder = byId<HTMLDialogElement>('finder');
    const input = byId<HTMLInputElement>('finder-text');
    input.addEventListener('input', () => this.#find());
    input.addEventListener('keydown', (event) => this.#findBy(event));
    byId('finder-list').addEventListener('click', ({ target }) => this.#go((target as Element).closest<HTMLElement>('li')));
    finder.addEventListener('click', ({ target }) => target === finder && finder.close());
  }

  #items: SideItem[] = [];

  draw(channels: readonly SideItem[], people: readonly SideItem[], current: string): void {
    this.#items = [...channels, ...people];
    const stamp = JSON.stringify([current, ...this.#items.map((it) => [it.topic, it.title, it.presence, it.isModerator, it.place?.unread, it.place?.unreadMentions])]);
    if (stamp === this.#shown) return;
    this.#shown = stamp;
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.topic : undefined;
    byId('channels').replaceChildren(...channels.map((it) => line(it, current)));
    byId('people').replaceChildren(...people.map((it) => line(it, current)));
    if (people.length === 0) byId('people').append(element('li', 'nobody', 'Nobody else yet. Open this page in another browser.'));
    if (focused) document.querySelector<HTMLElement>(`#side [data-topic="${CSS.escape(focused)}"]`)?.focus();
  }

  /** Opens the finder. */
  find(): void {
    byId<HTMLInputElement>('finder-text').value = '';
    byId<HTMLDialogElement>('finder').showModal();
    this.#find();
  }

  /** The place so many lines further. */
  neighbor(current: string, by: number): string | undefined {
    const at = this.#items.findIndex(({ topic }) => topic === current);
    return this.#items[(at + by + this.#items.length) % this.#items.length]?.topic;
  }

  #find(): void {
    const found = foundBy(this.#items, byId<HTMLInputElement>('finder-text').value).slice(0, 8);
    const lines = found.map((it, at) => {
      const made = element('li', '', it.presence === undefined ? '# ' : dot(it.presence), it.title, badge(it.place));
      made.role = 'option';
      made.ariaSelected = String(at === 0);
      made.dataset.topic = it.topic;
      return made;
    });
    byId('finder-list').replaceChildren(...(lines.length > 0 ? lines : [element('li', 'nobody', 'nothing has this name')]));
  }

  #findBy(event: KeyboardEvent): void {
    const lines = [...byId('finder-list').querySelectorAll<HTMLElement>('[data-topic]')];
    const at = lines.findIndex((it) => it.ariaSelected === 'true');
    if (event.key === 'Enter') {
      event.preventDefault();
      this.#go(lines[at] ?? null);
    } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      const to = (at + (event.key === 'ArrowDown' ? 1 : -1) + lines.length) % lines.length;
      lines.forEach((it, index) => (it.ariaSelected = String(index === to)));
    }
  }

  #go(line: HTMLElement | null): void {
    const topic = line?.dataset.topic;
    if (!topic) return;
    byId<HTMLDialogElement>('finder').close();
    this.#open(topic);
  }
}

function line(it: SideItem, current: string): HTMLElement {
  const made = element('button', it.place && it.place.unread > 0 ? 'unread' : '');
  made.dataset.topic = it.topic;
  if (it.topic === current) made.ariaCurrent = 'true';
  if (it.presence === undefined) {
    const sign = element('span', 'sign', '#');
    sign.ariaHidden = 'true';
    made.append(sign);
  } else {
    const avatar = element('span', 'avatar', it.title.slice(0, 1).toUpperCase(), dot(it.presence));
    avatar.style.setProperty('--hue', String(hueOf(it.title.toLowerCase())));
    made.append(avatar);
  }
  made.append(element('span', 'title', it.title));
  if (it.isModerator) made.append(element('span', 'role', 'mod'));
  made.append(badge(it.place));
  return element('li', '', made);
}

function dot(presence: Presence): HTMLElement {
  const made = element('span', 'dot');
  made.dataset.presence = presence;
  made.title = presence;
  made.role = 'img';
  made.ariaLabel = presence;
  return made;
}

/** What is unread: in direct messages, or where somebody is named, it stands out. */
function badge(place: Place | undefined): HTMLElement {
  const made = element('span', 'badge');
  const mentions = place?.unreadMentions ?? 0;
  made.hidden = !place || place.unread === 0;
  if (!place || made.hidden) return made;
  const calls = mentions > 0 || place.topic.startsWith('dm/');
  made.classList.toggle('calls', calls);
  made.textContent = (mentions > 0 ? '@' : '') + countText(mentions > 0 ? mentions : place.unread);
  made.ariaLabel = `${place.unread} unread${mentions > 0 ? `, ${mentions} name you` : ''}`;
  return made;
}
