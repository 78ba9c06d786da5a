import { expect, test } from 'vitest';
import { VIEW_RADIUS } from '../src/game';
import { Camera } from '../src/scene/camera';
import { Quality } from '../src/scene/quality';
import { Views } from '../src/scene/views';

test('no corner of a large screen shows more than the server does', () => {
  const camera = new Camera();
  for (const [width, height] of [[1280, 800], [1920, 1080], [3840, 1600]] as const) {
    camera.resize(width, height);
    expect(Math.hypot(width, height) / 2 / camera.scale).toBeLessThan(VIEW_RADIUS);
  }
});

test('the camera comes to rest on a ship that stands still, at any frame rate', () => {
  for (const hz of [20, 60, 144]) {
    const camera = new Camera();
    for (let frame = 0; frame < 3 * hz; frame++) camera.follow({ pos: { x: 300, y: -200 }, vel: { x: 0, y: 0 } }, 1 / hz, 0);
    expect(Math.hypot(camera.x - 300, camera.y + 200)).toBeLessThan(0.01);
  }
});

test('up in the world is up on the screen', () => {
  const camera = new Camera();
  camera.resize(1000, 600);
  expect(camera.toScreen({ x: 0, y: 0 })).toEqual({ x: 500, y: 300 });
  expect(camera.toScreen({ x: 0, y: 100 }).y).toBeLessThan(300);
});

test('each entity has one picture from its first frame to its last', () => {
  const log: string[] = [];
  const views = new Views<{ id: number }, string>(
    ({ id }) => {
      log.push(`+${id}`);
      return `view ${id}`;
    },
    (view) => log.push(`-${view}`),
  );
  const show = (view: string, { id }: { id: number }, fresh: boolean) => log.push(`${view} of ${id}${fresh ? ' fresh' : ''}`);
  views.sync([{ id: 1 }], show);
  views.sync([{ id: 1 }], show);
  views.sync([], show);
  expect(log).toEqual(['+1', 'view 1 of 1 fresh', 'view 1 of 1', '-view 1']);
});

test('the picture gets coarser while frames are slow, and never finer', () => {
  const quality = new Quality();
  const run = (hz: number, seconds: number) => {
    const changes: number[] = [];
    for (let frame = 0; frame < hz * seconds; frame++) {
      const share = quality.frame(1 / hz);
      if (share !== undefined) changes.push(share);
    }
    return changes;
  };
  expect(run(60, 10)).toEqual([]);
  expect(run(10, 20)).toEqual([0.75, 0.5]);
  expect(run(60, 10)).toEqual([]);
});
