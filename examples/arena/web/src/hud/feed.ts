import { byId, element } from '../dom';
import type { Roster } from '../roster';
import { teamClass } from '../palette';

const LINES_MAX = 6;

/** The list of ships shot down. */
export class Feed {
  readonly #list = byId('feed');

  /** Adds a line; it fades by itself. `killer` is 0 for a rock. */
  add({ killer, victim }: { killer: number; victim: number }, roster: Roster, player: number): void {
    const line = element('li', killer === player || victim === player ? 'me' : '');
    const name = (who: number) => element('span', teamClass(roster.teamOf(who)), roster.nameOf(who) || `player ${who}`);
    if (killer === 0) line.append(name(victim), element('i', '', 'hit a rock'));
    else line.append(name(killer), element('i', '', '✕'), name(victim));
    line.addEventListener('animationend', () => line.remove());
    this.#list.prepend(line);
    while (this.#list.children.length > LINES_MAX) this.#list.lastElementChild?.remove();
  }

  /** Removes all lines. */
  clear(): void {
    this.#list.replaceChildren();
  }
}
