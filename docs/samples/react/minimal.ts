export type { Minimal } from '../../../examples/minimal/web/src/minimal';
