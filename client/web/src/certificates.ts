import { TickwireError } from './errors.js';
import { ownOrigin } from './origin.js';

/** The hash of a certificate that the browser shall trust although no authority signed it. */
export interface CertificateHash {
  /** `sha-256`, the only one browsers take. */
  algorithm: string;
  /** 32 bytes. */
  value: Uint8Array<ArrayBuffer>;
}

/** Where a tickwire server publishes its hashes. */
export const CERTIFICATE_PATH = '/certificate.json';

/**
 * The hashes of the server that served this page or worker: of its certificate and of the next one.
 *
 * None when the server publishes none, as one with a certificate of a public authority does.
 */
export async function fetchCertificateHashes(signal?: AbortSignal): Promise<CertificateHash[]> {
  let response: Response;
  try {
    response = await fetch((ownOrigin() ?? '') + CERTIFICATE_PATH, { cache: 'no-store', signal: signal ?? null });
  } catch (cause) {
    if (signal?.aborted) throw new TickwireError('Aborted', undefined, { cause });
    const text = 'the server that served this page does not answer any more; check that it runs, then try again';
    throw new TickwireError('Unreachable', text, { cause });
  }
  if (response.status === 404) return [];
  try {
    return parseCertificateHashes(await response.json());
  } catch (cause) {
    const text =
      `${CERTIFICATE_PATH} of this page's server is no list of certificate hashes: let the tickwire server serve the page, ` +
      'pass that path on to it, or give certificateHashes';
    throw new TickwireError('ServerMisbehaved', text, { cause });
  }
}

/** Reads `{"hashes": [{"algorithm": "sha-256", "value": "<base64>"}]}`. Throws a `TypeError` for anything else. */
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
