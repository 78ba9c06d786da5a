import { TickwireError } from './errors.js';
import { ownOrigin } from './origin.js';

/** The hash of a certificate that the browser shall trust although no authority signed it. */
export interface CertificateHash {
  /** `sha-256`, the only one browsers take. */
  algorithm: string;
  /** 32 bytes. */
  value: Uint8Array<ArrayBuffer>;
}

/** The path at which a tickwire server publishes its hashes. */
export const CERTIFICATE_PATH = '/certificate.json';

/** How a server is reached, as it says itself or as a development server says for it. */
export interface Directions {
  /** Certificates to trust. */
  certificateHashes: readonly CertificateHash[];
  /** Where WebTransport is, if not where it was asked: a development server passes no datagrams on. */
  webTransportUrl?: string | undefined;
}

/** Longest text of a proxy's answer that is shown to a person. */
const TEXT_CHARACTERS_MAX = 300;

/**
 * The hashes that the server at `url` publishes: of its certificate and of the next one. Without
 * `url`, those of the server that served this page or worker.
 *
 * Empty if the server publishes none, such as one with a certificate of a public authority.
 */
export async function fetchCertificateHashes(url?: string | URL, signal?: AbortSignal): Promise<CertificateHash[]> {
  return [...(await fetchDirections(url, signal)).certificateHashes];
}

/** The same, and where WebTransport is. Only the page's own server may send it elsewhere. */
export async function fetchDirections(url?: string | URL, signal?: AbortSignal): Promise<Directions> {
  const addresses = certificateAddresses(url);
  let cause: unknown;
  for (const address of addresses) {
    try {
      return await fetchFrom(address, signal);
    } catch (error) {
      if (error instanceof TickwireError) throw error;
      cause = error;
    }
  }
  // A server elsewhere may serve no HTTP at all: then it has a certificate of a public authority.
  if (!addresses.includes(ownAddress() ?? '')) return { certificateHashes: [] };
  const text = `no answer from ${addresses[0]}: check that the server that served this page still runs, then try again`;
  throw new TickwireError('Unreachable', text, { cause });
}

/**
 * The addresses to ask. A development server has no TLS over TCP, and a page loaded with TLS cannot
 * ask without it; a page loaded without TLS most likely came from such a server.
 */
function certificateAddresses(url: string | URL | undefined): string[] {
  const own = ownAddress();
  if (url === undefined) return [own ?? CERTIFICATE_PATH];
  const { protocol, host } = new URL(url);
  if (own && host === new URL(own).host) return [own];
  const [plain, tls] = [`http://${host}${CERTIFICATE_PATH}`, `https://${host}${CERTIFICATE_PATH}`];
  if (protocol === 'http:') return [plain];
  return own?.startsWith('https:') ? [tls] : [plain, tls];
}

/** The address at the server of this page or worker, if it came from one. */
function ownAddress(): string | undefined {
  const origin = ownOrigin();
  return origin && origin + CERTIFICATE_PATH;
}

async function fetchFrom(address: string, signal: AbortSignal | undefined): Promise<Directions> {
  let response: Response;
  try {
    response = await fetch(address, { cache: 'no-store', signal: signal ?? null });
  } catch (cause) {
    if (!signal?.aborted) throw cause;
    throw new TickwireError('Aborted', undefined, { cause });
  }
  if (response.status === 404) return { certificateHashes: [] };
  if (response.status >= 502 && response.status <= 504) throw await unreachable(response);
  try {
    const json: unknown = await response.json();
    return { certificateHashes: parseCertificateHashes(json), webTransportUrl: address === ownAddress() ? webTransportUrlOf(json) : undefined };
  } catch (cause) {
    const text =
      `${address} is no list of certificate hashes: let the tickwire server answer that address, or give certificateHashes`;
    throw new TickwireError('ServerMisbehaved', text, { cause });
  }
}

/** What stands before the server did not reach it. The development server of the package says why. */
async function unreachable(response: Response): Promise<TickwireError> {
  const isText = response.headers.get('content-type')?.startsWith('text/plain');
  const text = isText ? (await response.text().catch(() => '')).slice(0, TEXT_CHARACTERS_MAX) : '';
  return new TickwireError('Unreachable', text || undefined);
}

function webTransportUrlOf(json: unknown): string | undefined {
  const url = (json as { webTransportUrl?: unknown } | null)?.webTransportUrl;
  if (url === undefined) return undefined;
  if (typeof url !== 'string' || new URL(url).protocol !== 'https:') throw new TypeError('webTransportUrl is no https URL');
  return url;
}

/**
 * Reads `{"hashes": [{"algorithm": "sha-256", "value": "<base64>"}]}`. Throws a `TypeError` for
 * anything else.
 */
export function parseCertificateHashes(json: unknown): CertificateHash[] {
  const hashes = (json as { hashes?: unknown } | null)?.hashes;
  if (!Array.isArray(hashes)) throw new TypeError('no list "hashes"');
  return hashes.map((hash: { algorithm?: unknown; value?: unknown } | null) => {
    if (hash?.algorithm !== 'sha-256') throw new TypeError(`hash algorithm ${String(hash?.algorithm)}`);
    const value = Uint8Array.from(atob(String(hash.value)), (char) => char.charCodeAt(0));
    if (value.length !== 32) throw new TypeError(`a SHA-256 hash of ${value.length} bytes`);
    return { algorithm: 'sha-256', value };
  });
}
