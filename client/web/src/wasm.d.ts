// Stands for the generated module while it is not built, so that types can be checked without it.
declare module '*/wasm/tickwire.js' {
  export default function init(options: { module_or_path: URL | BufferSource }): Promise<unknown>;
  export const Core: unknown;
}
