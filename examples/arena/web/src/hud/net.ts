import type { Stats } from 'tickwire';
import { byId, element, setText } from '../dom';

const EVERY_MS = 500;

interface Line {
  name: string;
  show(stats: Stats, rates: Rates): string;
  /** Values from which on it is fair, and bad. */
  limits?: readonly [fair: number, bad: number];
  value?(stats: Stats, rates: Rates): number;
}

interface Rates {
  fps: number;
  bytesIn: number;
  bytesOut: number;
}

const LINES: readonly Line[] = [
  { name: 'transport', show: (s) => (s.transport === 'websocket' ? 'TCP' : 'UDP') },
  { name: 'round trip', show: (s) => `${s.rttMs.toFixed(0)} ms`, value: (s) => s.rttMs, limits: [120, 250] },
  { name: 'jitter', show: (s) => `${s.jitterMs.toFixed(1)} ms`, value: (s) => s.jitterMs, limits: [15, 40] },
  { name: 'loss', show: (s) => `${(s.lossFraction * 100).toFixed(1)} %`, value: (s) => s.lossFraction, limits: [0.01, 0.05] },
  { name: 'snapshot age', show: (s) => `${s.snapshotAgeMs.toFixed(0)} ms`, value: (s) => s.snapshotAgeMs, limits: [150, 500] },
  { name: 'corrections', show: (s) => (s.predicting ? `${s.corrections}` : '-') },
  { name: 'view delay', show: (s) => `${s.interpolationMs.toFixed(0)} ms` },
  { name: 'received', show: (_, r) => `${(r.bytesIn / 1024).toFixed(1)} KiB/s` },
  { name: 'sent', show: (_, r) => `${(r.bytesOut / 1024).toFixed(1)} KiB/s` },
  { name: 'frames/s', show: (_, r) => r.fps.toFixed(0), value: (_, r) => -r.fps, limits: [-40, -20] },
];

/** The compact network statistics. */
export class NetGraph {
  readonly #root = byId('net');
  readonly #cells: HTMLElement[];
  #frames = 0;
  #lastMs = 0;
  #last: Stats | undefined;

  /** Fills its element in the page. */
  constructor() {
    this.#cells = LINES.map(() => element('b'));
    this.#root.replaceChildren(...LINES.flatMap(({ name }, at) => [element('span', '', name), this.#cells[at]!]));
  }

  /** Shows or hides the statistics. */
  set shown(shown: boolean) {
    this.#root.hidden = !shown;
  }

  /** Counts a frame, and updates the numbers twice a second. */
  draw(nowMs: number, read: () => Stats): void {
    this.#frames++;
    const seconds = (nowMs - this.#lastMs) / 1000;
    if (seconds * 1000 < EVERY_MS) return;
    const stats = read();
    const rates: Rates = {
      fps: this.#frames / seconds,
      bytesIn: (stats.bytesIn - (this.#last?.bytesIn ?? stats.bytesIn)) / seconds,
      bytesOut: (stats.bytesOut - (this.#last?.bytesOut ?? stats.bytesOut)) / seconds,
    };
    LINES.forEach((line, at) => show(this.#cells[at]!, line, stats, rates));
    this.#frames = 0;
    this.#lastMs = nowMs;
    this.#last = stats;
  }
}

function show(cell: HTMLElement, line: Line, stats: Stats, rates: Rates): void {
  setText(cell, line.show(stats, rates));
  const value = line.value?.(stats, rates) ?? 0;
  const [fair, bad] = line.limits ?? [Infinity, Infinity];
  cell.className = value >= bad ? 'bad' : value >= fair ? 'fair' : '';
}
