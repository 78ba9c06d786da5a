/** What this browser remembers of its player. Storage may be forbidden; then nothing is remembered. */
export type Memory = 'name' | 'statistics';

/** The value kept under this key; empty if there is none. */
export function recall(key: Memory): string {
  try {
    return localStorage.getItem(`tickwire-arena-${key}`) ?? '';
  } catch {
    return '';
  }
}

/** Keeps a value for the next visit. */
export function remember(key: Memory, value: string): void {
  try {
    localStorage.setItem(`tickwire-arena-${key}`, value);
  } catch {
    // The player chooses it again.
  }
}
