import type { TransportKind } from './transport.js';

/** Experience of earlier sessions with a server: WebTransport worked, is blocked, or stalls. */
export type Known = 'webtransport' | 'blocked' | 'stalled';

/** When to try each transport. Times are milliseconds in which the page runs. */
export interface Plan {
  /**
   * Milliseconds from the start to each attempt. An attempt without a time starts when the other
   * has failed.
   */
  beginMs: Partial<Record<TransportKind, number>>;
  /** Milliseconds for which an open WebSocket waits for WebTransport. */
  holdMs: number;
}

/**
 * A browser that has measured nothing repeats a lost datagram of the handshake after 0.3, 0.9 and
 * 2.1 s.
 */
const HOLD_MS = 1000;
/** WebTransport takes two to three round trips, and some more for each loss. */
const HOLD_ROUND_TRIPS = 15;
/**
 * Weight of the machine's own delay: it is measured on one request, but a handshake is several
 * steps of two programs.
 */
const HOLD_DELAYS = 5;
const DELAY_MS_MAX = 400;
/** TCP, TLS and the request, and one to spare. */
const WEBSOCKET_ROUND_TRIPS = 4;
/** Assumed where nothing was measured. */
const ROUND_TRIP_MS = 100;
const ROUND_TRIP_MS_MAX = 300;
/** WebTransport is worth a longer wait where it worked before. */
const KNOWN_FACTOR = 2;

/**
 * The plan for a server, from what is known of the path. `askedMs` is how long the request for its
 * hashes took.
 */
export function planFor(known: Known | undefined, roundTripMs = ROUND_TRIP_MS, askedMs = 0): Plan {
  if (known === 'stalled') return { beginMs: { websocket: 0 }, holdMs: 0 };
  if (known === 'blocked') return { beginMs: { webtransport: 0, websocket: 0 }, holdMs: 0 };
  const trip = Math.min(roundTripMs, ROUND_TRIP_MS_MAX);
  // A request on a new connection takes three round trips; the rest is the delay of a busy machine.
  const delayMs = Math.min(Math.max(0, askedMs - 3 * trip), DELAY_MS_MAX);
  const holdMs = (HOLD_MS + HOLD_ROUND_TRIPS * trip + HOLD_DELAYS * delayMs) * (known === 'webtransport' ? KNOWN_FACTOR : 1);
  return { beginMs: { webtransport: 0, websocket: holdMs - WEBSOCKET_ROUND_TRIPS * trip }, holdMs };
}

/**
 * The round trip to a server in milliseconds: the shortest that the browser measured for resources
 * of this page or worker from that host and port, or else from another port of the host; undefined
 * if it measured none.
 */
export function roundTripMs({ host, hostname }: URL): number | undefined {
  const entries = ['navigation', 'resource'].flatMap((type) => performance.getEntriesByType?.(type) ?? []);
  const seen = (entries as PerformanceResourceTiming[])
    // A resource from the cache made no trip, and another origin may hide its times as zero.
    .filter(({ name, transferSize, requestStart }) => transferSize > 0 && requestStart > 0 && URL.canParse(name))
    .map(({ name, requestStart, responseStart }) => ({ from: new URL(name), ms: responseStart - requestStart }))
    .filter(({ ms }) => ms > 0);
  const least = (times: typeof seen) => (times.length > 0 ? Math.min(...times.map(({ ms }) => ms)) : undefined);
  return least(seen.filter(({ from }) => from.host === host)) ?? least(seen.filter(({ from }) => from.hostname === hostname));
}

const KEY = 'tickwire.path.';
const KEEP_MS = 24 * 3600 * 1000;
const KNOWN: readonly Known[] = ['webtransport', 'blocked', 'stalled'];
/** For workers, which have no `localStorage`, and for pages that may not use it. */
const kept = new Map<string, string>();

/** The experience remembered for a server (host and port), for a day. */
export function recall(host: string, nowMs = Date.now()): Known | undefined {
  const [known, untilMs] = read(KEY + host)?.split(' ') ?? [];
  const leftMs = Number(untilMs) - nowMs;
  return leftMs > 0 && leftMs <= KEEP_MS ? KNOWN.find((one) => one === known) : undefined;
}

/** Remembers a session's experience for a day. */
export function remember(host: string, known: Known, nowMs = Date.now()): void {
  const value = `${known} ${nowMs + KEEP_MS}`;
  kept.set(KEY + host, value);
  try {
    globalThis.localStorage?.setItem(KEY + host, value);
  } catch {
    // The storage is full or forbidden.
  }
}

function read(key: string): string | undefined {
  try {
    return globalThis.localStorage?.getItem(key) ?? kept.get(key);
  } catch {
    return kept.get(key);
  }
}
