import { byId, element } from './dom';

/** A line of the score board, as `/scores.json` has it. */
export interface BestLine {
  readonly rank: number;
  readonly name: string;
  readonly score: number;
}

const ADDRESS = '/scores.json?board=score&period=week&top=10';

/** The lines of an answer of `/scores.json`; none if it is of another form. */
export function linesOf(answer: unknown): BestLine[] {
  const scores = typeof answer === 'object' && answer !== null && 'scores' in answer ? answer.scores : [];
  if (!Array.isArray(scores)) return [];
  return scores.filter(
    (line: Partial<BestLine> | null): line is BestLine =>
      typeof line?.rank === 'number' && typeof line.name === 'string' && typeof line.score === 'number',
  );
}

/** Shows the best pilots of the week on the start page. Without a store, and without scores, it shows nothing. */
export async function showBest(): Promise<void> {
  const lines = await fetch(ADDRESS)
    .then(async (answer) => (answer.ok ? linesOf(await answer.json()) : []))
    .catch(() => []);
  const rows = lines.map(({ rank, name, score }) => {
    const row = element('tr');
    const pilot = element('th', '', name);
    pilot.scope = 'row';
    row.append(element('td', '', String(rank)), pilot, element('td', '', String(score)));
    return row;
  });
  byId('best-rows').replaceChildren(...rows);
  byId('best').hidden = rows.length === 0;
}
