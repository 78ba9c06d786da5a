// The price of one share over the last minutes.
import uPlot from 'uplot';
import { priceText } from './format';

/** Older points are dropped. */
const KEPT_S = 600;

/** The chart. Call {@link draw} once a frame. */
export class Chart {
  readonly #place: HTMLElement;
  readonly #read: (cents: number | undefined) => void;
  #times: number[] = [];
  #cents: number[] = [];
  #openCents: number | undefined;
  #plot: uPlot;
  #isStale = false;

  /** `read` is called with the price under the pointer, and with nothing when it leaves. */
  constructor(place: HTMLElement, read: (cents: number | undefined) => void) {
    this.#place = place;
    this.#read = read;
    this.#plot = this.#make();
    new ResizeObserver(() => this.#plot.setSize(this.#size())).observe(place);
    // A canvas does not follow the colours of the page by itself.
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.#plot.destroy();
      this.#plot = this.#make();
    });
  }

  /** Times of its points, in seconds since 1970. */
  get times(): readonly number[] {
    return this.#times;
  }

  get high(): number | undefined {
    return this.#cents.length === 0 ? undefined : this.#cents.reduce((a, b) => Math.max(a, b));
  }

  get low(): number | undefined {
    return this.#cents.length === 0 ? undefined : this.#cents.reduce((a, b) => Math.min(a, b));
  }

  /** Drops all points. */
  clear(): void {
    this.#times = [];
    this.#cents = [];
    this.#isStale = true;
  }

  /** Adds points that are newer than all before. */
  add(points: readonly [timeS: number, cents: number][]): void {
    for (const [timeS, cents] of points) {
      if (timeS === this.#times.at(-1)) this.#cents[this.#cents.length - 1] = cents;
      else {
        this.#times.push(timeS);
        this.#cents.push(cents);
      }
    }
    const oldest = (this.#times.at(-1) ?? 0) - KEPT_S;
    const first = this.#times.findIndex((timeS) => timeS >= oldest);
    if (first > 0) {
      this.#times.splice(0, first);
      this.#cents.splice(0, first);
    }
    this.#isStale = true;
  }

  /** Draws a line at the price of the opening. */
  openAt(cents: number): void {
    if (cents === this.#openCents) return;
    this.#openCents = cents;
    this.#isStale = true;
  }

  draw(): void {
    if (!this.#isStale) return;
    this.#isStale = false;
    this.#plot.setData([this.#times, this.#cents]);
  }

  #size(): { width: number; height: number } {
    const { clientWidth: width, clientHeight: height } = this.#place;
    return { width: Math.max(50, width), height: Math.max(50, height) };
  }

  #make(): uPlot {
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const [line, text] = [colour('--line'), colour('--muted')];
    const isUp = () => (this.#cents.at(-1) ?? 0) >= (this.#openCents ?? 0);
    const ink = (up: string, down: string) => () => (isUp() ? colour(up) : colour(down));
    const axis: uPlot.Axis = { stroke: text, font: '12px system-ui, sans-serif', grid: { stroke: line, width: 1 }, ticks: { show: false } };
    const options: uPlot.Options = {
      ...this.#size(),
      padding: [10, 0, 0, 16],
      legend: { show: false },
      cursor: { y: false, drag: { setScale: false }, points: { size: 8, fill: ink('--up', '--down') } },
      scales: { y: { range: (_, min, max) => around(min, max) } },
      series: [{}, { stroke: ink('--up', '--down'), fill: ink('--fill-up', '--fill-down'), width: 1.75, points: { show: false } }],
      axes: [
        { ...axis, size: 30, space: 64, incrs: [30, 60, 120, 300], values: (_, times) => times.map(timeText) },
        { ...axis, side: 1, size: 64, values: (_, cents) => cents.map(priceText) },
      ],
      hooks: {
        draw: [(plot) => this.#drawOpening(plot, text)],
        setCursor: [({ cursor: { idx } }) => this.#read(idx === null || idx === undefined ? undefined : this.#cents[idx])],
      },
    };
    return new uPlot(options, [this.#times, this.#cents], this.#place);
  }

  #drawOpening(plot: uPlot, colour: string): void {
    const cents = this.#openCents;
    const { min, max } = plot.scales.y!;
    if (cents === undefined || min == null || max == null || cents < min || cents > max) return;
    const { ctx, bbox } = plot;
    const y = Math.round(plot.valToPos(cents, 'y', true)) + 0.5;
    ctx.save();
    ctx.strokeStyle = colour;
    ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.restore();
  }
}

/** A range with some air, also around a price that stands still. */
function around(min: number | null, max: number | null): [number, number] {
  if (min === null || max === null) return [0, 100];
  const air = Math.max((max - min) * 0.12, max * 0.0005, 1);
  return [min - air, max + air];
}

function timeText(timeS: number): string {
  return new Date(timeS * 1000).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
}
