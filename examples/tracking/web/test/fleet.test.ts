import { expect, test } from 'vitest';
import { Camera, tilesIn } from '../src/camera';
import { readCity } from '../src/city';
import { Courier, DELAY_MS, Fleet } from '../src/fleet';

const SIZE = { x: 8000, y: 6000 };

function place(x: number, y: number, state = 0): Uint8Array {
  const view = new DataView(new ArrayBuffer(5));
  view.setUint16(0, x * 8, true);
  view.setUint16(2, y * 8, true);
  view.setUint8(4, state);
  return new Uint8Array(view.buffer);
}

test('a courier is shown between the places that it told', () => {
  const courier = new Courier('c001');
  courier.take(place(100, 100), 1000);
  courier.take(place(104, 102, 1), 1500);
  // One that comes twice, or late, changes nothing.
  courier.take(place(0, 0, 3), 1500);
  expect([courier.at(900), courier.at(1250), courier.at(1500), courier.at(9000)]).toEqual([
    { x: 100, y: 100 },
    { x: 102, y: 101 },
    { x: 104, y: 102 },
    { x: 104, y: 102 },
  ]);
  expect([courier.hasParcel, courier.waits]).toEqual([true, false]);
  expect(courier.trail(1250)).toHaveLength(2);
  expect(courier.speed).toBeCloseTo(Math.hypot(4, 2) * 2);
  // After a gap it does not ride through houses.
  courier.take(place(900, 900), 60_000);
  expect(courier.at(30_000)).toEqual({ x: 900, y: 900 });
});

test('a courier that rides into another tile keeps its way, whatever comes first', () => {
  const fleet = new Fleet();
  const rides = (take: () => void, remove: () => void, ...order: boolean[]) => order.forEach((first) => (first ? take() : remove()));
  for (const [name, order] of [['c1', [true, false]], ['c2', [false, true]]] as const) {
    fleet.take('0/0', name, place(999, 10), 1000, 5000);
    rides(
      () => fleet.take('1/0', name, place(1001, 10), 1500, 5510),
      () => fleet.remove('0/0', name, 5505),
      ...order,
    );
  }
  fleet.sweep(5505 + DELAY_MS + 1);
  expect([...fleet.couriers.keys()]).toEqual(['c1', 'c2']);
  for (const courier of fleet.couriers.values()) expect(courier.trail(1500)).toHaveLength(3);
  // Shown by the fastest message so far.
  expect(fleet.shownMs(6000)).toBe(2000 - DELAY_MS);
  fleet.forget('1/0');
  fleet.take('2/0', 'c3', place(2500, 10), 1500, 5600);
  fleet.remove('2/0', 'c3', 6000);
  fleet.sweep(6000 + DELAY_MS);
  expect([...fleet.couriers.keys()]).toEqual(['c3']);
  fleet.sweep(6001 + DELAY_MS);
  expect(fleet.couriers.size).toBe(0);
});

test('the tiles of a view are those that it touches, within the city', () => {
  expect(tilesIn({ left: -500, top: 990, right: 1000, bottom: 1010 }, SIZE, 1000)).toEqual(['0/0', '0/1', '1/0', '1/1']);
  expect(tilesIn({ left: -1e9, top: -1e9, right: 1e9, bottom: 1e9 }, SIZE, 1000)).toHaveLength(48);
  expect(tilesIn({ left: 9000, top: 9000, right: 9999, bottom: 9999 }, SIZE, 1000)).toEqual(['7/5']);
});

test('what is under the pointer stays there when the scale changes, and the city in the picture', () => {
  const camera = new Camera(SIZE);
  camera.resize(800, 600);
  camera.zoom(5);
  const before = camera.toMetres({ x: 100, y: 500 });
  camera.zoom(1.5, { x: 100, y: 500 });
  const after = camera.toMetres({ x: 100, y: 500 });
  expect([after.x, after.y]).toEqual([expect.closeTo(before.x), expect.closeTo(before.y)]);
  camera.pan(1e6, 1e6);
  expect(camera.middle).toEqual({ x: 0, y: 0 });
  camera.zoom(0);
  expect(camera.scale).toBe(camera.farthest);
});

test('a map is read, and one that is cut off is none', () => {
  const numbers = [8000, 6000, 1, 10, 20, 30, 40, 1, 2, 0, 3000, 8000, 3100, 95, 1, 5, 6, 7, 8];
  const bytes = new Uint8Array(new Uint16Array(numbers).buffer);
  expect(readCity(bytes)).toEqual({
    size: SIZE,
    streets: [{ from: { x: 10, y: 20 }, to: { x: 30, y: 40 }, isAvenue: true }],
    river: [
      { x: 0, y: 3000 },
      { x: 8000, y: 3100 },
    ],
    riverHalf: 95,
    parks: [{ middle: { x: 5, y: 6 }, half: { x: 7, y: 8 } }],
  });
  expect(() => readCity(bytes.subarray(0, 30))).toThrow(RangeError);
});
