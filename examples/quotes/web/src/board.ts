// A list of thousands of shares, of which only the rows in sight are in the document.
import { changeText, priceText, shortText } from './format';
import { changeOf, type Market, type Share } from './market';
import { isLive, ordered, type Query, type SortKey } from './order';

/** Rows beyond both edges, for a scroll to find them there. */
const OVERSCAN = 4;
/** An order that follows the prices is made anew this often. */
const SORT_MS = 1000;
const FLASH_MS = 600;

const byId = (id: string) => document.getElementById(id)!;

/** The board. Call {@link draw} once a frame. */
export class Board {
  /** The shares that match, in order. */
  shares: Share[] = [];
  readonly #market: Market;
  readonly #query: Query = { text: '', sort: 'symbol', isDescending: false };
  readonly #choose: (share: Share) => void;
  readonly #list = byId('rows');
  readonly #space = byId('space');
  readonly #rows: Row[] = [];
  readonly #calm = matchMedia('(prefers-reduced-motion: reduce)');
  #chosen: string | undefined;
  #version = -1;
  #orderedMs = 0;
  #rowPx = 0;

  /** `choose` is called with the share that somebody chooses. */
  constructor(market: Market, choose: (share: Share) => void) {
    this.#market = market;
    this.#choose = choose;
    new ResizeObserver(() => this.#measure()).observe(this.#list);
    this.#measure();
    this.#list.addEventListener('keydown', (event) => this.#onKey(event));
    this.#list.addEventListener('click', ({ target }) => this.#onClick(target as Element));
    for (const button of document.querySelectorAll<HTMLButtonElement>('[data-sort]')) {
      button.addEventListener('click', () => this.#sortBy(button.dataset.sort as SortKey));
    }
    this.#showSort();
  }

  /** Shows the shares that have every word of `text`. */
  filter(text: string): void {
    this.#query.text = text;
    this.#list.scrollTop = 0;
    this.#order();
  }

  /** Marks a share as the chosen one. */
  mark(symbol: string): void {
    this.#chosen = symbol;
  }

  /** Shows what has changed since the last frame. */
  draw(nowMs: number): void {
    const isOld = isLive(this.#query) && nowMs - this.#orderedMs >= SORT_MS;
    if (this.#version !== this.#market.version || isOld) this.#order();
    const first = Math.max(0, Math.floor(this.#list.scrollTop / this.#rowPx) - OVERSCAN);
    const count = Math.ceil(this.#list.clientHeight / this.#rowPx) + 2 * OVERSCAN;
    while (this.#rows.length < count) this.#rows.push(this.#newRow());
    // A row keeps its place in the document while it is in sight.
    for (let at = 0; at < this.#rows.length; at++) {
      const place = first + ((((at - first) % this.#rows.length) + this.#rows.length) % this.#rows.length);
      const share = place < first + count ? this.shares[place] : undefined;
      this.#rows[at]!.show(share, place * this.#rowPx, { isChosen: share?.symbol === this.#chosen, isCalm: this.#calm.matches });
    }
  }

  #measure(): void {
    this.#rowPx = parseFloat(getComputedStyle(this.#list).getPropertyValue('--row'));
    // The head of the columns is not scrolled, and has no bar.
    const { offsetWidth, clientWidth } = this.#list;
    this.#list.parentElement!.style.setProperty('--bar', `${offsetWidth - clientWidth}px`);
    this.#version = -1;
  }

  #newRow(): Row {
    const row = new Row(this.#rows.length);
    this.#space.append(row.element);
    return row;
  }

  #order(): void {
    this.#version = this.#market.version;
    this.#orderedMs = performance.now();
    this.shares = ordered(this.#market.shares.values(), this.#query);
    this.#space.style.height = `${this.shares.length * this.#rowPx}px`;
    byId('empty').hidden = this.shares.length > 0 || this.#market.shares.size === 0;
    byId('found').textContent = `${this.shares.length} of ${this.#market.shares.size}`;
  }

  #sortBy(sort: SortKey): void {
    const isWord = sort === 'symbol' || sort === 'name';
    this.#query.isDescending = this.#query.sort === sort ? !this.#query.isDescending : !isWord;
    this.#query.sort = sort;
    this.#list.scrollTop = 0;
    this.#showSort();
    this.#order();
  }

  #showSort(): void {
    for (const button of document.querySelectorAll<HTMLButtonElement>('[data-sort]')) {
      const isSorted = button.dataset.sort === this.#query.sort;
      button.ariaPressed = String(isSorted);
      button.dataset.order = isSorted ? (this.#query.isDescending ? 'down' : 'up') : '';
    }
  }

  #onClick(target: Element): void {
    const symbol = target.closest<HTMLElement>('[data-symbol]')?.dataset.symbol;
    const share = symbol === undefined ? undefined : this.#market.shares.get(symbol);
    if (share) this.#choose(share);
  }

  #onKey(event: KeyboardEvent): void {
    const page = Math.max(1, Math.floor(this.#list.clientHeight / this.#rowPx) - 1);
    const steps: Record<string, number> = { ArrowUp: -1, ArrowDown: 1, PageUp: -page, PageDown: page, Home: -Infinity, End: Infinity };
    const step = steps[event.key];
    if (step === undefined || event.altKey || event.ctrlKey || event.metaKey || this.shares.length === 0) return;
    event.preventDefault();
    const at = this.shares.findIndex(({ symbol }) => symbol === this.#chosen);
    const from = at < 0 ? Math.ceil(this.#list.scrollTop / this.#rowPx) - Math.sign(step) : at;
    const to = Math.min(this.shares.length - 1, Math.max(0, from + step));
    this.#choose(this.shares[to]!);
    this.#reveal(to);
  }

  #reveal(at: number): void {
    const top = at * this.#rowPx;
    const { scrollTop, clientHeight } = this.#list;
    if (top < scrollTop) this.#list.scrollTop = top;
    else if (top + this.#rowPx > scrollTop + clientHeight) this.#list.scrollTop = top + this.#rowPx - clientHeight;
  }
}

/** A row of the document, which shows one share after another. */
class Row {
  readonly element = document.createElement('div');
  readonly #cells: Record<SortKey, HTMLElement>;
  #share: Share | undefined;
  #version = -1;
  #changes = -1;
  #topPx = -1;

  constructor(at: number) {
    const cell = (name: SortKey) => {
      const element = document.createElement('span');
      element.className = name;
      this.element.append(element);
      return element;
    };
    this.element.id = `row-${at}`;
    this.element.className = 'row';
    this.element.role = 'option';
    this.#cells = { symbol: cell('symbol'), name: cell('name'), price: cell('price'), change: cell('change'), volume: cell('volume') };
  }

  show(share: Share | undefined, topPx: number, { isChosen, isCalm }: { isChosen: boolean; isCalm: boolean }): void {
    const { element } = this;
    element.hidden = !share;
    if (!share) {
      element.ariaSelected = 'false';
      return;
    }
    if (topPx !== this.#topPx) element.style.transform = `translateY(${(this.#topPx = topPx)}px)`;
    if (element.ariaSelected !== String(isChosen)) {
      element.ariaSelected = String(isChosen);
      if (isChosen) element.parentElement!.parentElement!.setAttribute('aria-activedescendant', element.id);
    }
    const isNew = share !== this.#share;
    if (!isNew && share.version === this.#version) return;
    const hasMoved = !isNew && share.changes !== this.#changes;
    this.#write(share);
    if (hasMoved && !isCalm) flash(this.#cells.price, share.moved > 0);
  }

  #write(share: Share): void {
    const { symbol, name, price, change, volume } = this.#cells;
    const part = changeOf(share);
    this.element.dataset.symbol = symbol.textContent = share.symbol;
    name.textContent = share.name;
    price.textContent = priceText(share.cents);
    price.dataset.way = share.changes === 0 ? '' : share.moved > 0 ? 'up' : 'down';
    change.textContent = changeText(part);
    change.dataset.way = part >= 0.00005 ? 'up' : part <= -0.00005 ? 'down' : '';
    volume.textContent = shortText(share.volume);
    this.#share = share;
    this.#changes = share.changes;
    this.#version = share.version;
  }
}

function flash(cell: HTMLElement, isUp: boolean): void {
  cell.getAnimations().forEach((animation) => animation.cancel());
  cell.animate([{ backgroundColor: `var(--flash-${isUp ? 'up' : 'down'})` }, { backgroundColor: 'transparent' }], FLASH_MS);
}
