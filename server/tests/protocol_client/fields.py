"""Field tables: how kinds of entities, events, commands and inputs become integer lanes, and back."""

import math
import struct

from errors import Malformed
from texts import check_text, read_text, text_lanes, text_value, write_text

LANES_MAX = 64
VALUES_MAX = 32
TEXT_BYTES_MAX = 64
KINDS_MAX = 64
PREDICTED_TICKS_MAX = 32
LANE_COUNTS = {"Bool": 1, "Int": 1, "Float": 1, "Angle": 1, "Vec2": 2, "Vec3": 3, "Quat": 4, "Choice": 1}


def f32(value):
    """`value` rounded to the nearest f32, as a float."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


def round_half_away(value):
    """The whole number next to the float `value`, halves away from zero."""
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def wrap(value, bits):
    """The low `bits` bits of `value` as a signed number."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


class Lane:
    """One integer of a kind: `least` to `most`, sent plain in `bits` bits."""

    def __init__(self, least, most, angle=False):
        self.least, self.most, self.angle = least, most, angle
        self.span = most - least
        self.bits = self.span.bit_length()
        self.rest = max(least, min(most, 0))

    def at(self, offset):
        """The value `offset` above `least`; an error beyond `most`."""
        if not 0 <= offset <= self.span:
            raise Malformed(f"{offset} above a lane's least value, its span is {self.span}")
        return self.least + offset

    def short_way(self, difference):
        """`difference` of two values; of an angle the short way round, its low bits as a signed number."""
        return wrap(difference, self.bits) if self.angle else difference


