"""Tests of the decoder without a server: the worked example of the pages, and every case they call malformed."""

import unittest

from bits import BitReader, BitWriter
from deltas import CLASS_CODES, PlainCoder
from errors import Malformed, MissingBaseline, Misbehaved
from fields import Kind
from frames import CLIENT_FRAME, SERVER_FRAME, VERSION, FrameReader, encode_frame
from model import MODEL, ModelCoder, canonical_code, read_model, read_token
from postcard import BOOL, U16, U32, decode, encode
from rotations import Rotation
from snapshot import Acknowledgement, delta_age, encode_input, encode_publish, id_code
from world import Game, World

SEAT = 7


def field_schema(name, ty, rule="Always", owner_only=False, velocity=None, values=("One", {})):
    """A FieldSchema; `ty` and `values` are pairs (variant, fields)."""
    return {"name": name, "ty": ty, "values": values, "rule": rule, "owner_only": owner_only, "velocity": velocity,
            "choice": None}


def vec2(limit, step):
    """A FieldType of a vector of -limit to limit."""
    return ("Vec2", {"min": -limit, "max": limit, "step": step})


DOT = {"name": "Dot", "fields": [field_schema("pos", vec2(100.0, 0.009999999776482582), velocity="vel"),
                                 field_schema("vel", vec2(20.0, 0.009999999776482582))]}
THING = {"name": "Thing", "fields": [
    field_schema("kind", ("Int", {"min": 0, "max": 4}), rule="Initial"),
    field_schema("level", ("Int", {"min": -5, "max": 5})),
    field_schema("lit", ("Bool", {}), rule="Rare"),
    field_schema("secret", ("Int", {"min": 3, "max": 9}), owner_only=True),
    field_schema("facing", ("Angle", {"bits": 8}))]}
HIT = {"name": "Hit", "fields": [field_schema("power", ("Int", {"min": 0, "max": 9}))]}
KEYS = {"name": "Keys", "fields": [field_schema("right", ("Int", {"min": -1, "max": 1})),
                                   field_schema("up", ("Int", {"min": -1, "max": 1}))]}
SCHEMA = {"game": "test", "tick_hz": 60, "input": KEYS, "entities": [DOT, THING], "events": [HIT], "commands": [],
          "model": b""}


def new_world(tick=999, seat=SEAT):
    """The empty world of a stay that began at `tick`."""
    return World(Game(SCHEMA), tick, seat)


class Datagram:
    """Writes a snapshot of the tests' game."""

    def __init__(self, tick, seat=SEAT, common=0, events=None, report=False):
        """`events`: (number of the first, kinds and powers) of the numbered events."""
        self.writer = BitWriter()
        self.writer.bits(0x53, 8)
        self.writer.bits(tick % 65536, 16)
        self.writer.bits(seat, 8)
        self.writer.bits(int(report), 1)
        if report:
            self.writer.bits(128, 8)
            self.writer.bits(2048, 12)
            self.writer.bits(0, 1)
        self._events(events)
        self.writer.bits(common, 7)

    def _events(self, events):
        self.writer.bits(int(events is not None), 1)
        if events is None:
            return
        first, powers = events
        self.writer.bits(1, 1)
        self.writer.bits(first, 16)
        self.writer.bits(len(powers) - 1, 6)
        self.writer.bits(0, 1)
        for power in powers:
            self.writer.bits(3, 7)
            self.writer.bits(0, 6)
            self.writer.bits(power, 4)

    def mark(self, code, bits=""):
        """The mark code and the marks' bits."""
        self.writer.bits(code, 3)
        self.writer.code(bits)
        return self

    def records(self, count):
        """The number of records that follow."""
        self.writer.golomb(count)
        return self

    def dot(self, gap, entity_id, lanes, mine=False):
        """A whole Dot; `lanes` in the order of the table."""
        self._whole(gap, 0, entity_id, mine)
        Kind(DOT, 60).write_whole(self.writer, lanes, mine)
        return self

    def thing(self, gap, entity_id, lanes, mine=False):
        """A whole Thing."""
        self._whole(gap, 1, entity_id, mine)
        Kind(THING, 60).write_whole(self.writer, lanes, mine)
        return self

    def _whole(self, gap, kind, entity_id, mine):
        self.writer.golomb(gap)
        self.writer.code("10")
        self.writer.bits(kind, 6)
        self.writer.bits(int(mine), 1)
        code = id_code(entity_id)
        self.writer.bits(code.bit_length(), 6)
        self.writer.bits(code, code.bit_length())

    def gone(self, gap, in_world=False):
        """A slot that is free now."""
        self.writer.golomb(gap)
        self.writer.code("11")
        self.writer.bits(int(in_world), 1)
        return self

    def still(self, gap, number):
        """A delta of a Dot that is as predicted, by the `number` of its baseline."""
        self.writer.golomb(gap)
        self.writer.code("0")
        self.writer.golomb(number)
        self.writer.code("00")
        return self

    def data(self):
        """The datagram's bytes."""
        return self.writer.data()


