"""A client's copy of a room: entities by slot, their states by tick, acknowledgements, events."""

from collections import Counter
from dataclasses import dataclass, field

from checks import check_model, check_schema
from deltas import PlainCoder
from errors import MissingBaseline, Misbehaved
from fields import Schema, wrap
from model import ModelCoder, read_model
from snapshot import Acknowledgement, Gone, SnapshotReader, Update, Whole, read_header

STATE_TICKS = 32
STATES_MAX = 192
SNAPSHOT_TICKS = 127
ACKNOWLEDGED_BEFORE = 32
SILENCE_TICKS = 30000
PARTS_REPEATED = 60
PARTS_INTERVAL = 16


class Game:
    """A compiled schema and the reader of deltas of each kind of entity."""

    def __init__(self, source):
        """`source`: the Schema of a Welcome frame."""
        check_schema(source)
        self.schema = Schema(source)
        models = read_model(source["model"]) if source["model"] else []
        check_model(self.schema.entities, models)
        self.coders = [make_coder(kind, models[number] if number < len(models) else None)
                       for number, kind in enumerate(self.schema.entities)]


def make_coder(kind, model):
    """The reader of deltas of `kind`; `model`: its KindModel or None."""
    return ModelCoder(kind, model) if model and model["sites"] else PlainCoder(kind)


@dataclass
class Entity:
    """The entity in a slot; `states` are its lanes by tick."""
    id: int
    kind: int
    mine: bool
    states: dict = field(default_factory=dict)

    @property
    def newest(self):
        """The tick of the newest state."""
        return max(self.states)


