//! Rotations by their smallest three components, and their continuation.
//!
//! It uses only addition, multiplication, division and square root, which give the same bits on
//! every machine.

/// A rotation: x, y, z, w.
type Quat = [f32; 4];

/// The continuation of a rotation, from its last two states.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RotationTrend {
    scale: f32,
    middle: f32,
    last: Quat,
    next: Quat,
    /// The turn between the two states, in about lane steps.
    pub(crate) spin: i32,
    /// The component that will be largest if it keeps turning.
    pub(crate) largest: usize,
    /// Its lead over the second largest, in lane steps.
    pub(crate) lead: i32,
}

impl RotationTrend {
    /// A rotation that went from `before` to `last`, in `bits` bits a component, and keeps turning
    /// for `ahead` times the time between.
    pub(crate) fn new(bits: u32, before: &[i32], last: &[i32], ahead: f32) -> Self {
        let middle = ((1u32 << (bits - 1)) - 1) as f32;
        let scale = middle.max(1.0) * std::f32::consts::SQRT_2;
        let q = quat(last, middle, scale);
        let mut p = quat(before, middle, scale);
        if dot(p, q) < 0.0 {
            p = p.map(|it| -it);
        }
        let turn = product(q, [-p[0], -p[1], -p[2], p[3]]);
        let onward = product(turn, q);
        let mut next = [0.0; 4];
        for at in 0..4 {
            next[at] = q[at] + ahead * (onward[at] - q[at]);
        }
        let length = dot(next, next).sqrt();
        let next = if length > 0.01 { next.map(|it| it / length) } else { q };
        let (mut largest, mut second) = (0, 0.0);
        for at in 1..4 {
            let size = next[at].abs();
            if size > next[largest].abs() {
                second = next[largest].abs();
                largest = at;
            } else if size > second {
                second = size;
            }
        }
        RotationTrend {
            scale,
            middle,
            last: q,
            next,
            spin: ((turn[0].abs() + turn[1].abs() + turn[2].abs()) * scale) as i32,
            largest,
            lead: ((next[largest].abs() - second) * scale) as i32,
        }
    }

    /// The three other components, without `largest`, of the last and the next rotation.
    pub(crate) fn lanes(&self, largest: usize) -> [[i32; 3]; 2] {
        [self.last, self.next].map(|q| {
            let sign = if q[largest] < 0.0 { -self.scale } else { self.scale };
            let mut others = (0..4).filter(|&at| at != largest);
            [(); 3].map(|()| {
                let component = q[others.next().expect("three of four")];
                // Rounds to the nearest; casting NaN gives zero.
                (component * sign + self.middle + 0.5).floor() as i32
            })
        })
    }
}

fn quat(lanes: &[i32], middle: f32, scale: f32) -> Quat {
    let largest = (lanes[0] & 3) as usize;
    let mut q = [0.0; 4];
    let mut rest = 1.0;
    let mut lane = 1;
    for (at, component) in q.iter_mut().enumerate() {
        if at != largest {
            *component = (lanes[lane] as f32 - middle) / scale;
            rest -= *component * *component;
            lane += 1;
        }
    }
    q[largest] = if rest > 0.0 { rest.sqrt() } else { 0.0 };
    q
}

fn dot(a: Quat, b: Quat) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3]
}

fn product(a: Quat, b: Quat) -> Quat {
    [
        a[3] * b[0] + a[0] * b[3] + a[1] * b[2] - a[2] * b[1],
        a[3] * b[1] - a[0] * b[2] + a[1] * b[3] + a[2] * b[0],
        a[3] * b[2] + a[0] * b[1] - a[1] * b[0] + a[2] * b[3],
        a[3] * b[3] - a[0] * b[0] - a[1] * b[1] - a[2] * b[2],
    ]
}
