"""Runs the client against servers of this build: `run.py ARENA BENCH`.

ARENA is the program `arena-server`, BENCH the program `tickwire-bench`, which brings bots and the server of a crowd.
All servers listen on free ports of the loopback interface, with files of their own that are removed at the end.
Every part ends when it has seen enough, and fails with the first byte that it cannot decode.
"""

import contextlib
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
ROOM = "protocol"
BOTS = "8"
# The longest that one part may take: all of them take far less.
PART_SECONDS = "120"
LOSS = ("--loss", "10", "--swap", "3")
# Counted by the client: a stay goes on until each of them came.
ARENA_COUNTS = ("marked", "deltas", "whole", "gone from the world", "gone to outside of the view", "events",
                "events repeated")
TOPICS = ("--topics-publish", "tour/*", "--topics-subscribe", "tour/*")
CROWD_COUNTS = ("deltas", "whole", "parts", "part records")


class Failed(Exception):
    """A part failed."""


@contextlib.contextmanager
def server(*command):
    """Runs a server until the end of the block; its UDP port."""
    with tempfile.TemporaryDirectory() as folder:
        command = [*command, "--listen", "127.0.0.1:0", "--certs-dir", f"{folder}/certs", "--log", "error"]
        with running(command, stdout=subprocess.PIPE, text=True) as process:
            line = process.stdout.readline()
            found = re.search(r"udp=\S+:(\d+)", line)
            if not found:
                raise Failed(f"the server did not start: {line!r}")
            yield found[1]
            if process.poll() is not None:
                raise Failed(f"the server ended by itself with {process.returncode}")


@contextlib.contextmanager
def running(command, **options):
    """Runs a program until the end of the block."""
    with subprocess.Popen(command, **options) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)


def part(script, *arguments):
    """Runs a script of this folder."""
    command = [sys.executable, "-B", str(HERE / script), *arguments]
    print(f"--- {script} {' '.join(arguments)}", flush=True)
    done = subprocess.run(command)
    if done.returncode:
        raise Failed(f"{script} ended with {done.returncode}")


def stay(port, counts, *arguments):
    """Stays in a room until all of `counts` came."""
    seen = [word for name in counts for word in ("--seen", name)]
    part("client.py", "--port", port, "--seconds", PART_SECONDS, *seen, *arguments)


def arena(program, bench):
    """The arena, whose deltas are coded by a model, with bots and a bad network."""
    with server(program, "--topics-enabled", *TOPICS) as port:
        bots = [bench, "swarm", "--url", f"127.0.0.1:{port}", "--room", ROOM, "--clients", BOTS, "--seconds", "600",
                "--json"]
        with running(bots, stdout=subprocess.DEVNULL):
            room = ("--port", port, "--seconds", PART_SECONDS, "--room", ROOM)
            stay(port, ARENA_COUNTS, "--room", ROOM, "--snapshots", "400", *LOSS)
            stay(port, ARENA_COUNTS, "--room", ROOM, "--snapshots", "400", "--spectate", *LOSS)
            part("compare.py", *room, "--entities", "2000", *LOSS)
            part("tour.py", "--port", port)


def crowd(bench):
    """A crowd of thousands, which comes by keyframes, and whose deltas are coded without a model."""
    with server(bench, "serve-crowd") as port:
        stay(port, CROWD_COUNTS, "--snapshots", "150", *LOSS)


def main(program, bench):
    """Runs all parts."""
    try:
        for tests in sorted(HERE.glob("test_*.py")):
            part(tests.name)
        arena(program, bench)
        crowd(bench)
    except Failed as failure:
        sys.exit(str(failure))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
