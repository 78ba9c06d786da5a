import { TickwireError } from './errors.js';

/** How long to wait, and for whom. */
export interface Deadline {
  /** Then it is a `ConnectTimeout`. */
  timeoutMs: number;
  /** When it fires, it is `Aborted`. */
  signal?: AbortSignal | undefined;
}

/** `promise`, unless the time is over or the signal fires first. */
export function inTime<T>(promise: Promise<T>, { timeoutMs, signal }: Deadline): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(new TickwireError('Aborted'));
    const timer = setTimeout(() => reject(new TickwireError('ConnectTimeout')), timeoutMs);
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort);
    promise.then(resolve, reject).finally(() => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    });
  });
}

/** Waits so long. */
export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
