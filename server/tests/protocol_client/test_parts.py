"""Tests of fields of parts, texts, and the frames of this version, written by hand from the pages."""

import unittest

from bits import BitReader, BitWriter
from checks import field_symbols
from deltas import PlainCoder
from errors import Malformed
from fields import Kind
from frames import CLIENT_STATIC, FIELD_SCHEMA, SERVER_FRAME, SERVER_STATIC
from model import ModelCoder
from postcard import decode, encode
from test_protocol import NO_CHANCES, field_schema, leaf, site

OPTIONAL = ("Optional", {})


def array(length, variant="Array"):
    """The FieldValues of an array."""
    return (variant, {"length": length})


def text(most):
    """The FieldType of a text of at most `most` bytes."""
    return ("Text", {"bytes": most})


def kind(*fields):
    """A Kind of these FieldSchemas."""
    return Kind({"name": "Kind", "fields": list(fields)}, 60)


LEVEL = ("Int", {"min": 3, "max": 9})
PARTS = kind(field_schema("level", LEVEL, values=OPTIONAL),
             field_schema("items", ("Int", {"min": 0, "max": 7}), values=array(3)),
             field_schema("name", text(5)),
             field_schema("turns", ("Angle", {"bits": 4}), values=array(2, "OptionalArray")))
# Level 5; items 1, 0, 7; the name of the bytes 68 c3 a9; no turns.
FULL = [1, 5, 1, 0, 7, 3, 0xA9C368, 0, 0, 0, 0]
FULL_BITS = "1010" + "100000111" + "110" + "00010110" + "11000011" + "10010101" + "0"
BARE = [0, 3, 1, 2, 7, 0, 0, 0, 1, 15, 0]


def reader(bits):
    """A BitReader of `bits`, in the order they are sent."""
    writer = BitWriter()
    writer.code(bits)
    return BitReader(writer.data())


