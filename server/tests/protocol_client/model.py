"""Models: decision trees and prefix codes that replace the codes of deltas."""

from errors import Malformed
from fields import wrap
from postcard import BYTES, I8, I16, I32, U8, U16, decode, enumeration, fixed, listing, structure
from rotations import Rotation

MODEL_VERSION = 1
CHUNK_FIELDS = 4
LEAVES_MAX = 128
ESCAPE = 64
FIRST_HEAD = 65
ROTATION_SYMBOLS = 69
CODE_LENGTH_MAX = 15

CHILD = enumeration(("Split", structure(place=U8)), ("Leaf", structure(place=U8)))
SPLIT = structure(feature=U16, threshold=I32, children=fixed(CHILD, 2))
LEAF = structure(weight=I8, bias=I16, lengths=BYTES)
SITE = structure(splits=listing(SPLIT), leaves=listing(LEAF))
CHANCE_TREE = structure(splits=listing(SPLIT), leaves=listing(fixed(U16, 3)))
KIND_MODEL = structure(common=BYTES, sites=listing(SITE), chances=CHANCE_TREE)
MODEL = structure(version=U8, kinds=listing(KIND_MODEL))


def read_model(data):
    """The kinds of a model, as dicts by the fields of KindModel."""
    if data[:1] != bytes([MODEL_VERSION]):
        raise Malformed("a model of another version")
    return decode(MODEL, data)["kinds"]


def check_tree(tree, features):
    """Checks a tree's size, its features (`features` of them are there) and the order of its children."""
    splits, leaves = tree["splits"], tree["leaves"]
    if len(leaves) > LEAVES_MAX:
        raise Malformed(f"{len(leaves)} leaves")
    for place, split in enumerate(splits):
        if split["feature"] >= features:
            raise Malformed(f"feature {split['feature']} of {features}")
        for name, child in split["children"]:
            if child["place"] >= len(splits if name == "Split" else leaves):
                raise Malformed("a child that is not in its tree")
            if name == "Split" and child["place"] <= place:
                raise Malformed("a child before its parent")


class Leaf:
    """The end of a path through a site's tree: weight and bias of a lane's expectation, and a prefix code."""

    def __init__(self, source, symbols):
        """`source`: a Leaf of the model; `symbols`: how many symbols its code may have."""
        self.weight, self.bias = source["weight"], source["bias"]
        halves = [half for byte in source["lengths"] for half in (byte & 15, byte >> 4)]
        if len(source["lengths"]) != (symbols + 1) // 2:
            raise Malformed(f"{len(source['lengths'])} bytes of lengths for {symbols} symbols")
        self.symbols = canonical_code(halves[:symbols])

    def read_symbol(self, reader):
        """The next symbol."""
        number = 0
        for length in range(1, CODE_LENGTH_MAX + 1):
            number = number << 1 | reader.bits(1)
            symbol = self.symbols.get((length, number))
            if symbol is not None:
                return symbol
        raise Malformed("no symbol has this code")


def canonical_code(lengths):
    """The symbols of a canonical code by (length, number), from the length of each symbol's code."""
    symbols, number, before = {}, 0, 0
    for length, symbol in sorted((length, symbol) for symbol, length in enumerate(lengths) if length):
        number <<= length - before
        if number >> length:
            raise Malformed("more codes than their lengths permit")
        symbols[length, number] = symbol
        number, before = number + 1, length
    return symbols


class Site:
    """A place in a delta that codes one symbol."""

    def __init__(self, source, symbols, features):
        """`source`: a Site of the model; `symbols`: how many it may code; `features`: how many there are."""
        check_tree(source, features)
        self.splits = [(split["feature"], split["threshold"],
                        [(name == "Leaf", child["place"]) for name, child in split["children"]])
                       for split in source["splits"]]
        self.leaves = [Leaf(leaf, symbols) for leaf in source["leaves"]]

    def leaf(self, features):
        """The Leaf for these `features`, a list of integers."""
        if not self.leaves:
            raise Malformed("a site without leaves is coded")
        at_leaf, place = not self.splits, 0
        while not at_leaf:
            feature, threshold, children = self.splits[place]
            at_leaf, place = children[features[feature] > threshold]
        return self.leaves[place]


