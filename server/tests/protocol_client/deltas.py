"""Deltas of entities in the codes that every game has: a bit a field or part of it, and a class code a lane."""

from errors import Malformed

ESCAPE = 33
CLASS_CODES = (
    "00", "010", "011", "100", "101", "1100", "1101", "11100", "11101", "111100", "111101", "1111100", "1111101",
    "11111100", "11111101", "111111100", "111111101", "1111111100", "1111111101", "11111111100", "11111111101",
    "111111111100000", "111111111100001", "111111111100010", "111111111100011", "111111111100100",
    "111111111100101", "111111111100110", "111111111100111", "111111111101000", "111111111101001",
    "111111111101010", "111111111101011", "111111111101100")
CLASSES = {code: number for number, code in enumerate(CLASS_CODES)}
CODE_LENGTH_MAX = 15


def read_class(reader):
    """The class of a residual, 0 to 33."""
    code = ""
    while code not in CLASSES:
        if len(code) == CODE_LENGTH_MAX:
            raise Malformed(f"no class has the code {code}")
        code += str(reader.bits(1))
    return CLASSES[code]


def read_residual_lane(reader, lane, predicted):
    """One lane of a field that is not as predicted."""
    size = read_class(reader)
    if size == ESCAPE:
        return lane.at(reader.bits(lane.bits))
    if size > lane.bits:
        raise Malformed(f"a residual of class {size} in a lane of {lane.bits} bits")
    zigzag = (1 << (size - 1)) | reader.bits(size - 1) if size else 0
    residual = (zigzag >> 1) ^ -(zigzag & 1)
    return lane.at((predicted + residual - lane.least) & (lane.span if lane.angle else 2**32 - 1))


def read_fields(reader, kind, fields, baseline, lanes, age, mine):
    """Reads `fields` of a delta into `lanes`, which hold the baseline's values before."""
    for field in fields:
        if field.owner_only and not mine:
            continue
        predicted = kind.predict(field, baseline, lanes, age)
        lanes[field.first:field.first + len(field.lanes)] = predicted
        if reader.flag():
            read_field(reader, field, lanes)


def read_field(reader, field, lanes):
    """Reads a field that is not as predicted into `lanes`, which hold its prediction."""
    if not field.read_presence(reader, lanes):
        return
    for places in field.value_places:
        if field.array and not reader.flag():
            continue
        if field.type == "Text":
            field.read_plain(reader, lanes, places)
            continue
        for lane, place in zip(field.value_lanes, places):
            lanes[place] = read_residual_lane(reader, lane, lanes[place])


class PlainCoder:
    """Reads deltas of one kind without a model."""

    def __init__(self, kind):
        self.kind = kind

    def read_delta(self, reader, baseline, age, mine):
        """All lanes now, from those of `baseline`, which is `age` ticks old."""
        kind = self.kind
        baseline = kind.seen(baseline, mine)
        lanes = list(baseline)
        read_fields(reader, kind, kind.common_fields, baseline, lanes, age, mine)
        if not kind.rare_fields:
            return lanes
        if reader.flag():
            read_fields(reader, kind, kind.rare_fields, baseline, lanes, age, mine)
            return lanes
        predicted = kind.predict_all(baseline, age, mine)
        for field in kind.rare_fields:
            for place in field.places:
                lanes[place] = predicted[place]
        return lanes
