// Who is here, from what all pages of an account say.

export type Presence = 'online' | 'idle' | 'away' | 'offline';

/** What a page says of its person, and whether its connection is lost. */
export interface PageState {
  readonly text: string;
  readonly isLost: boolean;
}

const ORDER: readonly Presence[] = ['online', 'idle', 'away'];

/** The best of all pages. A page that was lost, or says what nobody knows, counts as away. */
export function presenceOf(pages: Iterable<PageState>): Presence {
  let best: Presence = 'offline';
  for (const { text, isLost } of pages) {
    const said = isLost ? 'away' : (ORDER.find((it) => it === text) ?? 'away');
    if (best === 'offline' || ORDER.indexOf(said) < ORDER.indexOf(best)) best = said;
  }
  return best;
}

/** Who types, in words. */
export function typingText(names: readonly string[]): string {
  switch (names.length) {
    case 0:
      return '';
    case 1:
      return `${names[0]} is typing …`;
    case 2:
      return `${names[0]} and ${names[1]} are typing …`;
    default:
      return 'several people are typing …';
  }
}