REST = [0, 0, 0, 0]


class WorkedExample(unittest.TestCase):
    """The two datagrams of the worked example."""

    def test_both(self):
        world = new_world()
        tick, report, events = world.receive(bytes.fromhex("53e80307003420a1a00f7df82a8e12"), 1000)
        self.assertEqual((tick, report, events), (1000, None, []))
        entity = world.entity(0)
        self.assertEqual((entity.id, entity.kind, entity.mine), (5, 0, True))
        self.assertEqual(entity.states[1000], [1000, -500, 2000, 0])
        self.assertEqual(world.game.schema.entities[0].values(entity.states[1000]),
                         {"pos": [10.0, -5.0], "vel": [20.0, 0.0]})
        tick, report, _ = world.receive(bytes.fromhex("53eb030705c990810d04"), 1003)
        self.assertEqual((tick, report.lead, report.margin, report.dip), (1003, 2, 100, 0))
        self.assertEqual(world.entity(0).states[1003], [1102, -500, 2000, 0])
        self.assertEqual(world.acknowledgement(1003), Acknowledgement(1003, 0b100, None))


class Bits(unittest.TestCase):
    """Datagrams as numbers."""

    def test_golomb(self):
        for number in (0, 1, 2, 3, 6, 7, 65535, 2**31 - 2):
            writer = BitWriter()
            writer.golomb(number)
            self.assertEqual(BitReader(writer.data()).golomb(), number)
        for number in (2**31 - 1, 2**32):
            writer = BitWriter()
            writer.golomb(number)
            self.assertRaises(Malformed, BitReader(writer.data()).golomb)

    def test_end(self):
        reader = BitReader(b"\x05\x00")
        reader.bits(7)
        self.assertRaises(Malformed, reader.finish)
        reader.bits(2)
        reader.finish()
        reader = BitReader(b"\x80")
        reader.bits(6)
        self.assertRaises(Malformed, reader.finish)
        self.assertRaises(Malformed, reader.bits, 3)


class Frames(unittest.TestCase):
    """Frames and postcard."""

    def test_pieces(self):
        frame = encode_frame(SERVER_FRAME, ("Left", {"request": 300}))
        reader = FrameReader(SERVER_FRAME)
        self.assertEqual([found for place in range(len(frame)) for found in reader.feed(frame[place:place + 1])],
                         [("Left", {"request": 300})])

    def test_malformed(self):
        for data in ("01000000 VV", "01000100 VV", "03000000 02 02 05", "02000000 VV 7f", "04000000 VV 02 05 00",
                     "03000000 VV 02 80", "04000000 VV 07 02 00", "05000000 VV 08 02 c3 28"):
            with self.subTest(data):
                frame = bytes.fromhex(data.replace("VV", f"{VERSION:02x}"))
                self.assertRaises(Malformed, FrameReader(SERVER_FRAME).feed, frame)

    def test_varints(self):
        self.assertRaises(Malformed, decode, U16, b"\xff\xff\x04")
        self.assertEqual(decode(U32, b"\xff\xff\xff\xff\x0f"), 2**32 - 1)
        self.assertRaises(Malformed, decode, U32, b"\xff\xff\xff\xff\x1f")
        self.assertRaises(Malformed, decode, BOOL, b"\x02")

    def test_hello_with_schema(self):
        value = ("Hello", {"client": "test", "schema": SCHEMA, "resumable": True, "token": ""})
        self.assertEqual(decode(CLIENT_FRAME, encode(CLIENT_FRAME, value))[1]["schema"], SCHEMA)


