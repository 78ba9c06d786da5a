"""A session's own stream, its other streams and its datagrams (draft-ietf-webtrans-http3, RFC 9297)."""

import unittest

from browser import (
    CLOSE_SESSION, DRAIN_SESSION, GREASE, HELLO, MALFORMED_DATAGRAM, NO_DATAGRAMS, OF_SESSION, OURS, TOO_EARLY,
    UNEXPECTED_STREAM, WELCOME, Browser, ask, close_session, native, settings_frame,
)
from peer import DATA, HEADERS, capsule, field_lines, frame, server_port, varint

UNKNOWN = 0x29 * 7 + 0x17
FLOW_CONTROL = (0x190B4D3D, 0x190B4D3F, 0x190B4D40, 0x190B4D41, 0x190B4D43, 0x190B4D44)


def playing():
    browser = Browser(server_port())
    return browser, browser.playing()


class CapsulesThatEndASession(unittest.TestCase):
    """The capsule that closes a session is heeded however it is cut, and the connection ends without an error."""

    def test_however_it_comes(self):
        close = close_session(0x1234, b"bye now")
        for what, data in (
            ("alone", frame(DATA, close)),
            ("in three frames", b"".join(frame(DATA, it) for it in (close[:1], close[1:5], close[5:]))),
            ("in a frame for each byte", b"".join(frame(DATA, close[it : it + 1]) for it in range(len(close)))),
            ("behind an unknown one in one frame", frame(DATA, capsule(UNKNOWN, b"grease!") + close)),
            ("behind 6000 bytes of an unknown one", frame(DATA, capsule(UNKNOWN, b"g" * 6000) + close)),
            ("between unknown frames", frame(GREASE, b"x") + frame(DATA, close[:4]) + frame(GREASE) + frame(DATA, close[4:])),
        ):
            for end in (True, False):
                with self.subTest(what, end=end):
                    browser, _ = playing()
                    browser.send(browser.connect, data, end)
                    self.assertEqual(browser.close_code(), 0x100, browser.closed)
                    self.assertIn(browser.connect, browser.ended)

    def test_a_packet_for_each_byte(self):
        browser, _ = playing()
        browser.send_slowly(browser.connect, frame(DATA, close_session(1, b"bye")))
        self.assertEqual(browser.close_code(), 0x100, browser.closed)

    def test_the_end_and_the_giving_up_of_the_stream(self):
        for what, end in (
            ("ended", lambda it: it.send(it.connect, b"", True)),
            ("given up", lambda it: it.reset(it.connect, 0x10C)),
            ("not read", lambda it: it.stop(it.connect, 0x10C)),
        ):
            with self.subTest(what):
                browser, _ = playing()
                end(browser)
                self.assertEqual(browser.close_code(), 0x100, browser.closed)

    def test_a_request_that_ends_at_once(self):
        browser = Browser(server_port())
        browser.both_ways(ask(), end=True)
        self.assertEqual(browser.close_code(), 0x100, browser.closed)

    def test_what_cannot_be_is_given_up_with_its_code(self):
        for what, data, end in (
            ("a text of 1500 bytes", frame(DATA, close_session(1, b"r" * 1500)), False),
            ("a text that is not UTF-8", frame(DATA, close_session(1, b"\xff\xfe")), False),
            ("no whole code", frame(DATA, capsule(CLOSE_SESSION, b"\x00")), False),
            ("more behind it", frame(DATA, close_session(1, b"bye")) + frame(DATA, b"more"), False),
            ("an end within a capsule", frame(DATA, capsule(DRAIN_SESSION, b"abc")[:3]), True),
        ):
            with self.subTest(what):
                browser, _ = playing()
                browser.send(browser.connect, data, end)
                self.assertTrue(browser.until(lambda: browser.connect in browser.resets or browser.closed))
                self.assertEqual(browser.resets.get(browser.connect), 0x10E, browser.closed)
                self.assertEqual(browser.close_code(), 0x100)


class CapsulesThatDoNotMatter(unittest.TestCase):
    def test_the_session_goes_on(self):
        browser = Browser(server_port())
        self.assertEqual(browser.ask(), 200)
        browser.say(
            capsule(UNKNOWN, b"g" * 100),
            capsule(0x00, b"a datagram"),
            capsule(0x123456789),
            capsule(DRAIN_SESSION),
            *(capsule(it, varint(1000)) for it in FLOW_CONTROL),
        )
        browser.send(browser.connect, frame(DATA, capsule(UNKNOWN, b"g" * 6000)))
        self.assertTrue(browser.plays(), browser.closed)


