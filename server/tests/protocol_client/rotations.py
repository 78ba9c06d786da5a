"""A model's expectation of a rotation: quaternions in f32, rounded after each operation."""

import math

from fields import f32

ROOT_OF_TWO = f32(math.sqrt(2))


class Rotation:
    """The expectation of a rotation from its lanes in the baseline."""

    def __init__(self, field, baseline):
        """`field`: a Field of type Quat; `baseline`: all lanes of the entity."""
        self.middle = (1 << (field.sizes["bits"] - 1)) - 1
        self.scale = f32(max(self.middle, 1) * ROOT_OF_TWO)
        self.last = self._unit([baseline[place] for place in field.places])
        length = f32(math.sqrt(dot(self.last, self.last)))
        self.following = [f32(part / length) for part in self.last]
        magnitudes = [abs(part) for part in self.following]
        self.expected_largest = magnitudes.index(max(magnitudes))

    def _unit(self, lanes):
        """The quaternion [x, y, z, w] of the four lanes of a rotation."""
        sent = [f32(f32(lane - self.middle) / self.scale) for lane in lanes[1:]]
        rest = 1.0
        for part in sent:
            rest = f32(rest - f32(part * part))
        sent.insert(lanes[0], f32(math.sqrt(rest)) if rest > 0 else 0.0)
        return sent

    def expected_lanes(self, largest):
        """Of each lane but the first its `last` and `next`, once the `largest` component is known."""
        return list(zip(self._lanes(self.last, largest), self._lanes(self.following, largest)))

    def _lanes(self, parts, largest):
        """The three lanes of the quaternion `parts` without its component number `largest`."""
        factor = -self.scale if parts[largest] < 0 else self.scale
        return [math.floor(f32(f32(f32(part * factor) + self.middle) + 0.5))
                for place, part in enumerate(parts) if place != largest]


def dot(left, right):
    """The dot product of two quaternions, its terms added in order."""
    total = f32(left[0] * right[0])
    for one, other in zip(left[1:], right[1:]):
        total = f32(total + f32(one * other))
    return total
