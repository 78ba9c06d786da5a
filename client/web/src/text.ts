/** Texts as flat numbers: the length in bytes of UTF-8, then four bytes to a number, the first lowest. */

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();

/** As the server's `Text` has it: what is no text, or controls how others are shown. */
const CONTROL_CHARACTER = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;

/** Reads the text that stands at `at`; `before` again if it is the same. */
export function readText(flat: ArrayLike<number>, at: number, before: unknown): string {
  const length = flat[at]!;
  const byte = (number: number) => (flat[at + 1 + (number >> 2)]! >>> (8 * (number & 3))) & 255;
  if (typeof before === 'string' && before.length === length) {
    let same = 0;
    while (same < length && byte(same) < 128 && byte(same) === before.charCodeAt(same)) same++;
    if (same === length) return before;
  }
  return decoder.decode(Uint8Array.from({ length }, (_, number) => byte(number)));
}

/** Writes a text, or as much of it as `bytesMax` bytes hold in whole characters. */
export function encodeText(text: string, bytesMax: number, flat: Float64Array, at: number): void {
  const words = Math.ceil(bytesMax / 4);
  const bytes = new Uint8Array(4 * words);
  const { written } = encoder.encodeInto(text, bytes.subarray(0, bytesMax));
  const view = new DataView(bytes.buffer);
  flat[at] = written;
  for (let word = 0; word < words; word++) flat[at + 1 + word] = view.getUint32(4 * word, true);
}

/** Its bytes of UTF-8. */
export function textBytes(text: string): number {
  return encoder.encode(text).length;
}

/** Whether the server would refuse it for one of its characters. */
export function hasControlCharacter(text: string): boolean {
  return CONTROL_CHARACTER.test(text);
}
