/**
 * The origin of the page or worker, such as `https://play.example`; undefined in a file or a
 * sandbox. Works in a worker made of a blob as well, where relative addresses lead nowhere.
 */
export function ownOrigin(): string | undefined {
  const { origin } = globalThis as { origin?: string };
  return origin === 'null' ? undefined : origin;
}
