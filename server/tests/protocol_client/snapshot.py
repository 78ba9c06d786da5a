"""Snapshots and inputs: the layout of datagrams."""

from dataclasses import dataclass, field

from bits import BitReader, BitWriter
from errors import Malformed, MissingBaseline
from postcard import write_varint

SNAPSHOT, INPUT, PUBLISH = 0x53, 0x49, 0x50
SLOTS = 65536
CODED, PREDICTED, LEFT = "coded", "predicted", "left"
MARK_CODES = ((CODED, PREDICTED), (CODED, LEFT), (PREDICTED, LEFT), (CODED, PREDICTED, LEFT),
              (PREDICTED, CODED, LEFT), (LEFT, CODED, PREDICTED), (CODED,))
INPUTS_MAX = 32
ID_BITS = 32


@dataclass
class Report:
    """Arrival of the newest input: times in 1/8 ms, `lead` in ticks after the snapshot's tick."""
    lead: int
    margin: int
    dip: int


@dataclass
class Event:
    """An event: `number` is its low 16 bits, None for an unreliable one; `age` in ticks before the snapshot."""
    number: int
    age: int
    kind: int
    lanes: list


@dataclass
class Header:
    """The first bits of a snapshot: the low 16 bits of its tick, and its seat."""
    tick: int
    seat: int


@dataclass
class Update:
    """A slot's lanes in a snapshot by its state at the tick `baseline`; `marked` if it had a mark, not a record."""
    slot: int
    lanes: list
    baseline: int
    marked: bool


@dataclass
class Whole:
    """A slot's entity in full."""
    slot: int
    kind: int
    mine: bool
    id: int
    lanes: list


@dataclass
class Gone:
    """A slot that is free now; `in_world` if the entity only left the view."""
    slot: int
    in_world: bool


@dataclass
class Body:
    """A snapshot without its header; `common` is the age of the common baseline in ticks, 0 for none."""
    report: Report = None
    events: list = field(default_factory=list)
    has_events: bool = False
    common: int = 0
    marks: dict = field(default_factory=dict)
    records: list = field(default_factory=list)


def read_header(data):
    """The reader behind the header of a snapshot, and its Header."""
    reader = BitReader(data)
    first = reader.bits(8)
    if first != SNAPSHOT:
        raise Malformed(f"a datagram that begins with {first:#04x}")
    return reader, Header(reader.bits(16), reader.bits(8))


class SnapshotReader:
    """Reads the body of one snapshot against the states of a world."""

    def __init__(self, reader, tick, world):
        """`reader` stands behind the header; `tick` is the whole tick.

        `world` has `game`, a Game, and answers `snapshot_slots(tick)`, `state(slot, tick)` and `entity(slot)`,
        each with None for anything that it does not have.
        """
        self.reader, self.tick, self.world, self.game = reader, tick, world, world.game
        self.body = Body()

    def read(self):
        """The Body; MissingBaseline if the world lacks one of its baselines."""
        self.body.report = self._read_report()
        self._read_events()
        self.body.common = self.reader.bits(7)
        if self.body.common:
            self._read_common()
        self._read_records()
        self.reader.finish()
        return self.body

    def _read_report(self):
        """The input report, or None."""
        if not self.reader.flag():
            return None
        lead, margin = self.reader.bits(8) - 128, self.reader.bits(12) - 2048
        return Report(lead, margin, self.reader.bits(11) if self.reader.flag() else 0)

    def _read_events(self):
        """The numbered events and then the others."""
        self.body.has_events = self.reader.flag()
        if not self.body.has_events:
            return
        first = numbered = others = 0
        if self.reader.flag():
            first, numbered = self.reader.bits(16), self.reader.bits(6) + 1
        if self.reader.flag():
            others = self.reader.bits(6) + 1
        if not numbered and not others:
            raise Malformed("events that are none")
        for place in range(numbered):
            self._read_event((first + place) % 65536, self.reader.bits(7))
        for _ in range(others):
            self._read_event(None, 0)

    def _read_event(self, number, age):
        """One event from its kind on."""
        kind = self.reader.bits(6)
        if kind >= len(self.game.schema.events):
            raise Malformed(f"an event of kind {kind}")
        lanes = self.game.schema.events[kind].read_whole(self.reader)
        self.body.events.append(Event(number, age, kind, lanes))

    def _read_common(self):
        """Marks and deltas against the common baseline."""
        baseline = self.tick - self.body.common
        code = self.reader.bits(3)
        if code >= len(MARK_CODES):
            raise Malformed(f"mark code {code}")
        slots = self.world.snapshot_slots(baseline)
        if slots is None:
            raise MissingBaseline(f"snapshot of tick {baseline}")
        self.body.marks = {slot: self._read_mark(MARK_CODES[code]) for slot in slots}
        for slot, mark in self.body.marks.items():
            if mark == PREDICTED:
                self._read_predicted(slot, baseline)
            elif mark == CODED:
                self._read_delta(slot, baseline, marked=True)

    def _read_mark(self, names):
        """One mark by the names of those that occur, the shortest first."""
        if len(names) == 1:
            return names[0]
        if not self.reader.flag():
            return names[0]
        return names[1 + self.reader.bits(1)] if len(names) == 3 else names[1]

    def _baseline(self, slot, tick):
        """The Entity in `slot` and its lanes at `tick`."""
        lanes = self.world.state(slot, tick)
        if lanes is None:
            raise MissingBaseline(f"slot {slot} at tick {tick}")
        return self.world.entity(slot), lanes

    def _read_predicted(self, slot, tick):
        """A slot that is as predicted from its state at `tick`."""
        entity, lanes = self._baseline(slot, tick)
        kind = self.game.schema.entities[entity.kind]
        predicted = kind.predict_all(lanes, self.tick - tick, entity.mine)
        self.body.records.append(Update(slot, predicted, tick, True))

    def _read_delta(self, slot, tick, marked):
        """A slot's delta against its state at `tick`."""
        entity, lanes = self._baseline(slot, tick)
        now = self.game.coders[entity.kind].read_delta(self.reader, lanes, self.tick - tick, entity.mine)
        self.body.records.append(Update(slot, now, tick, marked))

    def _read_records(self):
        """The records of slots that the marks leave."""
        slot = -1
        for _ in range(self.reader.golomb()):
            slot += self.reader.golomb() + 1
            if slot >= SLOTS:
                raise Malformed(f"slot {slot}")
            if self.body.marks.get(slot, LEFT) != LEFT:
                raise Malformed(f"slot {slot} has a mark and a record")
            self._read_record(slot)

    def _read_record(self, slot):
        """One record from its prefix on."""
        if not self.reader.flag():
            tick = self.tick - delta_age(self.reader.golomb(), self.body.common)
            self._read_delta(slot, tick, marked=False)
        elif not self.reader.flag():
            self._read_whole(slot)
        else:
            self.body.records.append(Gone(slot, self.reader.flag()))

    def _read_whole(self, slot):
        """A record of an entity in full."""
        kind, mine = self.reader.bits(6), self.reader.flag()
        if kind >= len(self.game.schema.entities):
            raise Malformed(f"an entity of kind {kind}")
        entity_id = self._read_id()
        lanes = self.game.schema.entities[kind].read_whole(self.reader, mine)
        self.body.records.append(Whole(slot, kind, mine, entity_id, lanes))

    def _read_id(self):
        """An entity's id, from the length of its code on."""
        length = self.reader.bits(6)
        code = self.reader.bits(length)
        if length > ID_BITS or code.bit_length() != length:
            raise Malformed(f"the code {code} of an id in {length} bits")
        return code >> 1 | (code & 1) << (ID_BITS - 1)


