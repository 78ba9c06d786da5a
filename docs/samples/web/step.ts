import type { Steps, Vec2 } from 'tickwire';
import type { Arena } from '../../../examples/arena/web/src/arena';

const distance = (a: Vec2, b: Vec2) => Math.hypot(a.x - b.x, a.y - b.y);

// ANCHOR: step
export const predict: Steps<Arena> = {
  Ship(ship, controls, _seconds, tick) {
    for (const rock of tick.nearby('Asteroid')) {
      if (distance(ship.pos, rock.pos) < 20) ship.vel = { ...rock.vel };
    }
    if (!controls.fire) return;
    tick.spawn('Shot', { pos: ship.pos, vel: { x: 60, y: 0 }, team: ship.team });
    tick.emit('Hit', { pos: ship.pos, victim: 0 });
  },
};
// ANCHOR_END: step
