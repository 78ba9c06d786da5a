import type { Plugin } from 'vite';

/** What the plugin is to do. */
export interface TickwireOptions {
  /** The game server of a development server: `http://localhost:4433/`, or the variable `TICKWIRE_SERVER`, if not given. */
  server?: string;
  /**
   * The folder of the game's crate, which ends with `tickwire::web_rules!(…)`: it is built for the page to predict by, in
   * `target/page`. A development server serves meanwhile, builds it again when it changes, and loads the page anew.
   */
  rules?: string;
  /** Where the built rules go: `src/rules` if not given. */
  rulesOut?: string;
  /** A file for the types of the game, which a development server keeps as `npx tickwire types` makes them. */
  types?: string;
  /** Whether a build puts `.br` and `.gz` beside the files, for the game server to send: it does if not given. */
  precompress?: boolean;
}

/**
 * The plugin for Vite: a page of a development server finds the game server, and its sessions go there. Paths are relative to
 * the page's root.
 */
export declare function tickwire(options?: TickwireOptions): Plugin;
