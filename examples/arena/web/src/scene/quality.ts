/** Frames a second below which the picture is made coarser, and above which it stays. */
const FPS_LOW = 26;
const LOOK_SECONDS = 3;
/** Shares of the screen's own resolution. */
const STEPS: readonly number[] = [1, 0.75, 0.5];

/** Trades sharpness for frames on slow graphics. It only goes down: a picture that changes back and forth is worse. */
export class Quality {
  #step = 0;
  #seconds = 0;
  #frames = 0;

  /** Counts a frame. Gives the share of the resolution to draw with from now on, when it changes. */
  frame(seconds: number): number | undefined {
    this.#seconds += seconds;
    this.#frames++;
    if (this.#seconds < LOOK_SECONDS) return undefined;
    const slow = this.#frames / this.#seconds < FPS_LOW;
    this.#seconds = this.#frames = 0;
    if (!slow || this.#step + 1 >= STEPS.length) return undefined;
    return STEPS[++this.#step];
  }
}
