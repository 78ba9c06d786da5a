/**
 * Facts that this browser remembers of its player. If storage is forbidden, nothing is remembered.
 */
export type Memory = 'name' | 'statistics';

/** The stored value of this key; empty if there is none. */
export function recall(key: Memory): string {
  try {
    return localStorage.getItem(`tickwire-arena-${key}`) ?? '';
  } catch {
    return '';
  }
}

/** Stores a value for the next visit. */
export function remember(key: Memory, value: string): void {
  try {
    localStorage.setItem(`tickwire-arena-${key}`, value);
  } catch {
    // The player has to choose it again.
  }
}
