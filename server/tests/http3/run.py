"""Runs the probes of this folder against a server: `run.py SERVER [NAME...]`. SERVER is the program of any game.

Needs aioquic (`requirements.txt`). The server listens on a free port of the loopback interface, with files of its own that
are removed at the end.
"""

import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).parent
# How long the server waits for a hello: the probes that say none wait for it.
HANDSHAKE_MS = "4000"


def main(server, names):
    with tempfile.TemporaryDirectory() as folder:
        command = [
            server, "--listen", "127.0.0.1:0", "--certs-dir", f"{folder}/certs", "--handshake-ms", HANDSHAKE_MS,
            "--log", "warn",
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
            try:
                line = running.stdout.readline()
                found = re.search(r"udp=\S+:(\d+)", line)
                if not found:
                    sys.exit(f"the server did not start: {line!r}")
                os.environ["TICKWIRE_PORT"] = found[1]
                loader = unittest.defaultTestLoader
                tests = loader.loadTestsFromNames(names) if names else loader.discover(str(HERE))
                result = unittest.TextTestRunner(verbosity=2).run(tests)
                if running.poll() is not None:
                    sys.exit(f"the server ended by itself with {running.returncode}")
            finally:
                running.send_signal(signal.SIGTERM)
    sys.exit(not result.wasSuccessful())


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
