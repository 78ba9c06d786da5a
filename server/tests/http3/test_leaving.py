"""How the others are told that a client left: `Normal` whenever the client said so, in whatever way."""

import unittest

from browser import BYE, CONNECTION_LOST, MALFORMED_FRAME, NORMAL, Browser, close_session, native
from peer import DATA, frame, server_port

# A race would be lost in some of so many.
TRIES = 8


def over_quic():
    session = native(server_port())
    assert session.play("leaving")
    return session


def over_webtransport():
    browser = Browser(server_port())
    assert browser.ask() == 200
    session = browser.session()
    assert session.play("leaving")
    return session


def connect_stream(deed):
    """Something done to the session's own stream."""
    return lambda session: deed(session.peer, session.peer.connect)


def all_streams_first(session):
    """As a browser does whose tab is closed: all streams of the session are given up with it."""
    peer = session.peer
    for stream in (session.control, session.chat):
        peer.quic.reset_stream(stream, 0x170D7B68)
        peer.quic.stop_stream(stream, 0x170D7B68)
    peer.reset(peer.connect, 0x10C)


class EveryWayOut(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.witness = over_quic()

    def is_told(self, enter, leave, code):
        for number in range(TRIES):
            session = enter()
            player = session.player()
            leave(session)
            # What it is about to send must go out.
            session.peer.until(lambda: session.peer.closed, 0.05)
            self.assertEqual(self.witness.how_left(player), code, f"try {number}")

    def test_a_quic_close(self):
        self.is_told(over_quic, lambda it: it.peer.close(0), NORMAL)

    def test_a_quic_close_with_a_number(self):
        self.is_told(over_quic, lambda it: it.peer.close(17, "misbehaved"), NORMAL)

    def test_a_quic_close_below_the_application(self):
        self.is_told(over_quic, lambda it: it.peer.close(0, is_transport=True), NORMAL)

    def test_a_goodbye_and_a_quic_close(self):
        def leave(session):
            session.peer.quic.send_stream_data(session.control, BYE)
            session.peer.close(0)

        self.is_told(over_quic, leave, NORMAL)

    def test_the_end_of_the_control_stream(self):
        for enter in (over_quic, over_webtransport):
            self.is_told(enter, lambda it: it.peer.send(it.control, b"", True), NORMAL)

    def test_a_control_stream_that_is_given_up(self):
        for enter in (over_quic, over_webtransport):
            self.is_told(enter, lambda it: it.peer.reset(it.control, 1), NORMAL)
            self.is_told(enter, lambda it: it.peer.stop(it.control, 1), NORMAL)

    def test_a_capsule_and_the_end_of_its_stream(self):
        close = connect_stream(lambda peer, it: peer.send(it, frame(DATA, close_session()), True))
        self.is_told(over_webtransport, close, NORMAL)

    def test_a_capsule_with_a_number(self):
        close = connect_stream(lambda peer, it: peer.send(it, frame(DATA, close_session(17, b"x"))))
        self.is_told(over_webtransport, close, NORMAL)

    def test_the_end_of_the_sessions_own_stream(self):
        self.is_told(over_webtransport, connect_stream(lambda peer, it: peer.send(it, b"", True)), NORMAL)

    def test_the_giving_up_of_the_sessions_own_stream(self):
        self.is_told(over_webtransport, connect_stream(lambda peer, it: peer.reset(it, 0x10C)), NORMAL)
        self.is_told(over_webtransport, connect_stream(lambda peer, it: peer.stop(it, 0x10C)), NORMAL)
        self.is_told(over_webtransport, all_streams_first, NORMAL)

    def test_a_close_of_the_connection_below_the_session(self):
        self.is_told(over_webtransport, lambda it: it.peer.close(0x100), NORMAL)

    def test_a_goodbye_and_a_capsule(self):
        def leave(session):
            session.peer.quic.send_stream_data(session.control, BYE)
            session.peer.send(session.peer.connect, frame(DATA, close_session()), True)

        self.is_told(over_webtransport, leave, NORMAL)

    def test_a_broken_rule_of_http_is_none(self):
        breaks = connect_stream(lambda peer, it: peer.send(it, frame(0x04)))
        self.is_told(over_webtransport, breaks, MALFORMED_FRAME)

    def test_a_broken_rule_of_quic_is_a_lost_connection(self):
        self.is_told(over_quic, lambda it: it.peer.close(0x0A, "odd", is_transport=True), CONNECTION_LOST)


if __name__ == "__main__":
    unittest.main()
