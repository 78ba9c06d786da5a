/**
 * The origin of the page or worker, such as `https://play.example`; none in a file or a sandbox. Also in a worker made
 * of a blob, where addresses are relative to the blob and lead nowhere.
 */
export function ownOrigin(): string | undefined {
  const { origin } = globalThis as { origin?: string };
  return origin === 'null' ? undefined : origin;
}
