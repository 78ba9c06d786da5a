"""The room's tick by this client's own clock, and how far ahead inputs are made."""

LEAD_MAX = 24
LEAD_START = 4
EIGHTHS_A_SECOND = 8000


class Clock:
    """Follows the earliest snapshots: those that waited nowhere."""

    def __init__(self, tick_hz, tick, now):
        """`tick` is the room's tick at `now`, seconds of a clock that only goes forward."""
        self.tick_hz = tick_hz
        self.offset = tick - now * tick_hz

    def heard(self, tick, now):
        """A snapshot of `tick` came at `now`."""
        ahead = tick - now * self.tick_hz - self.offset
        self.offset += ahead if ahead > 0 else ahead / 100

    def tick(self, now):
        """The room's tick at `now`, a whole number."""
        return int(self.offset + now * self.tick_hz)


class Lead:
    """Ticks by which inputs are made ahead of the room's tick, from the reports on them."""

    def __init__(self, tick_hz):
        self.tick_hz = tick_hz
        self.ticks = LEAD_START
        self.early = 0

    def reported(self, report):
        """Takes a Report: a tick more when the input was nearly late, one less when all were early."""
        margin = (report.margin - report.dip) * self.tick_hz / EIGHTHS_A_SECOND
        self.early = self.early + 1 if margin > 2.5 else 0
        if margin < 0.5 and self.ticks < LEAD_MAX:
            self.ticks += 1
        elif self.early >= 2 * self.tick_hz:
            self.ticks, self.early = max(1, self.ticks - 1), 0
