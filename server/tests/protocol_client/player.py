"""Sends what a player holds, or a spectator's acknowledgements, once a tick."""

import asyncio
import random
import time
from collections import deque

from clock import Lead
from snapshot import INPUTS_MAX, encode_input

REPEATED_MIN = 3
HELD_TICKS = (8, 40)
VIEW_DELAY_MAX = 255


class Player:
    """Makes up inputs and sends them."""

    def __init__(self, session, spectator, seed):
        """`session`: a Session in a room."""
        self.session, self.spectator = session, spectator
        self.kind = session.game.schema.input
        self.tick_hz = session.game.schema.tick_hz
        self.random = random.Random(seed)
        self.lead = Lead(self.tick_hz)
        self.inputs = deque(maxlen=INPUTS_MAX)
        self.newest = None
        self.confirmed = None
        self.held, self.held_until = self.kind.default(), 0
        self.reports = 0
        self.late = 0

    def reported(self, tick, report):
        """Takes the Report of the snapshot of `tick`, or None."""
        if report is None:
            return
        self.reports += 1
        self.late += report.margin < 0
        self.lead.reported(report)
        self.confirmed = max(self.confirmed or 0, tick + report.lead)

    async def run(self):
        """Sends a datagram a tick for as long as the session is in a room."""
        due = time.monotonic()
        while self.session.world is not None and not self.session.ended.is_set():
            self._send(self.session.clock.tick(time.monotonic()))
            due = max(due + 1 / self.tick_hz, time.monotonic() - 0.1)
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    def _send(self, clock):
        """Sends the datagram of the tick `clock`."""
        world = self.session.world
        if not self.spectator:
            self._make(clock + self.lead.ticks)
        acknowledgement = world.acknowledgement(clock)
        delay = 0 if world.newest is None or self.newest is None else 4 * (self.newest - world.newest)
        self.session.send_datagram(encode_input(self.kind, world.seat, acknowledgement, self.newest,
                                                self._unconfirmed(), max(0, min(VIEW_DELAY_MAX, delay))))

    def _make(self, tick):
        """Makes the inputs up to `tick`."""
        first = tick - INPUTS_MAX + 1 if self.newest is None else max(self.newest, tick - INPUTS_MAX) + 1
        for new in range(tick if self.newest is None else first, tick + 1):
            self.inputs.appendleft(self._input(new))
            self.newest = new

    def _unconfirmed(self):
        """The inputs that no report has confirmed, newest first, and a few before them."""
        if self.newest is None:
            return []
        open_ones = self.newest - (self.confirmed or 0)
        return list(self.inputs)[:max(REPEATED_MIN, min(INPUTS_MAX, open_ones))]

    def _input(self, tick):
        """The lanes held at `tick`: after a while each lane becomes another of its values."""
        if tick >= self.held_until:
            self.held = [self.random.randint(lane.least, lane.most) for lane in self.kind.lanes]
            self.held_until = tick + self.random.randint(*HELD_TICKS)
        return self.held
