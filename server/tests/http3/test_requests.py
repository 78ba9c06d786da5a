"""Requests: which get a session, which a status, which break a rule (RFC 9114, section 4; RFC 9204; RFC 9220)."""

import time
import unittest

import pylsqpack
from browser import GREASE, Browser, ask, request
from peer import DATA, HEADERS, field_lines, frame, integer, server_port


def plain(method):
    return request(method=method, protocol=None)


class OtherRequests(unittest.TestCase):
    """A request for anything but a session is answered by its status, and the connection goes on."""

    def test_each_by_its_status(self):
        tunnel = [(":method", "CONNECT"), (":authority", "localhost:1")]
        for what, fields, status in (
            ("GET", plain("GET"), 404),
            ("HEAD", plain("HEAD"), 404),
            ("POST", plain("POST"), 405),
            ("a method nobody knows", plain("BREW"), 501),
            ("a tunnel", tunnel, 501),
            ("a WebSocket", request(protocol="websocket"), 501),
            ("a session of a later draft", request(protocol="webtransport-h3"), 501),
            ("two origins", request([("origin", "http://localhost"), ("origin", "https://evil.example")]), 400),
            ("two origins, the other first", request([("origin", "https://evil.example"), ("origin", "http://localhost")]), 400),
            ("very long fields", request([("cookie", "c" * 60000)]), 431),
            ("many fields", request([(f"x{it}", "1") for it in range(1000)]), 431),
        ):
            with self.subTest(what):
                browser = Browser(server_port())
                self.assertEqual(browser.ask(frame(HEADERS, field_lines(fields))), status, browser.closed)
                self.assertTrue(browser.until(lambda: browser.connect in browser.ended), "the answer's end")
                self.assertTrue(browser.is_open_after(0.1), browser.closed)

    def test_one_that_is_not_allowed_is_told_what_is(self):
        browser = Browser(server_port())
        browser.ask(frame(HEADERS, field_lines(plain("POST"))), frame(DATA, b"x" * 2000))
        self.assertEqual(browser.answer()["allow"], "CONNECT")
        # Its body is not read, which is no fault of the peer.
        self.assertTrue(browser.until(lambda: browser.stops.get(browser.connect) == 0x100))

    def test_a_session_behind_another_request(self):
        browser = Browser(server_port())
        self.assertEqual(browser.ask(frame(HEADERS, field_lines(plain("GET"))), end=True), 404)
        browser.playing()
        self.assertEqual(browser.connect, 4)
        # Its datagrams carry the session's id, by four.
        self.assertEqual(browser.datagrams[0][:1], b"\x01")

    def test_requests_beside_a_session(self):
        browser = Browser(server_port())
        session = browser.playing()
        stream = browser.both_ways(frame(HEADERS, field_lines(plain("GET"))), end=True)
        self.assertTrue(browser.until(lambda: browser.status(stream) == 404))
        before = len(browser.datagrams)
        self.assertTrue(browser.until(lambda: len(browser.datagrams) > before + 5))
        self.assertIsNone(browser.closed)
        self.assertFalse(session.heard(9))

    def test_streams_without_end_wait_for_their_turn(self):
        browser = Browser(server_port())
        browser.playing()
        asked = [frame(HEADERS, field_lines(plain("GET")))] * 60
        begun = time.time()
        opened = [browser.both_ways(it, end=True) for it in asked]
        self.assertTrue(browser.until(lambda: all(browser.status(it) == 404 for it in opened)))
        # A burst of 40 and 20 a second, as of frames: each of these opens a stream and is read at least once.
        self.assertGreater(time.time() - begun, (2 * len(asked) - 40) / 20 - 1)