class Snapshots(unittest.TestCase):
    """Valid and malformed snapshots."""

    def setUp(self):
        self.world = new_world()

    def take(self, datagram):
        """Takes a datagram that must be applied."""
        applied = self.world.receive(datagram.data(), self.world.newest or 1000)
        self.assertIsNotNone(applied)
        return applied

    def refuse(self, error, datagram):
        """Takes a datagram that must fail, and checks that nothing was applied."""
        before = (self.world.newest, {slot: dict(entity.states) for slot, entity in self.world.entities.items()})
        self.assertRaises(error, self.world.receive, datagram.data(), self.world.newest or 1000)
        after = (self.world.newest, {slot: dict(entity.states) for slot, entity in self.world.entities.items()})
        self.assertEqual(before, after)

    def test_marks(self):
        self.take(Datagram(1000).records(3).dot(0, 1, REST).dot(0, 2, REST).dot(0, 3, [0, 0, 600, 0]))
        self.take(Datagram(1001, common=1).mark(4, "11" + "10" + "0" + "00").records(0))
        self.assertEqual(self.world.snapshot_slots(1001), [1, 2])
        self.assertEqual(self.world.state(2, 1001), [10, 0, 600, 0])
        self.refuse(Malformed, Datagram(1002, common=2).mark(7).records(0))
        self.refuse(Malformed, Datagram(1002, common=1).mark(0, "1100").records(1).gone(1))
        self.take(Datagram(1002, common=1).mark(2, "11").records(1).gone(1))
        self.assertIsNone(self.world.entity(1))

    def test_missing_baselines(self):
        self.refuse(MissingBaseline, Datagram(1001, common=1).mark(6).records(0))
        self.refuse(MissingBaseline, Datagram(1001).records(1).still(4, 0))
        self.take(Datagram(1001).records(1).dot(0, 1, REST))
        self.refuse(MissingBaseline, Datagram(1003).records(1).still(0, 0))
        self.take(Datagram(1003).records(1).still(0, 1))

    def test_ages(self):
        self.assertEqual([delta_age(number, 2) for number in range(5)], [3, 1, 4, 2, 5])
        self.assertRaises(Malformed, delta_age, 5, 2)
        self.assertEqual([delta_age(number, 0) for number in range(3)], [1, 2, 3])

    def test_dropped(self):
        self.take(Datagram(1001).records(0))
        for datagram in (Datagram(1001), Datagram(1000), Datagram(999), Datagram(1002, seat=8)):
            self.assertIsNone(self.world.receive(datagram.records(0).data(), 1001))
        self.assertEqual(self.world.newest, 1001)

    def test_low_bits(self):
        world = new_world(tick=65530)
        world.receive(Datagram(65535).records(0).data(), 65530)
        world.receive(Datagram(65537).records(0).data(), 65530)
        self.assertEqual(world.newest, 65537)
        self.assertEqual(world.acknowledgement(65537).before, 0b10)

    def test_out_of_range(self):
        self.refuse(Malformed, Datagram(1000).records(1).dot(0, 1, [10001, 0, 0, 0]))
        datagram = Datagram(1000).records(1)
        datagram.writer.golomb(65536)
        self.refuse(Malformed, datagram.gone(0))
        datagram = Datagram(1000).records(1)
        datagram._whole(0, 2, 1, False)
        self.refuse(Malformed, datagram)
        self.take(Datagram(1000).records(1).dot(0, 1, [10000, 0, 0, 0]))
        self.refuse(Malformed, self.dot_delta(CLASS_CODES[2] + "0"))
        self.refuse(Malformed, self.dot_delta(CLASS_CODES[16]))
        self.refuse(Malformed, self.dot_delta("1" * 15))
        self.refuse(Malformed, self.dot_delta(CLASS_CODES[33] + "1" * 15))

    def test_ids(self):
        codes = {0: 0, 5: 10, 2**31 - 1: 2**32 - 2, 2**31: 1, 2**31 + 1: 3, 2**32 - 1: 2**32 - 1}
        self.assertEqual([id_code(each) for each in codes], list(codes.values()))
        for tick, each in enumerate(codes, start=1000):
            self.take(Datagram(tick).records(1).dot(0, each, REST))
            self.assertEqual(self.world.entity(0).id, each)
        for length, code in ((5, 10), (1, 0), (33, 2**32), (33, 10)):
            datagram = Datagram(2000).records(1)
            datagram.writer.code("1" + "10")
            datagram.writer.bits(0, 6)
            datagram.writer.bits(0, 1)
            datagram.writer.bits(length, 6)
            datagram.writer.bits(code, length)
            Kind(DOT, 60).write_whole(datagram.writer, REST)
            self.refuse(Malformed, datagram)

    def dot_delta(self, bits):
        """A delta of the Dot in slot 0, `bits` of its position's first lane."""
        datagram = Datagram(1001).records(1)
        datagram.writer.code("1" + "0" + "1" + "0" + "1" + bits + CLASS_CODES[0])
        return datagram

    def test_left_over(self):
        datagram = Datagram(1000).records(0)
        datagram.writer.bits(0, 16)
        self.refuse(Malformed, datagram)
        datagram = Datagram(1000).records(0)
        datagram.writer.bits(1, 1)
        self.refuse(Malformed, datagram)
        self.assertRaises(Malformed, self.world.receive, b"\x49", 1000)
        self.assertRaises(Malformed, self.world.receive, b"\x53\x00", 1000)
        self.assertRaises(Malformed, self.world.receive, b"", 1000)

    def test_whole_and_gone(self):
        self.take(Datagram(1000).records(1).thing(0, 1, [2, 0, 0, 0, 0]))
        self.take(Datagram(1001).records(1).thing(0, 1, [2, 4, 1, 8, 9], mine=True))
        self.assertEqual(self.world.state(0, 1000), [2, 0, 0, 0, 0])
        self.assertEqual(self.world.state(0, 1001), [2, 4, 1, 8, 9])
        self.take(Datagram(1002).records(1).thing(0, 1, [3, 4, 1, 0, 9]))
        self.assertIsNone(self.world.state(0, 1001))
        self.assertFalse(self.world.entity(0).mine)
        self.take(Datagram(1003).records(1).gone(0, in_world=True))
        self.take(Datagram(1004).records(1).gone(0, in_world=True))
        self.assertIsNone(self.world.entity(0))

    def test_rare_and_angles(self):
        self.take(Datagram(1000).records(1).thing(0, 1, [2, 0, 0, 5, 250], mine=True))
        datagram = Datagram(1001).records(1)
        datagram.writer.code("1" + "0" + "1" + "0" + "0" + "1" + CLASS_CODES[5] + "0000")
        datagram.writer.code("11" + CLASS_CODES[33] + "1")
        self.take(datagram)
        self.assertEqual(self.world.state(0, 1001), [2, 0, 1, 5, 2])

    def test_states_forgotten(self):
        self.take(Datagram(1000).records(1).dot(0, 1, REST))
        for tick in range(1001, 1300):
            self.take(Datagram(tick).records(1).dot(0, 1, REST))
        self.assertEqual(len(self.world.entity(0).states), 192)
        self.assertEqual(len(self.world.snapshots), 128)
        self.take(Datagram(1300).records(1).still(0, 99))
        self.assertEqual(min(self.world.entity(0).states), 1200)

    def test_events(self):
        _, _, events = self.take(Datagram(1000, events=(0, [4, 5])).records(0))
        self.assertEqual([(event.number, event.lanes) for event in events], [(0, [4]), (1, [5])])
        _, _, events = self.take(Datagram(1001, events=(0, [4, 5, 6])).records(0))
        self.assertEqual([event.number for event in events], [2])
        self.refuse(Malformed, Datagram(1002, events=(3, [10])).records(0))
        self.world.next_event = 65535
        _, _, events = self.take(Datagram(1002, events=(65534, [1, 2, 3])).records(0))
        self.assertEqual([event.number for event in events], [65535, 0])

    def test_silence(self):
        self.take(Datagram(1000).records(0))
        self.assertIsNotNone(self.world.acknowledgement(30999))
        self.assertIsNone(self.world.acknowledgement(31000))
        self.assertIsNone(self.world.receive(Datagram(31000).records(0).data(), 31000))
        self.world.begin(31001, 8)
        self.assertIsNotNone(self.world.receive(Datagram(31002, seat=8).records(0).data(), 31002))


