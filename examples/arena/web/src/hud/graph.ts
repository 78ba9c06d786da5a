import type { Stats } from 'tickwire';
import { byId } from '../dom';
import { css, DANGER, OVERDRIVE, REPAIR, TEAM_COLORS } from '../palette';

/** Frames kept and, space permitting, shown: about eight seconds. */
export const FRAMES_SHOWN = 480;
const HEIGHT = 120;
/** Width of the names, at the left. */
const NAMES = 116;
const MAX_MS_LEAST = 100;
const MAX_MS_MOST = 1000;

interface Curve {
  name: string;
  color: number;
  value(stats: Stats): number;
}

/** All in milliseconds. */
const CURVES: readonly Curve[] = [
  { name: 'round trip', color: TEAM_COLORS.Azure, value: (s) => s.rttMs },
  { name: 'view delay', color: OVERDRIVE, value: (s) => s.interpolationMs },
  { name: 'snapshot age', color: TEAM_COLORS.Amber, value: (s) => s.snapshotAgeMs },
  { name: 'input margin', color: REPAIR, value: (s) => s.inputMarginMs },
];

/** The last values of one line, oldest first, up to {@link FRAMES_SHOWN}. */
export class History {
  readonly #values = new Float32Array(FRAMES_SHOWN);
  #next = 0;
  #count = 0;

  /** The number of values. */
  get size(): number {
    return this.#count;
  }

  /** Adds a value and drops the oldest one beyond the limit. */
  push(value: number): void {
    this.#values[this.#next] = value;
    this.#next = (this.#next + 1) % FRAMES_SHOWN;
    this.#count = Math.min(this.#count + 1, FRAMES_SHOWN);
  }

  /** Value number `at`, 0 being the oldest. */
  at(at: number): number {
    return this.#values[(this.#next - this.#count + at + FRAMES_SHOWN) % FRAMES_SHOWN]!;
  }
}

/** Curves of the network in the last seconds: one column a frame. */
export class NetCurves {
  readonly #canvas = byId<HTMLCanvasElement>('net-curves');
  readonly #curves = CURVES.map(() => new History());
  /** 1 in frames with a correction of the prediction. */
  readonly #corrected = new History();
  #corrections = 0;

  /** Shows or hides the curves. */
  set shown(shown: boolean) {
    this.#canvas.hidden = !shown;
  }

  /** Adds the values of a frame, and draws if visible. */
  draw(read: () => Stats): void {
    if (this.#canvas.hidden) return;
    const stats = read();
    CURVES.forEach(({ value }, at) => this.#curves[at]!.push(value(stats)));
    this.#corrected.push(Number(stats.corrections > this.#corrections));
    this.#corrections = stats.corrections;
    this.#paint();
  }

  #paint(): void {
    const scale = Math.min(devicePixelRatio, 2);
    const width = this.#canvas.clientWidth;
    if (this.#canvas.width !== Math.round(width * scale)) {
      this.#canvas.width = Math.round(width * scale);
      this.#canvas.height = HEIGHT * scale;
    }
    const pen = this.#canvas.getContext('2d');
    if (!pen) return;
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, HEIGHT);
    pen.font = '11px "Chakra Petch", sans-serif';
    const most = this.#mostMs();
    const y = (ms: number) => HEIGHT - 4 - (Math.min(Math.max(ms, 0), most) / most) * (HEIGHT - 12);
    pen.fillStyle = css(0xffffff, 0.15);
    for (const part of [0, 0.5, 1]) {
      pen.fillRect(NAMES, y(most * part), width - NAMES, 1);
      pen.fillText(`${(most * part).toFixed(0)} ms`, NAMES + 4, Math.max(10, y(most * part) - 2));
    }
    pen.fillStyle = css(DANGER, 0.7);
    const { size } = this.#corrected;
    const first = Math.max(0, size - Math.max(0, width - NAMES));
    const x = (at: number) => width - size + at;
    for (let at = first; at < size; at++) if (this.#corrected.at(at)) pen.fillRect(x(at), HEIGHT - 14, 2, 10);
    CURVES.forEach(({ name, color }, number) => {
      const history = this.#curves[number]!;
      pen.strokeStyle = pen.fillStyle = css(color);
      pen.beginPath();
      for (let at = first; at < history.size; at++) pen.lineTo(x(at), y(history.at(at)));
      pen.stroke();
      pen.fillText(`${name} ${history.at(history.size - 1).toFixed(0)}`, 6, 18 + number * 18);
    });
    pen.fillStyle = css(DANGER);
    pen.fillText('correction', 6, 18 + CURVES.length * 18);
  }

  #mostMs(): number {
    let most = MAX_MS_LEAST;
    for (const history of this.#curves) for (let at = 0; at < history.size; at++) most = Math.max(most, history.at(at));
    return Math.min(Math.ceil(most / 50) * 50, MAX_MS_MOST);
  }
}
