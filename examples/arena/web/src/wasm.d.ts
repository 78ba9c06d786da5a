// Stands in for the generated module until it is built, so that types can be checked without it.
declare module '*/wasm/arena.js' {
  export default function init(options: { module_or_path: URL }): Promise<unknown>;
  export function arenaCore(client: string): unknown;
  export function scriptHash(ticks: number): string;
}
