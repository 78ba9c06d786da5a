// A small menu beside a button.
import { byId, button } from './dom';

export interface MenuItem {
  readonly text: string;
  act(): void;
}

let opener: HTMLElement | undefined;

export function openMenu(items: readonly MenuItem[], at: HTMLElement): void {
  const menu = byId('menu');
  opener = at;
  menu.replaceChildren(
    ...items.map(({ text, act }) => {
      const made = button(text, () => {
        closeMenu();
        act();
      });
      made.role = 'menuitem';
      return made;
    }),
  );
  menu.hidden = false;
  const { left, bottom, top } = at.getBoundingClientRect();
  const x = Math.min(left, innerWidth - menu.offsetWidth - 8);
  const y = bottom + menu.offsetHeight + 8 > innerHeight ? top - menu.offsetHeight : bottom;
  menu.style.translate = `${Math.max(8, x)}px ${Math.max(8, y)}px`;
  menu.querySelector('button')?.focus();
}

export function closeMenu(): void {
  byId('menu').hidden = true;
  if (opener?.isConnected) opener.focus();
  opener = undefined;
}

/** Keys within it, and clicks beside it. */
export function listenToMenu(): void {
  const menu = byId('menu');
  menu.addEventListener('keydown', (event) => {
    const buttons = [...menu.querySelectorAll('button')];
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by !== undefined) {
      event.preventDefault();
      buttons[(at + by + buttons.length) % buttons.length]?.focus();
    }
    if (event.key === 'Escape' || event.key === 'Tab') closeMenu();
  });
  addEventListener('pointerdown', ({ target }) => {
    if (!menu.hidden && !menu.contains(target as Node) && target !== opener) closeMenu();
  });
}
