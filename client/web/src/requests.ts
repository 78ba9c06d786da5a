import { TickwireError } from './errors.js';
import type { Refused } from './messages.js';

interface Pending {
  resolve: (value: never) => void;
  reject: (error: TickwireError) => void;
}

/** Requests that wait for their answer, by the number that the core gave them and the answer names. */
export class Requests {
  readonly #pending = new Map<number, Pending>();

  /** Whether any waits. */
  get areAny(): boolean {
    return this.#pending.size > 0;
  }

  /** A promise of the answer. Not awaiting it is allowed: its rejection is never unhandled. */
  add<T>(request: number): Promise<T> {
    const promise = new Promise<T>((resolve, reject) => {
      this.#pending.set(request, { resolve: resolve as (value: never) => void, reject });
    });
    promise.catch(() => {});
    return promise;
  }

  /** Answers a request. */
  resolve(request: number, value?: unknown): void {
    this.#take(request)?.resolve(value as never);
  }

  /** Turns a request down. */
  refuse(request: number, { code, text, gameCode }: Refused): void {
    this.#take(request)?.reject(new TickwireError(code, text, { gameCode }));
  }

  /** Turns down everything that waits: the session is over. */
  end(error: TickwireError): void {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const request of pending) request.reject(error);
  }

  #take(request: number): Pending | undefined {
    const pending = this.#pending.get(request);
    this.#pending.delete(request);
    return pending;
  }
}

/** A promise that is rejected. It need not be awaited. */
export function refused(error: Error): Promise<never> {
  const promise = Promise.reject(error);
  promise.catch(() => {});
  return promise;
}
