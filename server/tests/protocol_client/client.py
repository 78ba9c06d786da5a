"""A player or spectator of a room over plain QUIC, which prints counts of what it decoded.

It checks every byte from the server. Bytes that it cannot decode end the program with code 1.
"""

import argparse
import asyncio
import json
import sys
import time

from aioquic.asyncio import connect

from errors import Malformed, MissingBaseline, Misbehaved
from player import Player
from session import Loss, Session, configuration

LOOK_SECONDS = 0.5


def arguments(description):
    """The arguments that all programs here have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--host", default="127.0.0.1", help="address of the server")
    parser.add_argument("--port", type=int, default=4433, help="UDP port of the server")
    parser.add_argument("--ca-file", help="PEM file that the server's certificate must be signed by, or be")
    parser.add_argument("--certificate-hash", help="SHA-256 that the server's certificate must have, in hex")
    parser.add_argument("--loss", type=float, default=0, help="percent of datagrams to lose, each way")
    parser.add_argument("--swap", type=float, default=0, help="percent of snapshots to take after the next one")
    parser.add_argument("--seed", type=int, default=1, help="seed of all random choices")
    parser.add_argument("--seconds", type=float, default=20, help="longest stay")
    return parser


def open_session(options, schema=None):
    """The connection to the server, to be used by `async with`."""
    loss = Loss(options.loss, options.swap, options.seed)
    return connect(options.host, options.port, configuration=configuration(options.ca_file),
                   create_protocol=lambda *args, **kwargs: Session(*args, loss=loss, schema=schema, **kwargs))


async def greet(session, options, resumable=False):
    """Checks the server's certificate and says hello."""
    wanted = options.certificate_hash
    if wanted and session.certificate_hash() != wanted.lower():
        raise ConnectionError(f"the server's certificate has the hash {session.certificate_hash()}")
    return await session.hello("tickwire-python 0.1", resumable)


async def fullest_room(session):
    """The name of the room with the most players."""
    query = {"tag": "", "name_prefix": "", "has_seat": False, "no_password": True, "order": "Fullest"}
    _, fields = await session.ask("ListRooms", query=query)
    if not fields["rooms"]:
        raise ConnectionError("there is no room to watch")
    return fields["rooms"][0]["name"]


async def enter(session, options):
    """Joins or watches a room; returns the fields of the Joined frame."""
    if options.spectate:
        room = options.room or await fullest_room(session)
        answer = session.ask("Spectate", room=room, name=options.name, password="")
    else:
        room = ("Named", {"name": options.room}) if options.room else ("Quick", {})
        answer = session.ask("Join", room=room, name=options.name, options="", password="")
    variant, fields = await answer
    if variant != "Joined":
        raise ConnectionError(f"refused: {fields}")
    return fields


def line(session):
    """The client's knowledge now, for one line of output."""
    world = session.world
    own = [{"id": entity.id, "kind": world.game.schema.entities[entity.kind].name, "tick": entity.newest,
            **world.game.schema.entities[entity.kind].values(entity.states[entity.newest])}
           for entity in world.own()]
    return {"tick": world.newest, "entities": len(world.entities), "own": own,
            "snapshots": world.counts["snapshots"]}


def summary(session, world, player):
    """The figures of the whole stay."""
    return {"session": dict(sorted(session.counts.items())), "lost on purpose": session.loss.lost,
            "world": dict(sorted(world.counts.items())), "events by kind": dict(world.events_by_kind),
            "common baseline ages": dict(sorted(world.common_ages.items())),
            "delta baseline ages": dict(sorted(world.delta_ages.items())),
            "reports": player.reports, "late inputs": player.late, "lead ticks": player.lead.ticks,
            "failure": str(session.failure) if session.failure else None}


def saw(world, options):
    """True if the stay had all that the options wait for."""
    return world.counts["snapshots"] >= options.snapshots and all(world.counts[name] for name in options.seen)


async def stay(session, options):
    """Stays in a room until enough snapshots came, or the time is over; returns the summary."""
    player = Player(session, options.spectate, options.seed)
    world = session.world
    session.on_snapshot = lambda tick, report, events: player.reported(tick, report)
    sending = asyncio.ensure_future(player.run())
    end = time.monotonic() + options.seconds
    while time.monotonic() < end and not session.ended.is_set() and session.world:
        if options.seen and saw(world, options):
            break
        await asyncio.sleep(LOOK_SECONDS)
        if options.print and session.world:
            print(json.dumps(line(session)), flush=True)
    sending.cancel()
    return summary(session, world, player)


async def run(options):
    """The whole program; returns its exit code."""
    async with open_session(options) as session:
        await greet(session, options)
        await enter(session, options)
        world = session.world
        figures = await stay(session, options)
        if not session.failure:
            await session.goodbye()
    print(json.dumps(figures))
    return 0 if saw(world, options) and not session.failure else 1


def finish(program):
    """Runs a program, and exits with its code, or with 1 and one line for what went wrong."""
    try:
        sys.exit(asyncio.run(program))
    except (OSError, Malformed, MissingBaseline, Misbehaved) as error:
        sys.exit(f"{type(error).__name__}: {error}")


def main():
    """Reads the arguments and runs."""
    parser = arguments(__doc__)
    parser.add_argument("--room", default="", help="name of the room; without it any, or the fullest to watch")
    parser.add_argument("--name", default="Python", help="display name")
    parser.add_argument("--spectate", action="store_true", help="watch the room in place of playing")
    parser.add_argument("--snapshots", type=int, default=1, help="fail with fewer")
    parser.add_argument("--seen", action="append", default=[], metavar="NAME",
                        help="leave once all of these were counted, and enough snapshots; fail without")
    parser.add_argument("--print", action="store_true", help="print a line of JSON at each look")
    finish(run(parser.parse_args()))


if __name__ == "__main__":
    main()
