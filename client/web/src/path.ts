import type { TransportKind } from './transport.js';

/** What earlier sessions with a server showed: over what it plays, and that WebTransport does not come about or stalls. */
export type Known = 'webtransport' | 'blocked' | 'stalled';

/** When each transport is tried; times are milliseconds of a page that runs. */
export interface Plan {
  /** From the start to each beginning. One that is not given begins when the other has failed. */
  beginMs: Partial<Record<TransportKind, number>>;
  /** So long a WebSocket that is open waits for WebTransport. */
  holdMs: number;
}

/** Once a datagram of the handshake is lost, a browser that has measured nothing sends it again after 0.3, 0.9, 2.1 s. */
const HOLD_MS = 1000;
/** WebTransport takes two to three round trips, and each thing that is lost some more. */
const HOLD_ROUND_TRIPS = 15;
/** What the machine adds to a question it adds to a handshake, which is several steps of two programs. */
const HOLD_DELAYS = 5;
const DELAY_MS_MAX = 400;
/** TCP, TLS and the request, and one to spare. */
const WEBSOCKET_ROUND_TRIPS = 4;
/** Where nothing was measured. */
const ROUND_TRIP_MS = 100;
const ROUND_TRIP_MS_MAX = 300;
/** Where it worked before, it is worth a longer wait. */
const KNOWN_FACTOR = 2;

/** When to try what, by what is known of the way to a server. `askedMs` is how long it took to ask it for its hashes. */
export function planFor(known: Known | undefined, roundTripMs = ROUND_TRIP_MS, askedMs = 0): Plan {
  if (known === 'stalled') return { beginMs: { websocket: 0 }, holdMs: 0 };
  if (known === 'blocked') return { beginMs: { webtransport: 0, websocket: 0 }, holdMs: 0 };
  const trip = Math.min(roundTripMs, ROUND_TRIP_MS_MAX);
  // A question on a new connection is three round trips; what is beyond them is a machine that is busy.
  const delayMs = Math.min(Math.max(0, askedMs - 3 * trip), DELAY_MS_MAX);
  const holdMs = (HOLD_MS + HOLD_ROUND_TRIPS * trip + HOLD_DELAYS * delayMs) * (known === 'webtransport' ? KNOWN_FACTOR : 1);
  return { beginMs: { webtransport: 0, websocket: holdMs - WEBSOCKET_ROUND_TRIPS * trip }, holdMs };
}

/**
 * The round trip to a server in milliseconds, by the least that the browser measured of what this page or worker loaded
 * from there, or from another port of its host; nothing if it measured none.
 */
export function roundTripMs({ host, hostname }: URL): number | undefined {
  const entries = ['navigation', 'resource'].flatMap((type) => performance.getEntriesByType?.(type) ?? []);
  const seen = (entries as PerformanceResourceTiming[])
    // What came from a cache went nowhere; what another origin does not let us see is zero.
    .filter(({ name, transferSize, requestStart }) => transferSize > 0 && requestStart > 0 && URL.canParse(name))
    .map(({ name, requestStart, responseStart }) => ({ from: new URL(name), ms: responseStart - requestStart }))
    .filter(({ ms }) => ms > 0);
  const least = (times: typeof seen) => (times.length > 0 ? Math.min(...times.map(({ ms }) => ms)) : undefined);
  return least(seen.filter(({ from }) => from.host === host)) ?? least(seen.filter(({ from }) => from.hostname === hostname));
}

const KEY = 'tickwire.path.';
const KEEP_MS = 24 * 3600 * 1000;
const KNOWN: readonly Known[] = ['webtransport', 'blocked', 'stalled'];
/** For workers, which have no `localStorage`, and pages that may not use it. */
const kept = new Map<string, string>();

/** What was remembered of a server (host and port) within a day. */
export function recall(host: string, nowMs = Date.now()): Known | undefined {
  const [known, untilMs] = read(KEY + host)?.split(' ') ?? [];
  const leftMs = Number(untilMs) - nowMs;
  return leftMs > 0 && leftMs <= KEEP_MS ? KNOWN.find((one) => one === known) : undefined;
}

/** Remembers what a session showed, for a day. */
export function remember(host: string, known: Known, nowMs = Date.now()): void {
  const value = `${known} ${nowMs + KEEP_MS}`;
  kept.set(KEY + host, value);
  try {
    globalThis.localStorage?.setItem(KEY + host, value);
  } catch {
    // Full, or not allowed.
  }
}

function read(key: string): string | undefined {
  try {
    return globalThis.localStorage?.getItem(key) ?? kept.get(key);
  } catch {
    return kept.get(key);
  }
}
