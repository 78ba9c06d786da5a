// The session with the server, begun again whenever it ends, and what the page reads by it.
import { type Client, type ConnectOptions, connect, type TopicMessage, type TopicSubscription } from 'tickwire';
import { type Market, pointsOf, Skips } from './market';

/** What the page says of its connection. */
export type FeedState = 'connecting' | 'live' | 'lost';

/** Who shows what comes. */
export interface Screen {
  state(state: FeedState, text: string): void;
  /** The points of the chosen share's chart begin anew. */
  chartBegins(): void;
  chart(points: [timeS: number, cents: number][]): void;
}

/** Pause before another session is tried. */
const RETRY_MS = 1000;
/** Pause of a slow reader. */
const SLOW_MS = 2000;
const ALL = { last: Infinity };

/** Reads the board and one chart. */
export class Feed {
  /** The board's reader pauses after each reading. */
  isSlow = false;
  /** Prices that it has read. */
  read = 0;
  readonly skips = new Skips();
  client: Client | undefined;
  readonly #market: Market;
  readonly #screen: Screen;
  #symbol: string | undefined;
  #chart: TopicSubscription | undefined;

  constructor(market: Market, screen: Screen) {
    this.#market = market;
    this.#screen = screen;
  }

  /** Holds a session with the server for ever. */
  async run(url: string, options: ConnectOptions): Promise<never> {
    for (;;) {
      try {
        this.#begin(await connect(url, options));
        const { text } = await this.client!.closed;
        this.#screen.state('lost', text);
      } catch (error) {
        this.#screen.state('lost', error instanceof Error ? error.message : String(error));
      }
      this.client = this.#chart = undefined;
      await pause(RETRY_MS);
    }
  }

  /** Reads the chart of another share. */
  choose(symbol: string): void {
    if (symbol === this.#symbol) return;
    this.#symbol = symbol;
    void this.#chart?.unsubscribe();
    this.#readChart();
  }

  #begin(client: Client): void {
    this.client = client;
    const live = () => this.#screen.state('live', client.transport === 'webtransport' ? 'WebTransport' : 'WebSocket');
    client.on('reconnecting', ({ attempt }) => this.#screen.state('lost', `connection lost, attempt ${attempt}`));
    client.on('resumed', live);
    client.on('moved', live);
    live();
    const names = client.topics.subscribe('names/*', { delivery: 'latest', start: ALL });
    names.on('message', (message) => this.#market.takeName(message));
    this.skips.begin();
    void this.#readBoard(client.topics.subscribe('board/*', { delivery: 'latest', start: ALL }));
    this.#readChart();
  }

  /** One price after the other: those that wait meanwhile give way to newer ones of the same share. */
  async #readBoard(board: TopicSubscription): Promise<void> {
    try {
      for await (const message of board) {
        this.#take(message);
        if (board.unread === 0) await this.#rest();
      }
    } catch {
      // The session is over, which `closed` tells with its reason.
    }
  }

  #take(message: TopicMessage): void {
    this.#market.takeQuote(message);
    this.skips.see(message);
    this.read++;
  }

  async #rest(): Promise<void> {
    for (const end = performance.now() + SLOW_MS; this.isSlow && performance.now() < end; ) await pause(50);
  }

  /** Every point in order, those first that the server keeps. */
  #readChart(): void {
    this.#screen.chartBegins();
    if (!this.client || this.#symbol === undefined) return;
    this.#chart = this.client.topics.subscribe(`chart/${this.#symbol}`, { start: ALL });
    this.#chart.on('message', (message) => this.#screen.chart(pointsOf(message)));
    // A server that was started again begins it anew.
    this.#chart.on('followed', ({ isContinued }) => isContinued || this.#screen.chartBegins());
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
