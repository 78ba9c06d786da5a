import { type Client, connect } from 'tickwire';
import { type CityMap, readCity } from './city';
import type { Fleet } from './fleet';

const RETRY_MS = 2000;
/** A tile that was seen a moment ago may be seen again. */
const LINGER_MS = 1500;

export type FeedState = 'connecting' | 'live' | 'lost';
type TileTable = ReturnType<Client['topics']['table']>;

/** Follows the map and the tiles that are wanted, over one session after another. */
export class Feed {
  client: Client | undefined;
  readonly #fleet: Fleet;
  readonly #show: (state: FeedState, text: string) => void;
  readonly #onMap: (map: CityMap) => void;
  readonly #tables = new Map<string, { table: TileTable; leaveAtMs: number }>();
  #wanted: readonly string[] = [];

  constructor(fleet: Fleet, show: (state: FeedState, text: string) => void, onMap: (map: CityMap) => void) {
    this.#fleet = fleet;
    this.#show = show;
    this.#onMap = onMap;
  }

  /** Goes on until the page is closed. */
  async run(): Promise<never> {
    for (;;) {
      try {
        this.client = await connect(location.origin);
        this.#begin(this.client);
        const { text } = await this.client.closed;
        this.#show('lost', text);
      } catch (error) {
        this.#show('lost', error instanceof Error ? error.message : String(error));
      }
      this.client = undefined;
      for (const tile of [...this.#tables.keys()]) this.#drop(tile);
      await new Promise((done) => setTimeout(done, RETRY_MS));
    }
  }

  /** Follows these tiles, and after a moment no others. */
  want(tiles: readonly string[], nowMs: number): void {
    this.#wanted = tiles;
    for (const tile of tiles) this.#follow(tile);
    const seen = new Set(tiles);
    for (const [tile, own] of this.#tables) {
      if (seen.has(tile)) own.leaveAtMs = nowMs + LINGER_MS;
      else if (nowMs > own.leaveAtMs) this.#drop(tile);
    }
  }

  /** The number of tiles that are followed. */
  get tiles(): number {
    return this.#tables.size;
  }

  #begin(client: Client): void {
    const live = () => this.#show('live', `live over ${client.transport === 'webtransport' ? 'WebTransport' : 'a WebSocket'}`);
    live();
    client.on('reconnecting', () => this.#show('connecting', 'reconnecting …'));
    client.on('resumed', live);
    client.on('moved', live);
    const map = client.topics.table('map');
    map.on('changed', () => {
      const parts = map.values('map');
      const length = Number(parts.get('bytes')?.text() ?? Infinity);
      const bytes: number[] = [];
      for (let part = 0; parts.has(`${part}`); part++) bytes.push(...parts.get(`${part}`)!.payload);
      if (bytes.length === length) this.#onMap(readCity(Uint8Array.from(bytes)));
    });
    for (const tile of this.#wanted) this.#follow(tile);
  }

  #follow(tile: string): void {
    if (!this.client || this.#tables.has(tile)) return;
    const table = this.client.topics.table(`couriers/${tile}`);
    this.#tables.set(tile, { table, leaveAtMs: performance.now() + LINGER_MS });
    table.on('changed', ({ key, value }) => {
      if (value) this.#fleet.take(tile, key, value.payload, value.timeMs, performance.now());
      else this.#fleet.remove(tile, key, performance.now());
    });
  }

  #drop(tile: string): void {
    this.#tables.get(tile)?.table.unsubscribe().catch(() => {});
    this.#tables.delete(tile);
    this.#fleet.forget(tile);
  }
}
