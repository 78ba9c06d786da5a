// The parts of a text: what is a link, what names a person, and the rest.

/** A part of a text. */
export type Part = { kind: 'text' | 'link'; text: string } | { kind: 'mention'; text: string; account: string };

/** A link up to the next space, or a name after an `@` that does not follow a letter or digit. */
const PARTS = /https?:\/\/[^\s<>"]+|(?<![\p{L}\p{N}])@[A-Za-z0-9_-]{1,24}(?![A-Za-z0-9_-])/gu;
/** What ends a sentence ends no address. */
const AFTER_LINK = /[.,;:!?)\]}'*]+$/;

/** The parts of a text. A mention is one of a name that `isPerson` knows, in small letters. */
export function partsOf(text: string, isPerson: (account: string) => boolean): Part[] {
  const parts: Part[] = [];
  let from = 0;
  for (const { 0: found, index } of text.matchAll(PARTS)) {
    const part = found.startsWith('@') ? mention(found, isPerson) : link(found);
    if (!part) continue;
    if (index > from) parts.push({ kind: 'text', text: text.slice(from, index) });
    parts.push(part);
    from = index + part.text.length;
  }
  if (from < text.length) parts.push({ kind: 'text', text: text.slice(from) });
  return parts;
}

function mention(text: string, isPerson: (account: string) => boolean): Part | undefined {
  const account = text.slice(1).toLowerCase();
  return isPerson(account) ? { kind: 'mention', text, account } : undefined;
}

function link(found: string): Part | undefined {
  const text = found.replace(AFTER_LINK, '');
  return URL.canParse(text) ? { kind: 'link', text } : undefined;
}