class Field:
    """One field of a kind. `first` is the place of its first lane among the kind's lanes."""

    def __init__(self, schema, place, first):
        """`schema`: a FieldSchema; `place`: the field's place in the table."""
        self.name = schema["name"]
        self.type, self.sizes = schema["ty"]
        self.values, counted = schema["values"]
        self.optional = self.values in ("Optional", "OptionalArray")
        self.array = self.values in ("Array", "OptionalArray")
        self.length = counted.get("length", 1)
        if not 1 <= self.length <= VALUES_MAX:
            raise Malformed(f"{self.length} values of {self.name}")
        self.rule = schema["rule"]
        self.owner_only = schema["owner_only"]
        self.velocity_name = schema["velocity"]
        self.choice = schema["choice"]
        self.place, self.first = place, first
        self.value_lanes = self._make_lanes()
        self.lanes = [Lane(0, 1)] * self.optional + self.value_lanes * self.length
        self.places = range(first, first + len(self.lanes))
        self.velocity = None
        self.scale = 0

    def _make_lanes(self):
        """The Lane of each lane of one value."""
        sizes = self.sizes
        if self.type == "Text":
            if not 1 <= sizes["bytes"] <= TEXT_BYTES_MAX:
                raise Malformed(f"bytes of {self.name}")
            return [Lane(0, most) for most in text_lanes(sizes["bytes"])]
        if self.type == "Bool":
            return [Lane(0, 1)]
        if self.type == "Int":
            if not 0 <= sizes["max"] - sizes["min"] < 2**32:
                raise Malformed(f"range of {self.name}")
            return [Lane(sizes["min"], sizes["max"])]
        if self.type == "Choice":
            if sizes["variants"] == 0:
                raise Malformed(f"{self.name} has no variants")
            return [Lane(0, sizes["variants"] - 1)]
        if self.type == "Angle":
            return [Lane(0, self._part_of_turn(1, 24), angle=True)]
        if self.type == "Quat":
            return [Lane(0, 3)] + [Lane(0, self._part_of_turn(2, 15)) for _ in range(3)]
        return [self._stepped_lane() for _ in range(LANE_COUNTS[self.type])]

    def _part_of_turn(self, least, most):
        """The largest number of `bits` bits, checked to be `least` to `most` bits."""
        if not least <= self.sizes["bits"] <= most:
            raise Malformed(f"bits of {self.name}")
        return (1 << self.sizes["bits"]) - 1

    def _stepped_lane(self):
        """The lane of a number that travels in steps."""
        low, high, step = self.sizes["min"], self.sizes["max"], self.sizes["step"]
        if not (step > 0 and low <= high and max(abs(low), abs(high)) / step < 2**23):
            raise Malformed(f"range of {self.name}")
        return Lane(round_half_away(low / step), round_half_away(high / step))

    @property
    def step(self):
        """The size of one step of a lane, for the ratio of a velocity."""
        if self.type in ("Float", "Vec2", "Vec3"):
            return self.sizes["step"]
        return f32(2 * math.pi / (1 << self.sizes["bits"])) if self.type == "Angle" else 1.0

    @property
    def in_steps(self):
        """True if the field is one value, and each lane of it a signed number of steps."""
        return self.values == "One" and self._type_in_steps

    @property
    def _type_in_steps(self):
        """True if each lane of a value is a signed number of steps."""
        return self.type in ("Float", "Vec2", "Vec3", "Angle") or self.type == "Int" and self.sizes["max"] < 2**31

    @property
    def two_valued(self):
        """True if the field is one lane of two values."""
        return len(self.lanes) == 1 and self.lanes[0].span == 1

    @property
    def rotation(self):
        """True if the field is one value, a Quat."""
        return self.values == "One" and self.type == "Quat"

    @property
    def value_places(self):
        """For each value the places of its lanes, as ranges."""
        size = len(self.value_lanes)
        first = self.first + self.optional
        return [range(place, place + size) for place in range(first, first + size * self.length, size)]

    def rest(self, lanes):
        """Sets the field's lanes among all `lanes` to those of no value: as near to zero as their ranges allow."""
        for lane, place in zip(self.lanes, self.places):
            lanes[place] = lane.rest

    def check(self, lanes):
        """Checks the texts among the field's own lanes."""
        if self.type == "Text":
            for places in self.value_places:
                check_text([lanes[place] for place in places])

    def read_whole(self, reader, lanes):
        """Reads the field into all `lanes`: whether it has a value, and its values plain."""
        if self.read_presence(reader, lanes):
            for places in self.value_places:
                self.read_plain(reader, lanes, places)

    def read_presence(self, reader, lanes):
        """Whether the field has a value; if not, its lanes are set to those of none."""
        if self.optional:
            if not reader.flag():
                self.rest(lanes)
                return False
            lanes[self.first] = 1
        return True

    def read_plain(self, reader, lanes, places):
        """Reads one value into `lanes` at `places`, plain."""
        if self.type == "Text":
            lanes[places.start:places.stop] = read_text(reader, self.value_lanes)
            return
        for lane, place in zip(self.value_lanes, places):
            lanes[place] = lane.at(reader.bits(lane.bits))

    def write_whole(self, writer, lanes):
        """Writes what `read_whole` reads."""
        if self.optional:
            writer.bits(lanes[self.first], 1)
            if not lanes[self.first]:
                return
        for places in self.value_places:
            if self.type == "Text":
                write_text(writer, self.value_lanes, [lanes[place] for place in places])
                continue
            for lane, place in zip(self.value_lanes, places):
                writer.bits(lanes[place] - lane.least, lane.bits)

    def value(self, lanes):
        """What the field holds, from its own lanes (a list of integers): a value, a list of them, or None."""
        if self.optional and not lanes[0]:
            return None
        values = [self._value([lanes[place - self.first] for place in places]) for places in self.value_places]
        return values if self.array else values[0]

    def _value(self, lanes):
        """One value for a reader, from its lanes."""
        if self.type == "Text":
            return text_value(lanes)
        if self.type == "Bool":
            return lanes[0] == 1
        if self.type == "Choice":
            return self.choice["variants"][lanes[0]] if self.choice else lanes[0]
        if self.type == "Int":
            return lanes[0]
        if self.type == "Angle":
            radians = lanes[0] * 2 * math.pi / (1 << self.sizes["bits"])
            return round(radians if radians <= math.pi else radians - 2 * math.pi, 6)
        if self.type == "Quat":
            return rotation_value(lanes, self.sizes["bits"])
        numbers = [self._number(lane) for lane in lanes]
        return numbers[0] if self.type == "Float" else numbers

    def _number(self, lane):
        """The number that a lane in steps stands for."""
        number = max(self.sizes["min"], min(self.sizes["max"], lane * self.sizes["step"]))
        return round(number, 6)


def rotation_value(lanes, bits):
    """The quaternion [x, y, z, w] of the four lanes of a rotation of `bits` bits."""
    most = (1 << (bits - 1)) - 1
    smaller = [(lane - most) / (most * math.sqrt(2)) for lane in lanes[1:]]
    rest = math.sqrt(max(0.0, 1 - sum(part * part for part in smaller)))
    smaller.insert(lanes[0], rest)
    return [round(part, 6) for part in smaller]


