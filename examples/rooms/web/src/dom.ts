// Small helpers for the document. Texts of others become text nodes, and nothing else.

export function byId<E extends HTMLElement = HTMLElement>(id: string): E {
  return document.getElementById(id) as E;
}

/** An element with a class and children. */
export function element<K extends keyof HTMLElementTagNameMap>(tag: K, name = '', ...children: (Node | string)[]): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.append(...children);
  return made;
}

export function button(text: string, press: () => void, name = ''): HTMLButtonElement {
  const made = element('button', name, text);
  made.type = 'button';
  made.addEventListener('click', press);
  return made;
}

/** Sets a text, if it is another one. */
export function show(id: string, text: string): void {
  const found = byId(id);
  if (found.textContent !== text) found.textContent = text;
}

/** A count as on a badge. */
export function countText(count: number): string {
  return count > 99 ? '99+' : String(count);
}

/** A color of its own for each account: an angle of the color wheel. */
export function hueOf(account: string): number {
  let hash = 7;
  for (const letter of account) hash = (hash * 31 + letter.charCodeAt(0)) % 3600;
  return (hash * 47) % 360;
}