def id_code(entity_id):
    """The code of an id: its highest bit comes to the lowest place."""
    return entity_id << 1 & (1 << ID_BITS) - 1 | entity_id >> (ID_BITS - 1)


def delta_age(number, common):
    """The age in ticks of a record's own baseline, from its `number` and the common baseline's age."""
    if common == 0:
        return number + 1
    age = common - (number + 1) // 2 if number % 2 else common + number // 2 + 1
    if age < 0:
        raise Malformed("a baseline of the future")
    return age or common


@dataclass
class Acknowledgement:
    """Applied snapshots: `tick` newest, `before` bit n the snapshot n + 1 ticks before, `parts` or None."""
    tick: int
    before: int
    parts: int


def encode_input(kind, seat, acknowledgement, newest_tick, inputs, view_delay):
    """The bytes of an input datagram.

    `kind`: the Kind of inputs; `acknowledgement`: None before the first snapshot; `newest_tick`: the tick of
    inputs[0]; `inputs`: lanes by input for consecutive ticks, newest first, at most 32; `view_delay`: how far
    the shown entities were behind, in quarters of a tick, at most 255.
    """
    writer = BitWriter()
    writer.bits(INPUT, 8)
    writer.bits(seat, 8)
    write_acknowledgement(writer, acknowledgement)
    writer.bits(len(inputs), 6)
    if inputs:
        writer.bits(newest_tick % 65536, 16)
        writer.bits(view_delay, 8)
        kind.write_whole(writer, inputs[0])
    for newer, lanes in zip(inputs, inputs[1:]):
        writer.bits(int(lanes != newer), 1)
        if lanes != newer:
            kind.write_whole(writer, lanes)
    return writer.data()


def write_acknowledgement(writer, acknowledgement):
    """Writes an Acknowledgement or None."""
    writer.bits(int(acknowledgement is not None), 1)
    if acknowledgement is None:
        return
    writer.bits(acknowledgement.tick % 65536, 16)
    writer.bits(acknowledgement.before, 32)
    writer.bits(int(acknowledgement.parts is not None), 1)
    if acknowledgement.parts is not None:
        writer.bits(acknowledgement.parts % 256, 8)


def encode_publish(sequence, topic, key, payload):
    """The bytes of a publish datagram."""
    out = bytearray([PUBLISH])
    write_varint(out, sequence)
    for text in (topic.encode(), key.encode()):
        out += bytes([len(text)]) + text
    return bytes(out + payload)
