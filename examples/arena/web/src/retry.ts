/**
 * Longest pause before the first attempt; it doubles with each attempt, up to {@link LONGEST_MS}.
 */
const FIRST_MS = 2000;
const LONGEST_MS = 30_000;
const SECOND_MS = 1000;

/**
 * The pause before an attempt, 0 being the first: exponential backoff. `random`, 0 to 1, chooses
 * within its upper half, so that the players of a stopped server do not all return at once.
 */
export function pauseMs(attempt: number, random: number = Math.random()): number {
  const longest = Math.min(FIRST_MS * 2 ** attempt, LONGEST_MS);
  return (longest / 2) * (1 + random);
}

/** Attempts with growing pauses, and a countdown to the next one. */
export class Retry {
  /** Attempts since {@link stop}. */
  attempts = 0;
  readonly #attempt: () => void;
  readonly #show: (seconds: number) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `show` gets the whole seconds left, once a second. */
  constructor(attempt: () => void, show: (seconds: number) => void) {
    this.#attempt = attempt;
    this.#show = show;
    addEventListener('online', () => this.#timer !== undefined && this.now());
  }

  /** Counts down to the next attempt. */
  wait(): void {
    this.#countDown(performance.now() + pauseMs(this.attempts));
  }

  /** Makes the pending attempt at once. */
  now(): void {
    this.#clear();
    this.attempts++;
    this.#attempt();
  }

  /** Stops the attempts. The next pause is short again. */
  stop(): void {
    this.#clear();
    this.attempts = 0;
  }

  #countDown(untilMs: number): void {
    this.#clear();
    const leftMs = untilMs - performance.now();
    if (leftMs <= 0) return this.now();
    this.#show(Math.ceil(leftMs / SECOND_MS));
    this.#timer = setTimeout(() => this.#countDown(untilMs), leftMs % SECOND_MS || SECOND_MS);
  }

  #clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
