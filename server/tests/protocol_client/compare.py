"""A comparison, lane by lane, of several sessions in one room.

A player and a spectator, both with loss if asked for, and a visitor without loss that joins anew every few
seconds, so that it decodes many whole records, in plain lanes. If two of them decoded the same entity at the same
tick, all lanes sent to both must be equal; otherwise the program ends with code 1.
"""

import asyncio
import json
import time
from argparse import Namespace
from collections import Counter

from client import arguments, enter, finish, fullest_room, greet, open_session
from errors import Misbehaved
from player import Player

VISIT_SECONDS = 3
REMEMBERED_TICKS = 600
LOOK_SECONDS = 0.2
PAIRS = ("player and spectator", "player and visitor", "spectator and visitor")


class Records:
    """The first decoded lanes of each entity at each tick."""

    def __init__(self, game):
        self.game = game
        self.lanes = {}
        self.counts = Counter()

    def enough(self, least):
        """True if each of the three pairs of sessions had at least `least` equal entities."""
        return 0 < least <= min(self.counts[name] for name in PAIRS)

    def add(self, name, world, tick):
        """Compares and keeps the states that the session `name` decoded from the snapshot of `tick`."""
        for slot in world.snapshots[tick]:
            entity = world.entities.get(slot)
            if entity and tick in entity.states:
                self._add(name, (tick, entity.id, entity.kind), entity.states[tick])
        for old in [key for key in self.lanes if key[0] < tick - REMEMBERED_TICKS] if tick % 60 == 0 else []:
            del self.lanes[old]

    def _add(self, name, key, lanes):
        """Compares and keeps the `lanes` of one entity of one tick."""
        lanes = self.game.schema.entities[key[2]].seen(lanes, False)
        first, other = self.lanes.setdefault(key, (name, lanes))
        if first == name:
            return
        self.counts[" and ".join(sorted((name, first)))] += 1
        if other != lanes:
            raise Misbehaved(f"{name} has {lanes} and {first} has {other} of {key}")


def follow(session, name, records, player):
    """Passes each snapshot of `session` to `records`."""
    def applied(tick, report, _events):
        player.reported(tick, report)
        records.add(name, session.world, tick)
    session.on_snapshot = applied


async def remain(session, options, name, records, seconds):
    """Stays in the room for some seconds, or until enough was compared."""
    player = Player(session, options.spectate, options.seed)
    follow(session, name, records, player)
    sending = asyncio.ensure_future(player.run())
    end = time.monotonic() + seconds
    while time.monotonic() < end and not session.ended.is_set() and not records.enough(options.entities):
        await asyncio.sleep(LOOK_SECONDS)
    sending.cancel()


async def resident(options, name, records):
    """Stays in the room all the time; returns the session and its counts."""
    async with open_session(options) as session:
        await greet(session, options)
        await enter(session, options)
        world = session.world
        await remain(session, options, name, records, options.seconds)
        if not session.failure:
            await session.goodbye()
        return session, world.counts


async def visitor(options, records):
    """Joins and leaves repeatedly; returns the session and its counts."""
    counts = Counter()
    end = time.monotonic() + options.seconds
    async with open_session(options) as session:
        await greet(session, options)
        while time.monotonic() < end and not session.failure and not records.enough(options.entities):
            options.spectate = not options.spectate
            await enter(session, options)
            world = session.world
            await remain(session, options, "visitor", records, VISIT_SECONDS)
            counts.update(world.counts)
            await session.ask("Leave")
        if not session.failure:
            await session.goodbye()
        return session, counts


async def run(options):
    """The whole program; returns its exit code."""
    async with open_session(options) as session:
        await greet(session, options)
        records = Records(session.game)
        options.room = options.room or await fullest_room(session)
        await session.goodbye()
    player = Namespace(**vars(options) | {"spectate": False, "name": "Resident"})
    spectator = Namespace(**vars(options) | {"spectate": True, "name": "Watcher", "seed": options.seed + 1})
    guest = Namespace(**vars(options) | {"spectate": False, "name": "Visitor", "loss": 0, "swap": 0})
    results = await asyncio.gather(resident(player, "player", records), resident(spectator, "spectator", records),
                                   visitor(guest, records))
    failed = [str(session.failure) for session, _ in results if session.failure]
    print(json.dumps({"worlds": [dict(counts) for _, counts in results],
                      "sessions": [dict(session.counts) for session, _ in results],
                      "compared": dict(records.counts), "failures": failed}))
    return 1 if failed or not records.enough(max(1, options.entities)) else 0


def main():
    """Reads the arguments and runs."""
    parser = arguments(__doc__)
    parser.add_argument("--room", default="", help="name of the room; without it the fullest")
    parser.add_argument("--entities", type=int, default=0, help="end once each pair agreed on so many; fail with fewer")
    finish(run(parser.parse_args()))


if __name__ == "__main__":
    main()
