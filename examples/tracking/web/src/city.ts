/** The map, as the server tells it: metres from the north-west. */
export interface CityMap {
  readonly size: Point;
  readonly streets: readonly Street[];
  readonly river: readonly Point[];
  /** Half of the river's width. */
  readonly riverHalf: number;
  readonly parks: readonly { readonly middle: Point; readonly half: Point }[];
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Street {
  readonly from: Point;
  readonly to: Point;
  readonly isAvenue: boolean;
}

/** Reads the whole map: numbers of two bytes, the lowest first. Throws a `RangeError` if it is cut off. */
export function readCity(bytes: Uint8Array): CityMap {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const number = () => view.getUint16((at += 2) - 2, true);
  const point = (): Point => ({ x: number(), y: number() });
  const list = <T>(read: () => T): T[] => Array.from({ length: number() }, read);
  return {
    size: point(),
    streets: list(() => ({ from: point(), to: point(), isAvenue: number() === 1 })),
    river: list(point),
    riverHalf: number(),
    parks: list(() => ({ middle: point(), half: point() })),
  };
}