class FramesBesideData(unittest.TestCase):
    def test_none_may_follow_a_connect(self):
        for what, data, code in (
            ("fields", frame(HEADERS, field_lines([("trailer", "x")])), 0x105),
            ("settings", settings_frame(), 0x105),
            ("a session's stream", varint(0x41) + varint(0), 0x106),
        ):
            with self.subTest(what):
                browser = Browser(server_port())
                self.assertEqual(browser.ask(), 200)
                browser.send(browser.connect, data)
                self.assertEqual(browser.close_code(), code, browser.closed)


class TheServerCloses(unittest.TestCase):
    """The server ends a session by its goodbye, a capsule with the same code, and a close of the connection."""

    def test_code_and_text_come_in_a_capsule(self):
        browser, session = playing()
        browser.send(session.control, HELLO)
        self.assertEqual(session.goodbye(), 9)
        self.assertTrue(browser.until(lambda: browser.connect in browser.ended), browser.closed)
        code, words = browser.close_capsule()
        self.assertEqual((code, words), (9, "hello came twice; send it once for each connection"))
        browser.send(browser.connect, b"", True)
        self.assertEqual(browser.close_code(), 9)

    def test_a_peer_that_does_not_end_its_side_is_not_waited_for(self):
        browser, session = playing()
        browser.send(session.control, HELLO)
        self.assertEqual(browser.close_code(), 9)


class StreamsOfASession(unittest.TestCase):
    def test_those_that_overtake_the_request_are_kept(self):
        browser = Browser(server_port())
        session = browser.session()
        # The third stream will ask for it.
        session.control = browser.stream(b"\x01" + HELLO, session=8)
        browser.stream(b"\x02", session=8)
        browser.during(0.2)
        self.assertEqual(browser.ask(), 200)
        self.assertEqual(browser.connect, 8)
        self.assertTrue(browser.until(lambda: session.heard(WELCOME)), browser.closed)

    def test_those_of_another_session_are_rejected(self):
        browser = Browser(server_port())
        self.assertEqual(browser.ask(), 200)
        both = browser.stream(b"\x01", session=400)
        one = browser.one_way(varint(OF_SESSION) + varint(400) + b"x")
        self.assertTrue(browser.until(lambda: {both, one} <= set(browser.stops)))
        self.assertEqual({browser.stops[both], browser.stops[one]}, {0x3994BD84})
        self.assertEqual(browser.resets.get(both), 0x3994BD84)
        self.assertTrue(browser.plays(), browser.closed)

    def test_those_of_what_can_be_no_session_end_the_connection(self):
        for what, one_way in (("both ways", False), ("one way", True)):
            with self.subTest(what):
                browser = Browser(server_port())
                self.assertEqual(browser.ask(), 200)
                if one_way:
                    browser.one_way(varint(OF_SESSION) + varint(3) + b"x")
                else:
                    browser.stream(b"\x01", session=3)
                self.assertEqual(browser.close_code(), 0x108)

    def test_one_that_nobody_asked_for_ends_the_session(self):
        for what, open_one in (
            ("of no kind", lambda it: it.stream(b"\x05")),
            ("one way", lambda it: it.one_way(varint(OF_SESSION) + varint(0) + b"x")),
        ):
            with self.subTest(what):
                browser = Browser(server_port())
                self.assertEqual(browser.ask(), 200)
                session = browser.session()
                session.greet()
                self.assertTrue(browser.until(lambda: session.heard(WELCOME)))
                open_one(browser)
                self.assertEqual(session.goodbye(), UNEXPECTED_STREAM)

    def test_a_head_that_comes_byte_by_byte(self):
        browser = Browser(server_port())
        self.assertEqual(browser.ask(), 200)
        session = browser.session()
        session.control = browser.both_ways()
        browser.send_slowly(session.control, varint(0x41) + varint(0) + b"\x01" + HELLO)
        browser.stream(b"\x02")
        self.assertTrue(browser.until(lambda: session.heard(WELCOME)))


