import type { MakeCore } from 'tickwire';

async function load() {
  const module = await import('../wasm/arena.js');
  // The literal URL lets the bundler find the file and copy it.
  await module.default({ module_or_path: new URL('../wasm/arena_bg.wasm', import.meta.url) });
  return module;
}

/** The client's core with the arena's rules, which predict the own ship and its shots. */
export async function loadRules(): Promise<MakeCore> {
  const { arenaCore } = await load();
  return arenaCore as MakeCore;
}

/** The hash of all states of a fixed game of `ticks` ticks, the same on every machine. */
export async function scriptHash(ticks: number): Promise<string> {
  return (await load()).scriptHash(ticks);
}
