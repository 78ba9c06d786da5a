import type { MakeCore } from 'tickwire';

export declare function core(): Promise<MakeCore | undefined>;