class Keyframes(unittest.TestCase):
    """Parts of keyframes."""

    def setUp(self):
        self.world = new_world()

    def part(self, datagram):
        """Takes a part."""
        return self.world.receive_part(datagram.data(), 1000)

    def test_applied_and_counted(self):
        self.world.receive(Datagram(1005).records(0).data(), 1005)
        self.part(Datagram(1003).records(1).dot(0, 1, REST))
        self.part(Datagram(1007).records(1).dot(1, 2, REST))
        self.assertIsNone(self.world.receive(Datagram(1006).records(0).data(), 1006))
        self.assertIsNotNone(self.world.receive(Datagram(1007).records(0).data(), 1007))
        told = [self.world.acknowledgement(1007).parts for _ in range(92)]
        self.assertEqual(told, [2] * 60 + [2 if place % 16 == 0 else None for place in range(61, 93)])
        self.world.receive(Datagram(1009, common=2).mark(6).records(1).still(0, 6).data(), 1009)
        self.assertIsNotNone(self.world.state(0, 1009))

    def test_state_of_the_common_baseline(self):
        self.world.receive(Datagram(1003).records(0).data(), 1003)
        self.part(Datagram(1003).records(1).dot(0, 1, REST))
        self.world.acknowledgement(1003)
        self.world.receive(Datagram(1005, common=2).mark(6).records(1).still(0, 3).data(), 1005)
        self.assertIsNotNone(self.world.state(0, 1005))

    def test_misbehaved(self):
        self.part(Datagram(1003).records(1).dot(0, 1, REST))
        for datagram in (Datagram(1004, seat=8).records(0), Datagram(1004, report=True).records(0),
                         Datagram(1004).records(1).gone(3), Datagram(1004, events=(0, [1])).records(0),
                         Datagram(1004).records(1).still(0, 0), Datagram(1004, common=1).mark(6).records(0),
                         Datagram(1004).records(1).dot(0, 1, REST)):
            self.assertRaises(Misbehaved, self.part, datagram)
        self.assertRaises(Misbehaved, self.world.receive, Datagram(1004).records(1).gone(0).data(), 1004)


