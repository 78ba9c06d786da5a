import { byId, element, setText } from '../dom';
import type { Frame, Team } from '../game';
import { teamClass } from '../palette';

const EVERY_MS = 250;
const LAST_SECONDS = 30;

interface Row {
  place: string;
  player: number;
  team: Team;
  score: number;
}

/** The round's clock and the team scores, and the best players. */
export class Board {
  readonly #rows = byId('board-rows');
  readonly #azure = byId('round-azure');
  readonly #amber = byId('round-amber');
  readonly #time = byId('round-time');
  #lastMs = 0;
  /** This player's line, from its last ship. */
  #own: Row | undefined;
  #shown = '';

  /** Updates the board four times a second. */
  draw(frame: Frame): void {
    if (frame.nowMs - this.#lastMs < EVERY_MS) return;
    this.#lastMs = frame.nowMs;
    const round = frame.entities.of('Round')[0];
    if (round) {
      setText(this.#azure, String(round.azure));
      setText(this.#amber, String(round.amber));
      setText(this.#time, clock(round.seconds_left));
      this.#time.classList.toggle('last', round.seconds_left <= LAST_SECONDS);
    }
    const { own } = frame;
    if (own) this.#own = { place: '·', player: own.id, team: own.team, score: own.score };
    this.#drawRows(rowsOf(frame, this.#own), frame);
  }

  #drawRows(rows: Row[], { roster, player }: Frame): void {
    const shown = JSON.stringify(rows.map((row) => [row, roster.nameOf(row.player)]));
    if (shown === this.#shown) return;
    this.#shown = shown;
    const lines = rows.map((row) => {
      const line = element('tr', teamClass(row.team));
      if (row.player === player) line.classList.add('me');
      const name = element('td', '', roster.nameOf(row.player) || `player ${row.player}`);
      if (roster.isBot(row.player)) name.append(element('small', 'bot', 'bot'));
      line.append(element('td', '', row.place), name, element('td', '', String(row.score)));
      return line;
    });
    this.#rows.replaceChildren(...lines);
  }
}

/** The leaders by rank, followed by this player if it is not among them. */
function rowsOf({ entities, player }: Frame, own: Row | undefined): Row[] {
  const leaders = [...entities.of('Leader')].sort((a, b) => a.rank - b.rank);
  const rows: Row[] = leaders.map(({ rank, player, team, score }) => ({ place: String(rank + 1), player, team, score }));
  if (own && !rows.some((row) => row.player === player)) rows.push(own);
  return rows;
}

/** Seconds as minutes and seconds. */
export function clock(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;
}
