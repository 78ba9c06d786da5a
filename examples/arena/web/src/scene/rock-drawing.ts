import type { Random } from '../random';

const CORNERS = 22;

/** Draws a rock around (`middle`, `middle`) with a mean radius of `radius` pixels. */
export function drawRock(pen: CanvasRenderingContext2D, middle: number, radius: number, random: Random): void {
  pen.translate(middle, middle);
  const outline = smooth(corners(radius, random));
  const body = pen.createRadialGradient(0, 0, radius * 0.1, 0, 0, radius * 1.1);
  body.addColorStop(0, '#6d645f');
  body.addColorStop(0.7, '#4b4550');
  body.addColorStop(1, '#2c2b3a');
  pen.fillStyle = body;
  pen.fill(outline);
  pen.save();
  pen.clip(outline);
  speckle(pen, radius, random);
  craters(pen, radius, random);
  pen.strokeStyle = 'rgb(8 10 22 / 0.55)';
  pen.lineWidth = radius * 0.16;
  pen.stroke(outline);
  pen.restore();
  pen.strokeStyle = 'rgb(176 176 200 / 0.5)';
  pen.lineWidth = Math.max(1.5, radius * 0.022);
  pen.stroke(outline);
}

type Point = readonly [x: number, y: number];

/** Two slow waves make the shape, noise the edge. */
function corners(radius: number, random: Random): Point[] {
  const phases = [random.between(0, 6.3), random.between(0, 6.3), random.between(0, 6.3)] as const;
  return Array.from({ length: CORNERS }, (_, at) => {
    const angle = (at / CORNERS) * 2 * Math.PI;
    const wave = 0.07 * Math.sin(2 * angle + phases[0]) + 0.06 * Math.sin(3 * angle + phases[1]) + 0.03 * Math.sin(7 * angle + phases[2]);
    const reach = radius * (0.97 + wave + random.between(-0.03, 0.03));
    return [Math.cos(angle) * reach, Math.sin(angle) * reach];
  });
}

function smooth(points: readonly Point[]): Path2D {
  const path = new Path2D();
  const between = (a: Point, b: Point): Point => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  const at = (index: number): Point => points[index % points.length] as Point;
  path.moveTo(...between(at(points.length - 1), at(0)));
  points.forEach((point, index) => path.quadraticCurveTo(...point, ...between(point, at(index + 1))));
  path.closePath();
  return path;
}

function speckle(pen: CanvasRenderingContext2D, radius: number, random: Random): void {
  for (let spot = 0; spot < radius * 1.6; spot++) {
    const angle = random.between(0, 2 * Math.PI);
    const reach = radius * Math.sqrt(random.next());
    const size = random.between(0.01, 0.07) * radius;
    const dark = random.next() < 0.5;
    pen.fillStyle = dark ? `rgb(20 18 30 / ${random.between(0.05, 0.22)})` : `rgb(214 196 178 / ${random.between(0.03, 0.12)})`;
    pen.beginPath();
    pen.ellipse(Math.cos(angle) * reach, Math.sin(angle) * reach, size, size * 0.7, angle, 0, 2 * Math.PI);
    pen.fill();
  }
}

function craters(pen: CanvasRenderingContext2D, radius: number, random: Random): void {
  for (let crater = 0; crater < 6; crater++) {
    const angle = random.between(0, 2 * Math.PI);
    const reach = radius * random.between(0.15, 0.8);
    const size = radius * random.between(0.07, 0.22);
    const [x, y] = [Math.cos(angle) * reach, Math.sin(angle) * reach];
    const bowl = pen.createRadialGradient(x, y, size * 0.2, x, y, size);
    bowl.addColorStop(0, 'rgb(14 13 24 / 0.6)');
    bowl.addColorStop(0.78, 'rgb(24 22 34 / 0.35)');
    bowl.addColorStop(0.9, 'rgb(226 210 196 / 0.22)');
    bowl.addColorStop(1, 'rgb(226 210 196 / 0)');
    pen.fillStyle = bowl;
    pen.beginPath();
    pen.arc(x, y, size, 0, 2 * Math.PI);
    pen.fill();
  }
}