class Kind:
    """A kind of entity, event, command or input, compiled from its KindSchema."""

    def __init__(self, schema, tick_hz):
        self.name = schema["name"]
        self.fields = []
        self.lanes = []
        for place, field_schema in enumerate(schema["fields"]):
            field = Field(field_schema, place, len(self.lanes))
            self.fields.append(field)
            self.lanes.extend(field.lanes)
        if len(self.lanes) > LANES_MAX:
            raise Malformed(f"{self.name} has {len(self.lanes)} lanes")
        for field in self.fields:
            self._find_velocity(field, tick_hz)
        self.coding_order = ([field for field in self.fields if field.velocity is None]
                             + [field for field in self.fields if field.velocity is not None])
        self.delta_fields = [field for field in self.coding_order if field.rule != "Initial"]
        self.common_fields = [field for field in self.delta_fields if field.rule != "Rare"]
        self.rare_fields = [field for field in self.delta_fields if field.rule == "Rare"]

    def _find_velocity(self, field, tick_hz):
        """Sets the velocity of `field` and the scale of its prediction."""
        if field.velocity_name is None:
            return
        found = [other for other in self.fields if other.name == field.velocity_name and other is not field]
        if not found or not moves(found[0], field):
            raise Malformed(f"velocity of {self.name}.{field.name}")
        field.velocity = found[0]
        field.scale = round_half_away(65536 * field.velocity.step / (tick_hz * field.step))

    def predict(self, field, baseline, lanes, age):
        """The predicted lanes of `field`.

        `baseline`: all lanes of the entity `age` ticks ago; `lanes`: all lanes now, those of a velocity decoded.
        """
        if field.velocity is None:
            return [baseline[place] for place in field.places]
        ticks = min(age, PREDICTED_TICKS_MAX)
        predicted = []
        for lane, place, rate in zip(field.lanes, field.places, field.velocity.places):
            before, now = baseline[rate], lanes[rate]
            sum_of_rates = 2 * ticks * before + (ticks + 1) * (now - before)
            moved = wrap(sum_of_rates * field.scale + 65536, 64) >> 17
            value = wrap(baseline[place] + moved, 64)
            predicted.append(max(lane.least, min(lane.most, value)))
        return predicted

    def seen(self, lanes, mine):
        """A copy of all `lanes`, those of owner-only fields 0 unless `mine`."""
        lanes = list(lanes)
        for field in self.fields:
            if field.owner_only and not mine:
                for place in field.places:
                    lanes[place] = 0
        return lanes

    def predict_all(self, baseline, age, mine):
        """All lanes of an entity that is as predicted from `baseline`, which is `age` ticks old."""
        baseline = self.seen(baseline, mine)
        lanes = list(baseline)
        for field in self.delta_fields:
            if mine or not field.owner_only:
                lanes[field.first:field.first + len(field.lanes)] = self.predict(field, baseline, lanes, age)
        return lanes

    def read_whole(self, reader, mine=True):
        """All lanes, each plain; those of owner-only fields are 0 unless `mine`."""
        lanes = [0] * len(self.lanes)
        for field in self.coding_order:
            if mine or not field.owner_only:
                field.read_whole(reader, lanes)
        return lanes

    def write_whole(self, writer, lanes, mine=True):
        """Writes what `read_whole` reads."""
        for field in self.coding_order:
            if mine or not field.owner_only:
                field.write_whole(writer, lanes)

    def default(self):
        """Lanes of a kind at rest: of each lane the value nearest to zero."""
        return [lane.rest for lane in self.lanes]

    def values(self, lanes):
        """The fields' values by name."""
        return {field.name: field.value([lanes[place] for place in field.places]) for field in self.fields}


def moves(velocity, position):
    """True if one field can be the velocity of another."""
    return (position.in_steps and velocity.in_steps and velocity.type != "Angle" and velocity.velocity_name is None
            and len(position.lanes) == len(velocity.lanes) and position.rule == velocity.rule
            and position.owner_only >= velocity.owner_only)


class Schema:
    """All kinds of a game, compiled."""

    def __init__(self, schema):
        """`schema`: the Schema of a Welcome frame."""
        self.source = schema
        self.tick_hz = schema["tick_hz"]
        if self.tick_hz == 0:
            raise Malformed("a tick rate of 0")
        self.input = Kind(schema["input"], self.tick_hz)
        self.entities = self._kinds(schema["entities"])
        self.events = self._kinds(schema["events"])
        self.commands = self._kinds(schema["commands"])

    def _kinds(self, schemas):
        if len(schemas) > KINDS_MAX:
            raise Malformed(f"{len(schemas)} kinds")
        return [Kind(schema, self.tick_hz) for schema in schemas]
