const query = typeof matchMedia === 'undefined' ? undefined : matchMedia('(prefers-reduced-motion: reduce)');

/** True if the person asked their system for less motion: then nothing shakes, drifts or pulses. */
export function calm(): boolean {
  return query?.matches ?? false;
}
