import { TickwireError } from './errors.js';
import type { Transport, TransportKind } from './transport.js';

/** How long WebTransport is alone before a WebSocket is tried as well. */
export const HEAD_START_MS = 200;

/** How to open each transport, until the signal fires. */
export type Openers = Record<TransportKind, (signal: AbortSignal) => Promise<Transport>>;

/**
 * Opens whichever transport comes about first. WebTransport has a head start, unless it fails sooner;
 * what is open too late is closed. When neither comes about, WebTransport's failure is thrown, or the
 * WebSocket's where the browser has no WebTransport.
 */
export function race(open: Openers, signal?: AbortSignal): Promise<Transport> {
  return new Promise((resolve, reject) => {
    const stop = new AbortController();
    const onAbort = () => stop.abort();
    signal?.addEventListener('abort', onAbort);
    if (signal?.aborted) stop.abort();
    const failures: Partial<Record<TransportKind, unknown>> = {};
    let won = false;
    let begun = false;

    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    const run = (kind: TransportKind) => {
      open[kind](stop.signal).then(
        (transport) => {
          if (won) return void transport.close(0, 'another transport was faster').catch(() => {});
          won = true;
          done();
          resolve(transport);
          stop.abort();
        },
        (error: unknown) => {
          failures[kind] = error;
          if (won) return;
          if ('webtransport' in failures && 'websocket' in failures) {
            done();
            return reject(told(failures.webtransport, failures.websocket));
          }
          if (kind === 'webtransport') second();
        },
      );
    };
    const second = () => {
      clearTimeout(timer);
      if (begun) return;
      begun = true;
      run('websocket');
    };
    const timer = setTimeout(second, HEAD_START_MS);
    run('webtransport');
  });
}

/** Which of two failures is told. */
function told(webTransport: unknown, webSocket: unknown): unknown {
  const code = webTransport instanceof TickwireError ? webTransport.code : undefined;
  return code === 'NoWebTransport' || code === 'InsecurePage' ? webSocket : webTransport;
}