class StreamsThatAreGivenUp(unittest.TestCase):
    """A client that gives up one of its two streams hears nothing on it: its session ends, with a word why."""

    def test_in_any_way_on_both_transports(self):
        for where in ("webtransport", "quic"):
            for what in ("control is not read", "control is reset", "chat is not read", "chat is reset"):
                with self.subTest(where, what=what):
                    session = native(server_port()) if where == "quic" else Browser(server_port()).playing()
                    if where == "quic":
                        self.assertTrue(session.play())
                    name, deed = what.split(" is ")
                    stream = getattr(session, name)
                    peer = session.peer
                    peer.reset(stream, 0x52E4A40FA8DB) if deed == "reset" else peer.stop(stream, 0x52E4A40FA8DB)
                    self.assertTrue(peer.until(lambda: peer.closed))
                    self.assertEqual(peer.closed[0], 0, peer.closed)
                    self.assertIn("stream", peer.closed[1])

    def test_a_chat_stream_may_end(self):
        browser, session = playing()
        browser.send(session.chat, b"", True)
        before = len(browser.datagrams)
        self.assertTrue(browser.until(lambda: len(browser.datagrams) > before + 30))
        self.assertIsNone(browser.closed)


class ClientsWithoutDatagrams(unittest.TestCase):
    """Snapshots are datagrams: a client that takes none is told so."""

    def told(self, session):
        session.greet()
        self.assertEqual(session.goodbye(), NO_DATAGRAMS)
        self.assertTrue(session.peer.until(lambda: session.peer.closed))
        self.assertEqual(session.peer.closed[0], NO_DATAGRAMS)
        self.assertIn("datagrams", session.peer.closed[1])

    def test_by_the_transport(self):
        self.told(native(server_port(), datagram_bytes=None))
        browser = Browser(server_port(), datagram_bytes=None)
        self.assertEqual(browser.ask(), 200)
        self.told(browser.session())

    def test_by_datagrams_too_small_for_a_snapshot(self):
        self.told(native(server_port(), datagram_bytes=100))

    def test_by_the_settings(self):
        for settings in ((), tuple(it for it in OURS if it[0] != 0x33), ((0x33, 0),)):
            with self.subTest(settings=settings):
                browser = Browser(server_port(), settings=settings)
                self.assertEqual(browser.ask(), 200)
                self.told(browser.session())


class Datagrams(unittest.TestCase):
    def greeted(self):
        browser = Browser(server_port())
        self.assertEqual(browser.ask(), 200)
        session = browser.session()
        session.greet()
        self.assertTrue(browser.until(lambda: session.heard(WELCOME)))
        return browser, session

    def test_one_that_is_none_of_http_ends_the_connection(self):
        for what, data in (
            ("nothing", b""),
            ("a number that is cut", b"\xc0"),
            ("a number too large", b"\xff" * 8 + b"x"),
        ):
            with self.subTest(what):
                browser, _ = playing()
                browser.send_datagram(data)
                self.assertEqual(browser.close_code(), 0x33, browser.closed)

    def test_the_sessions_number_may_be_written_long(self):
        for length in (2, 4, 8):
            browser, session = playing()
            # Not one of ours: that it is told shows that it was understood.
            browser.send_datagram(varint(0, length) + b"\x00\x00")
            self.assertEqual(session.goodbye(), MALFORMED_DATAGRAM)

    def test_those_of_another_session_are_passed_over(self):
        browser, session = playing()
        for quarter in (1, 5, 100, 1 << 20):
            browser.send_datagram(varint(quarter) + b"\x49\x00\x00")
        before = len(browser.datagrams)
        self.assertTrue(browser.until(lambda: len(browser.datagrams) > before + 5))
        self.assertIsNone(browser.closed)

    def test_what_is_none_of_ours_ends_the_session(self):
        for data in (b"\x00", b"\x00junk"):
            browser, session = playing()
            browser.send_datagram(data)
            self.assertEqual(session.goodbye(), MALFORMED_DATAGRAM)

    def test_one_before_hello_ends_the_session(self):
        browser = Browser(server_port())
        self.assertEqual(browser.ask(), 200)
        browser.send_datagram(b"\x00\x49\x00\x00")
        self.assertEqual(browser.close_code(), TOO_EARLY)
        self.assertEqual(browser.close_capsule()[0], TOO_EARLY)


if __name__ == "__main__":
    unittest.main()
