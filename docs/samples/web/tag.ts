// The types of the tutorial's game; `npx tickwire types http://localhost:4433/ -o tag.ts` makes such a file.
import type { Game, Vec2 } from 'tickwire';

export interface Tag extends Game {
  input: { right: number; up: number; tag: boolean };
  entities: { Runner: { pos: Vec2; vel: Vec2; score: number } };
  events: { Tagged: { by: number; runner: number } };
}