class Lanes(unittest.TestCase):
    """Whole lanes and deltas without a model."""

    def test_ranges(self):
        self.assertEqual([(lane.least, lane.most) for lane in PARTS.lanes],
                         [(0, 1), (3, 9)] + [(0, 7)] * 3 + [(0, 5), (0, 2**32 - 1), (0, 255)]
                         + [(0, 1)] + [(0, 15)] * 2)
        self.assertEqual(PARTS.default(), [0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        self.assertEqual(PARTS.values(FULL), {"level": 5, "items": [1, 0, 7], "name": "h\u00e9", "turns": None})
        self.assertEqual(PARTS.values(BARE)["level"], None)
        self.assertEqual(len(PARTS.values(BARE)["turns"]), 2)

    def test_whole(self):
        source = reader(FULL_BITS)
        self.assertEqual(PARTS.read_whole(source), FULL)
        source.finish()
        self.assertEqual(source.position, len(FULL_BITS))
        writer = BitWriter()
        PARTS.write_whole(writer, FULL)
        self.assertEqual((writer.length, writer.data()), (len(FULL_BITS), source.number.to_bytes(6, "little")))
        bare = reader("0" + "100010111" + "000" + "1" + "1111" + "0000")
        self.assertEqual(PARTS.read_whole(bare), BARE)

    def test_deltas(self):
        def read(bits, baseline):
            source = reader(bits)
            lanes = PlainCoder(PARTS).read_delta(source, baseline, 4, True)
            self.assertEqual(source.position, len(bits))
            return lanes
        # No level; the second item 2 more, class 3; an empty name; turns, the first one step back from 0, class 1.
        self.assertEqual(read("10" + "1" + "0" + "1" + "10000" + "0" + "1000" + "11" + "1" + "010" + "0", FULL), BARE)
        # A level of 4, which is 1 above that of none, class 2; a name of one byte.
        after = read("11" + "0110" + "0" + "1" + "100" + "10000010" + "0", BARE)
        self.assertEqual(after, [1, 4, 1, 2, 7, 1, 0x41, 0, 1, 15, 0])
        self.assertEqual(read("0000", FULL), FULL)

    def test_owner_only(self):
        own = kind(field_schema("level", LEVEL, values=OPTIONAL, owner_only=True), field_schema("name", text(1)))
        self.assertEqual(own.read_whole(reader("1" + "10000010"), mine=False), [0, 0, 1, 0x41])
        self.assertEqual(PlainCoder(own).read_delta(reader("10"), [1, 5, 1, 0x41], 1, False), [0, 0, 0, 0])


class Texts(unittest.TestCase):
    """Texts that are malformed."""

    def name(self, data):
        """The lanes of a text of at most 5 bytes that comes as `data`."""
        writer = BitWriter()
        writer.bits(len(data), 3)
        for byte in data:
            writer.bits(byte, 8)
        return kind(field_schema("name", text(5))).read_whole(BitReader(writer.data()))

    def test_characters(self):
        self.assertEqual(self.name(b"abcde"), [5, 0x64636261, 0x65])
        for data in (b"", b" ", b"~", "\u00a0".encode(), "\u2027".encode(), "\u202f".encode(), "\u206a".encode()):
            self.name(data)
        for data in (b"a\n", b"\0", b"\x7f", "\u0080".encode(), "\u009f".encode(), "\u2028".encode(),
                     "\u2029".encode(), "\u202a".encode(), "\u202e".encode(), "\u2066".encode(), "\u2069".encode(),
                     b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"abcdef"):
            with self.subTest(data):
                self.assertRaises(Malformed, self.name, data)

    def test_numbers(self):
        for changes in ({"ty": text(0)}, {"ty": text(65)}, {"values": array(0)}, {"values": array(33)},
                        {"values": array(0, "OptionalArray")}):
            self.assertRaises(Malformed, kind, {**field_schema("name", text(5)), **changes})
        self.assertEqual(len(kind(field_schema("name", text(64))).lanes), 17)
        self.assertRaises(Malformed, kind, field_schema("name", text(64), values=array(4)))
        for values in (OPTIONAL, array(1)):
            place, rate = field_schema("place", LEVEL, velocity="rate"), field_schema("rate", LEVEL)
            kind(place, rate)
            self.assertRaises(Malformed, kind, {**place, "values": values}, rate)
            self.assertRaises(Malformed, kind, place, {**rate, "values": values})


class Models(unittest.TestCase):
    """Deltas of such fields by a model: lane by lane."""

    def read(self, common, chunk, field, sites, bits, baseline):
        """The lanes of a delta of a kind of one `field`."""
        source = {"common": bytes([common]), "chances": NO_CHANCES, "sites": [site(leaf(67, chunk)), *sites]}
        return ModelCoder(kind(field), source).read_delta(reader(bits), baseline, 4, True)

    def test_optional(self):
        field = field_schema("level", LEVEL, values=OPTIONAL)
        sites = [site(leaf(65, {0: 1, 2: 1})), site(leaf(65, {0: 1, 4: 1}))]
        self.assertEqual(self.read(0, {65: 1, 66: 1}, field, sites, "111", [0, 3]), [1, 5])
        self.assertEqual(self.read(0, {65: 1, 66: 1}, field, sites, "0", [1, 7]), [1, 7])
        self.assertEqual(self.read(1, {2: 1, 65: 1}, field, sites, "01", [0, 3]), [1, 5])

    def test_one_lane(self):
        flag = field_schema("lit", ("Bool", {}), values=array(1))
        self.assertEqual(self.read(1, {65: 1, 66: 1}, flag, [site()], "1", [0]), [1])
        self.assertEqual(field_symbols(kind(flag).fields[0]), [[False] * 65])

    def test_rotations_are_numbers(self):
        spin = kind(field_schema("spin", ("Quat", {"bits": 8}), values=array(1))).fields[0]
        self.assertEqual(field_symbols(spin), [[True] * 65] * 4)

    def test_texts(self):
        field = field_schema("name", text(1))
        sites = [site(leaf(65, {0: 1, 2: 1})), site(leaf(65, {0: 1, 64: 1}))]
        self.assertEqual(self.read(0, {65: 1, 66: 1}, field, sites, "11" + "1" + "10000010", [0, 0]), [1, 0x41])
        for bits in ("11" + "1" + "01010000", "10" + "1" + "10000010"):
            self.assertRaises(Malformed, self.read, 0, {65: 1, 66: 1}, field, sites, bits, [0, 0])


class Frames(unittest.TestCase):
    """Frames, byte by byte."""

    def check(self, frames, value, data):
        """Reads and writes a value."""
        self.assertEqual(decode(frames, bytes.fromhex(data)), value)
        self.assertEqual(encode(frames, value), bytes.fromhex(data))

    def test_field_schema(self):
        self.check(FIELD_SCHEMA, field_schema("a", text(5), values=array(2, "OptionalArray")),
                   "01 61 08 05 03 02 00 00 00 00")
        self.check(FIELD_SCHEMA, field_schema("a", ("Bool", {}), values=OPTIONAL), "01 61 00 01 00 00 00 00")

    def test_bots(self):
        member = {"player": 300, "name": "a", "spectator": False, "bot": True}
        self.check(SERVER_FRAME, ("MemberJoined", {"member": member}), "05 ac02 01 61 00 01")
        room = {"name": "r", "players": 1, "players_max": 2, "bots": 3, "spectators": 4, "needs_password": True,
                "tags": [], "metadata": ""}
        self.check(SERVER_FRAME, ("Rooms", {"request": 5, "rooms": [room], "found": 1}),
                   "03 05 01 01 72 01 02 03 04 01 00 00 01")

    def test_static_data(self):
        digest = tuple(range(32))
        words = bytes(digest).hex()
        self.check(SERVER_FRAME, ("StaticData", {"key": 200, "hash": digest, "bytes": 300, "tick": 5}),
                   f"12 c8 {words} ac02 05")
        self.check(SERVER_FRAME, ("StaticChanged", {"key": 1, "tick": 5, "changes": [{"offset": 2, "bytes": b"ab"}]}),
                   "13 01 05 01 02 02 61 62")
        self.check(CLIENT_STATIC, ("Fetch", {"hash": digest}), f"00 {words}")
        self.check(CLIENT_STATIC, ("Have", {"hash": digest}), f"01 {words}")
        self.check(SERVER_STATIC, ("Chunk", {"hash": digest, "offset": 16384, "bytes": b"a"}),
                   f"00 {words} 808001 01 61")


if __name__ == "__main__":
    unittest.main()