class MalformedRequests(unittest.TestCase):
    """A request that breaks a rule of HTTP is given up, and the connection goes on."""

    def test_each_is_given_up_with_the_code(self):
        for what, fields in (
            ("no path", request(path=None)),
            ("no scheme", request(scheme=None)),
            ("no authority", request(authority=None)),
            ("another scheme", request(scheme="http")),
            ("a pseudo-header twice", request([(":method", "CONNECT")])),
            ("an unknown pseudo-header", request([(":foo", "bar")])),
            ("a pseudo-header behind a field", [("x", "1")] + request()),
            ("a capital", request([("X-Upper", "a")])),
            ("a capital origin", request([("Origin", "https://evil.example")])),
            ("a field of one connection", request([("connection", "upgrade")])),
            ("a line's end in a value", request([("x", "a\r\nb: c")])),
            ("a zero in a value", request([("x", "a\0b")])),
            ("a protocol without CONNECT", request(method="GET")),
        ):
            with self.subTest(what):
                browser = Browser(server_port())
                browser.ask(frame(HEADERS, field_lines(fields)))
                self.assertIsNone(browser.answer())
                self.assertEqual(browser.resets.get(browser.connect), 0x10E)
                self.assertTrue(browser.is_open_after(0.1), browser.closed)
                self.assertEqual(browser.ask(), 200, "a session on the same connection")

    def test_a_request_without_fields_is_incomplete(self):
        for first in (b"", frame(GREASE, b"x")):
            browser = Browser(server_port())
            stream = browser.both_ways(first, end=True)
            self.assertTrue(browser.until(lambda: stream in browser.resets))
            self.assertEqual(browser.resets[stream], 0x10D)


class FieldSections(unittest.TestCase):
    def ends(self, section, what):
        browser = Browser(server_port())
        browser.both_ways(frame(HEADERS, section))
        self.assertEqual(browser.close_code(), 0x200, what)

    def test_the_huffman_code_and_the_static_table(self):
        encoder = pylsqpack.Encoder()
        encoder.apply_settings(0, 0)
        more = [("user-agent", "Mozilla/5.0 (X11; Linux) probe"), ("sec-fetch-dest", "webtransport")]
        fields = [(name.encode(), value.encode()) for name, value in request(more)]
        _, section = encoder.encode(0, fields)
        browser = Browser(server_port())
        self.assertEqual(browser.ask(frame(HEADERS, section)), 200)

    def test_a_value_of_any_bytes_is_taken(self):
        browser = Browser(server_port())
        self.assertEqual(browser.ask(ask([("x-name", b"caf\xe9")])), 200)

    def test_what_cannot_be_decoded_ends_the_connection(self):
        lines = field_lines(request())
        for what, section in (
            ("nothing", b""),
            ("entries of a table that is not there", b"\x02\x00\x80" + lines[2:]),
            ("a line beyond the static table", lines + integer(0xC0, 6, 150)),
            ("the end of a string within it", lines + b"\x21a\x84\xff\xff\xff\xff"),
            ("a length beyond the section", b"\x00\x00\x27\xff\xff\xff\xff\x0f" + b"a" * 20),
            *((f"a length of {it} bytes", b"\x00\x00\x27" + b"\x80" * it + b"\x01" + b"a" * 20) for it in (8, 9, 10, 12, 20, 40)),
        ):
            with self.subTest(what):
                self.ends(section, what)


class Sessions(unittest.TestCase):
    def test_any_path_and_what_browsers_add(self):
        more = [("wt-available-protocols", '"a", "b"'), ("sec-webtransport-http3-draft02", "1")]
        browser = Browser(server_port())
        self.assertEqual(browser.ask(ask(more, path="/no/such/path?x=%00../..")), 200)

    def test_a_page_of_a_foreign_origin_is_told_so_by_a_close(self):
        for origin in ("https://evil.example", "null"):
            with self.subTest(origin):
                browser = Browser(server_port())
                self.assertEqual(browser.ask(ask([("origin", origin)])), 200)
                self.assertTrue(browser.until(lambda: browser.connect in browser.ended))
                code, words = browser.close_capsule()
                self.assertEqual(code, 16)
                self.assertIn("origin", words)
                # A browser ends its side before its page hears why; a connection that is closed then takes it away.
                browser.say(end=True)
                self.assertTrue(browser.is_open_after(0.2))
                self.assertFalse(browser.session().play())

    def test_a_second_one_is_rejected_and_the_first_goes_on(self):
        browser = Browser(server_port())
        self.assertEqual(browser.ask(), 200)
        first = browser.connect
        self.assertIsNone(browser.ask())
        self.assertEqual(browser.resets.get(browser.connect), 0x10B)
        browser.connect = first
        self.assertTrue(browser.plays())

    def test_two_at_once_are_one(self):
        browser = Browser(server_port(), says=False)
        both = [browser.both_ways(ask()) for _ in range(2)]
        browser.one_way(b"\x00" + b"\x04\x02\x33\x01")
        self.assertTrue(browser.until(lambda: any(it in browser.resets for it in both)))
        self.assertTrue(browser.until(lambda: any(browser.status(it) == 200 for it in both)))
        self.assertEqual([browser.resets[it] for it in both if it in browser.resets], [0x10B])


if __name__ == "__main__":
    unittest.main()