def read_token(reader, symbol):
    """The residual that a token of 0 to 63 and its low bits stand for."""
    if symbol < 16:
        return (symbol >> 1) ^ -(symbol & 1)
    over = symbol - 16
    exponent = over // 4 + 3
    magnitude = ((2 + (over // 2) % 2) << (exponent - 1)) + reader.bits(exponent - 1)
    return -magnitude if over % 2 else magnitude


def read_token_lane(reader, leaf, symbol, lane, last, following):
    """The value of a lane that a token codes; `last` and `following` as in `expected_offset`."""
    if symbol > ESCAPE:
        raise Malformed(f"symbol {symbol} in place of a token")
    if symbol == ESCAPE:
        return lane.at(reader.bits(lane.bits))
    offset = expected_offset(leaf, lane, last, following) + read_token(reader, symbol)
    return lane.at(offset & (lane.span if lane.angle else 2**32 - 1))


def expected_offset(leaf, lane, last, following):
    """The offset of a lane above its least value that `leaf` expects, from its values `last` and `following`."""
    last, following = last - lane.least, following - lane.least
    expected = last + (((following - last) * leaf.weight + 8) >> 4) + leaf.bias
    return expected if lane.angle else max(0, min(lane.span, expected))


class Layout:
    """Feature numbers of a kind."""

    def __init__(self, kind, chunks):
        lanes, fields = len(kind.lanes), len(kind.fields)
        self.age = 0
        self.base = 2
        self.residual = 2 + 3 * lanes
        self.residual_size = 2 + 4 * lanes
        self.step = 2 + 5 * lanes
        self.error = 2 + 6 * lanes + fields
        self.path = 2 + 6 * lanes + 2 * fields
        self.pattern = 2 + 6 * lanes + 3 * fields
        self.count = self.pattern + chunks


class ModelCoder:
    """Reads deltas of one kind by its model."""

    def __init__(self, kind, source):
        """`kind`: a Kind of entity; `source`: its KindModel."""
        self.kind = kind
        fields = kind.delta_fields
        self.chunks = [fields[first:first + CHUNK_FIELDS] for first in range(0, len(fields), CHUNK_FIELDS)]
        self.layout = Layout(kind, len(self.chunks))
        self.common = source["common"]
        if len(self.common) != len(self.chunks):
            raise Malformed(f"{len(self.common)} common patterns for {len(self.chunks)} chunks")
        if any(pattern >> len(chunk) for pattern, chunk in zip(self.common, self.chunks)):
            raise Malformed("a common pattern of more fields than its chunk has")
        symbols = ([FIRST_HEAD + (1 << len(chunk)) for chunk in self.chunks]
                   + [symbols for field in kind.fields for symbols in lane_symbols(field)])
        if len(source["sites"]) != len(symbols):
            raise Malformed(f"{len(source['sites'])} sites in place of {len(symbols)}")
        self.sites = [Site(site, count, self.layout.count) for site, count in zip(source["sites"], symbols)]
        check_tree(source["chances"], self.layout.count)

    def read_delta(self, reader, baseline, age, mine):
        """All lanes now, from those of `baseline`, which is `age` ticks old."""
        return Delta(self, reader, self.kind.seen(baseline, mine), age, mine).read()


def lane_symbols(field):
    """The number of symbols at the site of each of the field's lanes."""
    first = ROTATION_SYMBOLS if field.rotation else FIRST_HEAD
    return [first] + [FIRST_HEAD] * (len(field.lanes) - 1)


def merged_field(chunk, common):
    """The field whose first lane a token in the chunk's site codes, or None if there is none such."""
    if common == 0:
        return None
    field = chunk[(common & -common).bit_length() - 1]
    mergeable = field.velocity is None and not field.rotation and not field.two_valued
    return field if mergeable else None


class Delta:
    """One delta while it is read."""

    def __init__(self, coder, reader, baseline, age, mine):
        self.coder, self.kind, self.layout = coder, coder.kind, coder.layout
        self.reader, self.baseline, self.age, self.mine = reader, baseline, age, mine
        self.lanes = list(baseline)
        self.features = [0] * self.layout.count
        self.features[self.layout.age] = age
        for place, value in enumerate(baseline):
            self.features[self.layout.base + place] = wrap(value, 32)

    def read(self):
        """All lanes of the entity now."""
        for number, chunk in enumerate(self.coder.chunks):
            self._read_chunk(number, chunk)
        return self.lanes

    def _read_chunk(self, number, chunk):
        """Reads the pattern of one chunk and the lanes of its fields."""
        leaf = self.coder.sites[number].leaf(self.features)
        symbol = leaf.read_symbol(self.reader)
        pattern, merged = self._pattern(chunk, self.coder.common[number], symbol)
        self.features[self.layout.pattern + number] = pattern
        for bit, field in enumerate(chunk):
            sent = pattern >> bit & 1
            if field.owner_only and not self.mine:
                if sent:
                    raise Malformed("a delta of an owner-only field of another's entity")
                continue
            following = self.kind.predict(field, self.baseline, self.lanes, self.age)
            if sent:
                self._read_field(field, following, (leaf, symbol) if field is merged else None)
                field.check(self.lanes)
            else:
                self.lanes[field.first:field.first + len(field.lanes)] = following

    def _pattern(self, chunk, common, symbol):
        """The chunk's pattern and its merged field, or None if `symbol` is no token."""
        merged = merged_field(chunk, common)
        if symbol <= ESCAPE:
            if merged is None:
                raise Malformed("a token in a chunk that merges no field")
            return common, merged
        if merged is not None and symbol - FIRST_HEAD == common:
            raise Malformed("a head that a token stands for")
        return symbol - FIRST_HEAD, None

    def _read_field(self, field, following, merged):
        """Reads a field whose bit is set; `merged`: the leaf and symbol of its first lane, if they were read."""
        if field.rotation:
            self._read_rotation(field)
        elif field.two_valued:
            lane = field.lanes[0]
            self._set_lane(field, 0, lane.least + lane.most - following[0], lane.least, lane.least)
        else:
            for place, expected in enumerate(following):
                last = self.baseline[field.first + place]
                value = self._read_lane(field, place, last, expected, merged if place == 0 else None)
                self._set_lane(field, place, value, last, expected)

    def _read_lane(self, field, place, last, following, merged=None):
        """The value of the field's lane number `place`."""
        leaf, symbol = merged or self._symbol(field, place)
        return read_token_lane(self.reader, leaf, symbol, field.lanes[place], last, following)

    def _symbol(self, field, place):
        """The leaf and symbol of the site of the field's lane number `place`."""
        site = self.coder.sites[len(self.coder.chunks) + field.first + place]
        leaf = site.leaf(self.features)
        return leaf, leaf.read_symbol(self.reader)

    def _set_lane(self, field, place, value, last, following):
        """Keeps a decoded lane and the features that follow from it."""
        lane, number, layout = field.lanes[place], field.first + place, self.layout
        clamped = following if lane.angle else max(lane.least, min(lane.most, following))
        residual = wrap(lane.short_way(value - clamped), 32)
        step = saturated(abs(wrap(lane.short_way(value - last), 32)))
        self.lanes[number] = value
        self.features[layout.residual + number] = residual
        self.features[layout.residual_size + number] = saturated(abs(residual))
        self.features[layout.step + number] = step
        self._add(layout.error + field.place, saturated(abs(residual)))
        self._add(layout.path + field.place, step)

    def _add(self, feature, amount):
        """Adds to a feature that is a sum."""
        self.features[feature] = saturated(self.features[feature] + amount)

    def _read_rotation(self, field):
        """Reads the four lanes of a rotation."""
        rotation = Rotation(field, self.baseline)
        leaf, symbol = self._symbol(field, 0)
        if symbol == FIRST_HEAD:
            raise Malformed("a head that a token stands for")
        head = max(0, symbol - FIRST_HEAD)
        largest = (rotation.expected_largest + head) % 4
        self.lanes[field.first] = largest
        self.features[self.layout.residual + field.first] = head
        for place, (last, following) in enumerate(rotation.expected_lanes(largest), start=1):
            coded = (leaf, symbol) if place == 1 and head == 0 else None
            value = self._read_lane(field, place, last, following, coded)
            self._set_lane(field, place, value, last, following)


def saturated(value):
    """`value` as an i32, or the end of its range that is next."""
    return max(-2**31, min(2**31 - 1, value))