class Inputs(unittest.TestCase):
    """Input datagrams, read back bit by bit."""

    def test_layout(self):
        kind = Kind(KEYS, 60)
        data = encode_input(kind, SEAT, Acknowledgement(70000, 5, 258), 70003, [[1, -1], [1, -1], [0, 0]], 12)
        reader = BitReader(data)
        self.assertEqual([reader.bits(count) for count in (8, 8, 1, 16, 32, 1, 8, 6, 16, 8)],
                         [0x49, SEAT, 1, 70000 - 65536, 5, 1, 2, 3, 70003 - 65536, 12])
        self.assertEqual(kind.read_whole(reader), [1, -1])
        self.assertEqual(reader.bits(2), 0b10)
        self.assertEqual(kind.read_whole(reader), [0, 0])
        reader.finish()

    def test_without_inputs(self):
        self.assertEqual(encode_input(Kind(KEYS, 60), SEAT, None, None, [], 0), bytes([0x49, SEAT, 0]))


class Publish(unittest.TestCase):
    """The example of a publish datagram."""

    def test_example(self):
        self.assertEqual(encode_publish(300, "t/a", "k", b"hi"), bytes.fromhex("50ac0203742f61016b6869"))


class Predictions(unittest.TestCase):
    """Prediction by a velocity."""

    def test_dot(self):
        kind = Kind(DOT, 60)
        self.assertEqual(kind.fields[0].scale, 1092)
        self.assertEqual(kind.predict_all([0, 0, 600, -600], 6, True), [60, -60, 600, -600])
        self.assertEqual(kind.predict_all([0, 0, 600, 0], 100, True), [320, 0, 600, 0])
        self.assertEqual(kind.predict_all([9999, 0, 600, 0], 6, True)[0], 10000)

    def test_owner_only(self):
        kind = Kind(THING, 60)
        self.assertEqual(kind.predict_all([1, 2, 1, 7, 9], 3, False), [1, 2, 1, 0, 9])
        self.assertEqual(PlainCoder(kind).read_delta(BitReader(b"\x00"), [1, 2, 1, 7, 9], 3, False), [1, 2, 1, 0, 9])


