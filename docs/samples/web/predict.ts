import { connect } from 'tickwire';
import type { Tag } from './tag';
// ANCHOR: core
import { core } from './rules';

const client = await connect<Tag>(location.origin, { name: 'Ann', rejoin: true, core });
// ANCHOR_END: core

export { client };
