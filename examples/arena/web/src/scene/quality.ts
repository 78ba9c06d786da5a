/** Frames a second below which the picture becomes coarser. */
const FPS_LOW = 26;
const LOOK_SECONDS = 3;
/** Parts of the screen's own resolution. */
const STEPS: readonly number[] = [1, 0.75, 0.5];

/**
 * Trades sharpness for frames on slow graphics. It never goes up again: a picture that keeps
 * changing is worse.
 */
export class Quality {
  #step = 0;
  #seconds = 0;
  #frames = 0;

  /** Counts a frame. Returns the new part of the resolution when it changes. */
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
