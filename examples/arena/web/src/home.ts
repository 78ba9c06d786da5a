import { connect, type ErrorCode, TickwireError, type TransportKind } from 'tickwire';
import { arenaSchema } from './arena';
import type { Arena, ArenaClient } from './game';
import { loadRules } from './rules';

/** Errors that another way to the server may avoid. */
const NO_WAY_CODES: readonly ErrorCode[] = ['Unreachable', 'ConnectTimeout', 'NoWebTransport', 'InsecurePage'];
/**
 * Rocks drift evenly and the own ship bounces off them, so they are extrapolated to where it will
 * meet them.
 */
const OPTIONS = { client: 'arena-web 0.1.0', core: loadRules, schema: arenaSchema, modes: { Asteroid: 'extrapolate' } } as const;
const TRANSPORTS: readonly TransportKind[] = ['webtransport', 'websocket'];

/** A way to the page's server. Without a transport, it prefers WebTransport. */
export interface Way {
  readonly host: string;
  readonly transport: TransportKind | undefined;
}

/**
 * The ways to the server of the page at this address, to be tried in turn: the same host and port
 * number, over UDP or, where that is blocked, TCP. `?transport=webtransport` or `websocket` forces
 * that one.
 *
 * `?port=` is for tests of bad networks: the port of a proxy on this host, which passes on both UDP
 * and TCP.
 */
export function waysHome({ hostname, port, searchParams }: URL): Way[] {
  const proxy = searchParams.get('port');
  const transport = TRANSPORTS.find((kind) => kind === searchParams.get('transport'));
  const at = (name: string) => [name, proxy ?? port].filter(Boolean).join(':');
  const way = { host: at(hostname), transport };
  if (hostname !== 'localhost' || transport === 'websocket') return [way];
  // Over TCP a browser tries every address of "localhost", over UDP only the first, ::1.
  return [{ ...way, transport: 'webtransport' }, { host: at('127.0.0.1'), transport }];
}

/** Connects to the server of this page. */
export async function connectHome(): Promise<ArenaClient> {
  const ways = waysHome(new URL(location.href));
  for (;;) {
    const { host, transport } = ways.shift()!;
    try {
      return await connect<Arena>(`https://${host}/`, { ...OPTIONS, transport });
    } catch (error) {
      if (ways.length === 0 || !(error instanceof TickwireError && NO_WAY_CODES.includes(error.code))) throw error;
    }
  }
}
