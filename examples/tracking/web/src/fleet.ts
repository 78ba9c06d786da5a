import type { Point } from './city';

/** A place as it was told, and when. */
interface Fix extends Point {
  readonly timeMs: number;
}

const UNITS_PER_M = 8;
/** Couriers are shown so long ago: their places come every half second, and some come late. */
export const DELAY_MS = 900;
/** How much of a courier's way is shown. */
const TRAIL_MS = 30_000;
/** Between places that are farther apart in time nothing is guessed. */
const GAP_MS = 4000;

/** A courier with the last places that it told. */
export class Courier {
  readonly name: string;
  hasParcel = false;
  waits = false;
  /** The tile of the last place. */
  tile = '';
  /** When it left that tile, or fell silent. */
  goneAtMs: number | undefined;
  #way: Fix[] = [];

  constructor(name: string) {
    this.name = name;
  }

  /** Takes a place: two numbers of two bytes, and a byte of its state. Another than the last one's time is later. */
  take(payload: Uint8Array, timeMs: number): void {
    const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
    const [x, y, state] = [view.getUint16(0, true) / UNITS_PER_M, view.getUint16(2, true) / UNITS_PER_M, view.getUint8(4)];
    const last = this.#way.at(-1);
    if (last && timeMs <= last.timeMs) return;
    if (last && timeMs - last.timeMs > GAP_MS) this.#way = [];
    this.#way.push({ x, y, timeMs });
    while (this.#way[1] && this.#way[1].timeMs < timeMs - TRAIL_MS) this.#way.shift();
    [this.hasParcel, this.waits] = [(state & 1) !== 0, (state & 2) !== 0];
  }

  /** Where it was at a time: between two places, or at the last one. */
  at(timeMs: number): Point | undefined {
    const way = this.#way;
    for (let later = way.length - 1; later > 0; later--) {
      const [from, to] = [way[later - 1]!, way[later]!];
      if (from.timeMs > timeMs) continue;
      const part = Math.min((timeMs - from.timeMs) / (to.timeMs - from.timeMs), 1);
      return { x: from.x + (to.x - from.x) * part, y: from.y + (to.y - from.y) * part };
    }
    const [first] = way;
    return first && { x: first.x, y: first.y };
  }

  /** Its way up to a time, oldest first. */
  trail(timeMs: number): Point[] {
    const here = this.at(timeMs);
    const before = this.#way.filter((fix) => fix.timeMs <= timeMs);
    return here ? [...before, here] : before;
  }

  /** Metres a second in its last seconds. */
  get speed(): number {
    const [last, before] = [this.#way.at(-1), this.#way.at(-5) ?? this.#way[0]];
    if (!last || !before || last === before) return 0;
    return (Math.hypot(last.x - before.x, last.y - before.y) * 1000) / (last.timeMs - before.timeMs);
  }
}

/** The couriers of the followed tiles. */
export class Fleet {
  readonly couriers = new Map<string, Courier>();
  /** Places that came so far. */
  taken = 0;
  /** The server's time less this page's; the least delay that was seen. */
  #aheadMs = -Infinity;

  take(tile: string, name: string, payload: Uint8Array, timeMs: number, nowMs: number): void {
    this.taken++;
    this.#aheadMs = Math.max(this.#aheadMs, timeMs - nowMs);
    let courier = this.couriers.get(name);
    if (!courier) this.couriers.set(name, (courier = new Courier(name)));
    courier.take(payload, timeMs);
    courier.tile = tile;
    courier.goneAtMs = undefined;
  }

  /** A courier has left a tile, or says nothing more. Its place in the next tile may come later, or came before. */
  remove(tile: string, name: string, nowMs: number): void {
    const courier = this.couriers.get(name);
    if (courier?.tile === tile) courier.goneAtMs = nowMs;
  }

  /** Removes those that are gone since what is shown. */
  sweep(nowMs: number): void {
    for (const [name, { goneAtMs }] of this.couriers) {
      if (goneAtMs !== undefined && nowMs - goneAtMs > DELAY_MS) this.couriers.delete(name);
    }
  }

  /** A tile is followed no more. */
  forget(tile: string): void {
    for (const [name, courier] of this.couriers) if (courier.tile === tile) this.couriers.delete(name);
  }

  /** The time of the server that is shown. */
  shownMs(nowMs: number): number {
    return nowMs + this.#aheadMs - DELAY_MS;
  }
}
