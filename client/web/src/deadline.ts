import { TickwireError } from './errors.js';

/** Limits of a wait. */
export interface Deadline {
  /** Milliseconds after which it fails as `ConnectTimeout`. */
  timeoutMs: number;
  /** Fails as `Aborted` when it fires. */
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

/** Resolves after this many milliseconds. */
export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
