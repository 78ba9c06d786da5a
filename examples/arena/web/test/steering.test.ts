import { expect, test } from 'vitest';
import { steer, wrap } from '../src/controls/steering';
import { TURN_PER_TICK } from '../src/game';

test('a stick at rest does nothing', () => {
  expect(steer({ x: 0, y: 0 }, 1)).toEqual({ turn: 0, thrust: false });
  expect(steer({ x: 0.1, y: -0.1 }, 1)).toEqual({ turn: 0, thrust: false });
});

test('the ship turns the short way round', () => {
  expect(steer({ x: 0, y: 1 }, 0).turn).toBe(1);
  expect(steer({ x: 0, y: -1 }, 0).turn).toBe(-1);
  expect(steer({ x: -1, y: -0.1 }, Math.PI - 0.05).turn).toBeGreaterThan(0);
});

test('thrust waits until the nose points roughly where the stick does', () => {
  expect(steer({ x: 1, y: 0 }, 0)).toEqual({ turn: 0, thrust: true });
  expect(steer({ x: 0.4, y: 0 }, 0).thrust).toBe(false);
  expect(steer({ x: -1, y: 0 }, 0).thrust).toBe(false);
});

test('a ship that turns as it is told comes to rest on the stick, from any heading', () => {
  for (let start = -3; start <= 3; start += 0.25) {
    let heading = start;
    for (let tick = 0; tick < 90; tick++) heading += steer({ x: 0.6, y: 0.8 }, heading).turn * TURN_PER_TICK;
    expect(Math.abs(wrap(heading - Math.atan2(0.8, 0.6)))).toBeLessThan(0.01);
  }
});