def lengths(symbols, codes):
    """The bytes of code lengths of `symbols` symbols; `codes`: length by symbol."""
    halves = [codes.get(symbol, 0) for symbol in range(symbols + symbols % 2)]
    return bytes(low | high << 4 for low, high in zip(halves[::2], halves[1::2]))


def leaf(symbols, codes, weight=16, bias=0):
    """A Leaf of the model."""
    return {"weight": weight, "bias": bias, "lengths": lengths(symbols, codes)}


def site(*leaves, splits=()):
    """A Site of the model."""
    return {"splits": list(splits), "leaves": list(leaves)}


NO_CHANCES = {"splits": [], "leaves": []}
TURNING = {"name": "Turning", "fields": [field_schema("spin", ("Quat", {"bits": 8}))]}


class Models(unittest.TestCase):
    """Models, built by hand for a Thing: chunk of level, secret, facing, lit in coding order."""

    def coder(self, common=0b1, chunk_codes=None, level_codes=None):
        """A coder for a kind of one field `level` of -5 to 5 and one `lit`."""
        kind = Kind({"name": "Small", "fields": [THING["fields"][1], THING["fields"][2]]}, 60)
        chunk = leaf(69, chunk_codes or {2: 2, 64: 2, 65: 2, 68: 2}, bias=1)
        source = {"common": bytes([common]), "chances": NO_CHANCES,
                  "sites": [site(chunk), site(leaf(65, level_codes or {0: 1, 18: 1})), site()]}
        return ModelCoder(kind, source)

    def read(self, coder, bits, baseline=(0, 0)):
        """The lanes of a delta that is `bits`, and how many of them were read."""
        writer = BitWriter()
        writer.code(bits)
        reader = BitReader(writer.data())
        return coder.read_delta(reader, list(baseline), 4, True), reader.position

    def test_merged(self):
        self.assertEqual(self.read(self.coder(), "00"), ([2, 0], 2))
        self.assertEqual(self.read(self.coder(), "01" + "0101"), ([5, 0], 6))
        self.assertRaises(Malformed, self.read, self.coder(), "01" + "1101")
        self.assertRaises(Malformed, self.read, self.coder(common=0b10), "00")
        self.assertEqual(self.read(self.coder(), "10"), ([0, 0], 2))
        self.assertEqual(self.read(self.coder(), "11" + "0"), ([0, 1], 3))

    def test_heads(self):
        self.assertRaises(Malformed, self.read, self.coder(chunk_codes={66: 1}), "0")
        self.assertRaises(Malformed, self.read, self.coder(), "00", (4, 0))
        self.assertRaises(Malformed, self.read, self.coder(chunk_codes={67: 2}), "11")

    def test_tokens(self):
        for residual in list(range(-40, 41)) + [32767, -32767, 255, -256]:
            token, low, bits = token_of(residual)
            self.assertEqual(read_token(reader_of(low, bits), token), residual)

    def test_canonical(self):
        self.assertEqual(canonical_code([2, 1, 0, 2]), {(1, 0): 1, (2, 2): 0, (2, 3): 3})
        self.assertRaises(Malformed, canonical_code, [1, 1, 1])

    def test_encoding(self):
        source = {"version": 1, "kinds": [{"common": b"\x01", "sites": [site(leaf(69, {65: 1}))],
                                           "chances": {"splits": [], "leaves": [(1, 2, 65535)]}}]}
        self.assertEqual(read_model(encode(MODEL, source)), source["kinds"])
        self.assertRaises(Malformed, read_model, encode(MODEL, source | {"version": 2}))
        self.assertRaises(Malformed, read_model, encode(MODEL, source) + b"\x00")

    def test_trees(self):
        split = {"feature": 0, "threshold": 3, "children": (("Leaf", {"place": 0}), ("Leaf", {"place": 1}))}
        tree = site(leaf(65, {0: 1}), leaf(65, {2: 1}), splits=[split])
        kind = Kind({"name": "Small", "fields": [THING["fields"][1]]}, 60)
        source = {"common": b"\x01", "chances": NO_CHANCES, "sites": [tree_of_chunk(tree), site()]}
        coder = ModelCoder(kind, source)
        self.assertEqual(coder.read_delta(reader_of(0, 1), [0], 3, True), [0])
        self.assertEqual(coder.read_delta(reader_of(0, 1), [0], 4, True), [1])
        for broken in ({"feature": 99}, {"children": (("Split", {"place": 0}), ("Leaf", {"place": 0}))},
                       {"children": (("Leaf", {"place": 2}), ("Leaf", {"place": 0}))}):
            wrong = tree_of_chunk(site(*tree["leaves"], splits=[split | broken]))
            self.assertRaises(Malformed, ModelCoder, kind, source | {"sites": [wrong, site()]})

    def test_rotations(self):
        kind = Kind(TURNING, 60)
        still = Rotation(kind.fields[0], [3, 127, 127, 127])
        self.assertEqual(still.expected_largest, 3)
        self.assertEqual(still.expected_lanes(3), [(127, 127)] * 3)
        unsent = leaf(69, {65: 1})
        first = leaf(69, {0: 2, 2: 2, 66: 2, 64: 2})
        source = {"common": b"\x00", "chances": NO_CHANCES,
                  "sites": [site(leaf(67, {66: 1})), site(first)] + [site(leaf(65, {0: 1, 2: 1}))] * 3}
        coder = ModelCoder(kind, source)
        lanes = coder.read_delta(coded("0" + "01" + "0" + "1"), [3, 127, 127, 127], 2, True)
        self.assertEqual(lanes, [3, 128, 127, 128])
        lanes = coder.read_delta(coded("0" + "11" + "1" + "0" + "0"), [3, 127, 127, 127], 2, True)
        self.assertEqual(lanes, [0, 128, 127, 255])
        self.assertRaises(Malformed, ModelCoder(kind, source | {"sites": [site(leaf(67, {66: 1})), site(unsent)]
                                                                + source["sites"][2:]}).read_delta,
                          coded("00"), [3, 127, 127, 127], 2, True)


def tree_of_chunk(tree):
    """A lane's site as that of a chunk of one field: two symbols more."""
    leaves = [{**each, "lengths": each["lengths"] + b"\x00"} for each in tree["leaves"]]
    return {"splits": tree["splits"], "leaves": leaves}


def reader_of(number, bits):
    """A reader of the `bits` bits of `number`."""
    writer = BitWriter()
    writer.bits(number, bits)
    return BitReader(writer.data())


def coded(bits):
    """A reader of bits written in the order they are sent."""
    writer = BitWriter()
    writer.code(bits)
    return BitReader(writer.data())


def token_of(residual):
    """The token of a residual, its low bits and how many these are."""
    zigzag = residual << 1 if residual >= 0 else (-residual << 1) - 1
    if zigzag < 16:
        return zigzag, 0, 0
    magnitude = abs(residual)
    exponent = magnitude.bit_length() - 1
    second = magnitude >> (exponent - 1) & 1
    token = 16 + 4 * (exponent - 3) + 2 * second + (residual < 0)
    return token, magnitude & ((1 << (exponent - 1)) - 1), exponent - 1


if __name__ == "__main__":
    unittest.main()
