/** Colours of the scene; `style/base.css` has those of the page. */
import type { Team } from './arena';

/** By team. */
export const TEAM_COLORS: Readonly<Record<Team, number>> = { Azure: 0x58ccff, Amber: 0xffae4a };
/** Own shots and marks. */
export const OWN = 0xffffff;
export const REPAIR = 0x67f2b0;
export const OVERDRIVE = 0xff6ad5;
export const DANGER = 0xff5468;
export const EMBER = 0xffc27a;
export const DUST = 0xb7a594;

/** The class of what is of a team; none of one that is not known. */
export function teamClass(team: Team | undefined): string {
  return team?.toLowerCase() ?? '';
}

/** Converts `0xrrggbb` to CSS. */
export function css(color: number, alpha = 1): string {
  return `rgb(${(color >> 16) & 255} ${(color >> 8) & 255} ${color & 255} / ${alpha})`;
}