class World:
    """The world of one stay in a room."""

    def __init__(self, game, tick, seat):
        """`game`: a Game; `tick` and `seat`: those of the Joined frame."""
        self.game = game
        self.next_event = 0
        self.counts = Counter()
        self.events_by_kind = Counter()
        self.common_ages = Counter()
        self.delta_ages = Counter()
        self.begin(tick, seat)

    def begin(self, tick, seat):
        """Empties the world, at the beginning and at a Resync; the numbers of events go on."""
        self.start, self.seat = tick, seat
        self.entities = {}
        self.snapshots = {}
        self.newest = None
        self.newest_part = None
        self.parts = 0
        self.parts_since = None
        self.untold = set()

    def entity(self, slot):
        """The Entity in `slot`, or None."""
        return self.entities.get(slot)

    def state(self, slot, tick):
        """The lanes of `slot` at `tick`, or None."""
        entity = self.entities.get(slot)
        return entity.states.get(tick) if entity else None

    def snapshot_slots(self, tick):
        """The slots that the snapshot of `tick` held, ascending, or None."""
        return self.snapshots.get(tick)

    def expand(self, low, clock):
        """The tick with the low 16 bits `low` next to the newest snapshot's, or before one to `clock`."""
        near = clock if self.newest is None else self.newest
        return near + wrap(low - near, 16)

    def receive(self, data, clock):
        """Takes one datagram; returns (tick, report, events) of a snapshot that was applied, or None.

        `clock`: the room's tick now, by this client's own clock. Dropped datagrams are counted by reason.
        """
        reader, header = read_header(data)
        reason, tick = self._unwanted(header, clock)
        if reason:
            self.counts[reason] += 1
            return None
        try:
            body = SnapshotReader(reader, tick, self).read()
        except MissingBaseline:
            self.counts["dropped: missing baseline"] += 1
            raise
        self._check_parts(body, tick)
        self._apply(body, tick)
        self.counts["snapshots"] += 1
        return tick, body.report, self._deliver(body.events)

    def _unwanted(self, header, clock):
        """Why a snapshot is to be dropped unread, or None; and its tick."""
        if header.seat != self.seat:
            return "dropped: other seat", None
        if self.silent(clock):
            return "dropped: waiting for resync", None
        tick = self.expand(header.tick, clock)
        if tick <= self.start:
            return "dropped: before the stay", tick
        if self.newest is not None and tick <= self.newest:
            return "dropped: late", tick
        if self.newest_part is not None and tick < self.newest_part:
            return "dropped: before a keyframe", tick
        return None, tick

    def silent(self, clock):
        """True if nothing was applied for so long that only a Resync helps."""
        return clock - (self.start if self.newest is None else self.newest) >= SILENCE_TICKS

    def receive_part(self, data, clock):
        """Applies a part of a keyframe; returns its tick."""
        reader, header = read_header(data)
        if header.seat != self.seat:
            raise Misbehaved("a part of a keyframe of another seat")
        tick = self.expand(header.tick, clock)
        try:
            body = SnapshotReader(reader, tick, self).read()
        except MissingBaseline as error:
            raise Misbehaved("a part of a keyframe with a baseline") from error
        if body.report or body.has_events or body.common or not all(isinstance(record, Whole)
                                                                    for record in body.records):
            raise Misbehaved("a part of a keyframe with more than whole records")
        self._apply_part(body, tick)
        return tick

    def _apply_part(self, body, tick):
        """Applies the whole records of a part, and counts it."""
        for record in body.records:
            if record.slot in self.untold:
                raise Misbehaved(f"slot {record.slot} in two parts of keyframes")
            entity = self.entities.get(record.slot)
            if entity and entity.newest >= tick:
                self.counts["part records skipped"] += 1
                continue
            self._apply_whole(record, tick)
            self.untold.add(record.slot)
        self.newest_part = tick if self.newest_part is None else max(tick, self.newest_part)
        self.parts += 1
        self.parts_since = 0
        self.counts["parts"] += 1
        self.counts["part records"] += len(body.records)

    def _check_parts(self, body, tick):
        """Checks that a snapshot does not mention slots of parts that were not acknowledged yet."""
        for record in body.records:
            if record.slot in self.untold:
                raise Misbehaved(f"slot {record.slot} of an unacknowledged part in the snapshot of tick {tick}")

    def _apply(self, body, tick):
        """Applies the records of a snapshot."""
        body.records.sort(key=lambda record: record.slot)
        for record in body.records:
            if isinstance(record, Update):
                self._apply_update(record, tick)
                self.counts["marked" if record.marked else "deltas"] += 1
                self.delta_ages[tick - record.baseline] += 1
            elif isinstance(record, Whole):
                self._apply_whole(record, tick)
                self.counts["whole"] += 1
            else:
                self._apply_gone(record)
        self.common_ages[body.common] += 1
        self._keep_snapshot(body, tick)

    def _keep_snapshot(self, body, tick):
        """Keeps which slots the snapshot held, and forgets old ones."""
        self.newest = tick
        self.snapshots[tick] = [record.slot for record in body.records if not isinstance(record, Gone)]
        for old in [old for old in self.snapshots if old < tick - SNAPSHOT_TICKS]:
            del self.snapshots[old]

    def _apply_update(self, record, tick):
        """Adds a state by a delta, and forgets those that no baseline can be any more."""
        states = self.entities[record.slot].states
        states[tick] = record.lanes
        oldest = min(tick - STATE_TICKS, record.baseline)
        for old in [old for old in states if old < oldest]:
            del states[old]
        self._bound(states)

    def _apply_whole(self, record, tick):
        """Adds a state to the entity of a slot, or puts a new entity there."""
        entity = self.entities.get(record.slot)
        if entity is None or not self._same_entity(entity, record):
            self.counts["entities replaced"] += entity is not None
            entity = self.entities[record.slot] = Entity(record.id, record.kind, record.mine)
        entity.mine = record.mine
        entity.states[tick] = record.lanes
        self._bound(entity.states)

    def _bound(self, states):
        """Forgets the oldest states beyond the most that are kept."""
        while len(states) > STATES_MAX:
            del states[min(states)]

    def _same_entity(self, entity, record):
        """True if a whole record is of the entity that the slot holds."""
        if (entity.id, entity.kind) != (record.id, record.kind):
            return False
        lanes = entity.states[entity.newest]
        return all(lanes[place] == record.lanes[place]
                   for field in self.game.schema.entities[record.kind].fields
                   if field.rule == "Initial" and not field.owner_only
                   for place in field.places)

    def _apply_gone(self, record):
        """Removes the entity of a slot, if there is one."""
        if self.entities.pop(record.slot, None):
            self.counts["gone to outside of the view" if record.in_world else "gone from the world"] += 1
        else:
            self.counts["gone repeated"] += 1

    def _deliver(self, events):
        """The events of a snapshot that are new."""
        new = []
        for event in events:
            if event.number is not None:
                ahead = wrap(event.number - self.next_event, 16)
                if ahead < 0:
                    self.counts["events repeated"] += 1
                    continue
                if ahead > 0:
                    raise Misbehaved(f"event {event.number} after {self.next_event} events")
                self.next_event = (event.number + 1) % 65536
            self.counts["events" if event.number is not None else "unreliable events"] += 1
            self.events_by_kind[self.game.schema.events[event.kind].name] += 1
            new.append(event)
        return new

    def acknowledgement(self, clock):
        """The acknowledgement of the next input datagram, or None; call it once for each datagram."""
        if self.newest is None or self.silent(clock):
            return None
        before = sum(1 << ticks for ticks in range(ACKNOWLEDGED_BEFORE)
                     if self.newest - ticks - 1 in self.snapshots)
        return Acknowledgement(self.newest, before, self._parts_to_tell())

    def _parts_to_tell(self):
        """The number of parts applied, where it is due in this datagram, or None."""
        if self.parts_since is None:
            return None
        self.parts_since += 1
        due = self.parts_since <= PARTS_REPEATED or self.parts_since % PARTS_INTERVAL == 0
        if not due:
            return None
        self.untold.clear()
        return self.parts

    def own(self):
        """The entities that this client owns."""
        return [entity for entity in self.entities.values() if entity.mine]
