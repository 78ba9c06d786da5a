import { connect, type ErrorCode, TickwireError, type TransportKind } from 'tickwire';
import { arenaSchema } from './arena';
import type { Arena, ArenaClient } from './game';
import { loadRules } from './rules';

/** Another way to the server may do. */
const NO_WAY_CODES: readonly ErrorCode[] = ['Unreachable', 'ConnectTimeout', 'NoWebTransport', 'InsecurePage'];
/** Rocks drift evenly, and the own ship bounces off them: they are shown where it will meet them. */
const OPTIONS = { client: 'arena-web 0.1.0', core: loadRules, schema: arenaSchema, modes: { Asteroid: 'extrapolate' } } as const;
const TRANSPORTS: readonly TransportKind[] = ['webtransport', 'websocket'];

/** One way to the server of a page. Without a transport, WebTransport if it comes about. */
export interface Way {
  readonly host: string;
  readonly transport: TransportKind | undefined;
}

/**
 * The ways to the server of the page at this address, to be tried in turn: the same host and port number, over UDP or,
 * where that is blocked, TCP. `?transport=webtransport` or `websocket` takes that one and no other.
 *
 * `?port=` is for people who look at bad networks: that of a proxy on this host, which passes both on.
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
