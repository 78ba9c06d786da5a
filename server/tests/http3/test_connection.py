"""The connection itself: settings, the peer's own streams, kinds of frames (RFC 9114, RFC 9204)."""

import unittest

from browser import (
    CONTROL, DATAGRAMS, DECODER, ENCODER, EXTENDED_CONNECT, GREASE, OURS, PUSH,
    WEBTRANSPORT_DRAFT_02, Browser, ask, settings_frame,
)
from peer import DATA, HEADERS, SETTINGS, frame, server_port, take_varint, varint

CANCEL_PUSH, PUSH_PROMISE, GOAWAY, MAX_PUSH_ID, PRIORITY_UPDATE = 0x03, 0x05, 0x07, 0x0D, 0xF0700


def without(setting):
    return tuple(it for it in OURS if it[0] != setting)


class WhatMeansNothing(unittest.TestCase):
    """Reserved and unknown things are passed over, and the session is played."""

    def plays(self, browser):
        self.assertEqual(browser.ask(), 200, browser.closed)
        self.assertTrue(browser.plays(), browser.closed)

    def test_frames_on_the_control_stream(self):
        behind = frame(GREASE, b"nothing" * 40) + frame(0x41 * 0x1F + 0x21)
        browser = Browser(server_port(), behind=behind)
        browser.send(browser.control, frame(GREASE, b"x" * 5000))
        self.plays(browser)

    def test_settings(self):
        unknown = ((GREASE, 12345), (0x21, 0), (0x4D44, 1), (0xFFD277, 1), (0x14E9CD29, 1), (0x2C7CF000, 1))
        self.plays(Browser(server_port(), settings=OURS + unknown))

    def test_streams_one_way_are_refused_by_their_kind_and_give_their_place_back(self):
        browser = Browser(server_port())
        opened = [browser.one_way(varint(GREASE) + b"z" * 300) for _ in range(4)]
        self.assertTrue(browser.until(lambda: all(it in browser.stops for it in opened)))
        self.assertEqual({browser.stops[it] for it in opened}, {0x103})
        for _ in range(20):
            browser.one_way(varint(GREASE) + b"abc", end=True)
            browser.during(0.01)
        self.plays(browser)

    def test_a_frame_before_and_behind_a_request(self):
        browser = Browser(server_port())
        self.assertEqual(browser.ask(frame(GREASE, b"xyz"), ask(), frame(GREASE, b"q" * 300)), 200)
        self.assertTrue(browser.plays())

    def test_frames_that_concern_pushes_and_priorities(self):
        behind = frame(MAX_PUSH_ID, varint(5)) + frame(GOAWAY, varint(0)) + frame(PRIORITY_UPDATE, b"\x00u=1")
        self.plays(Browser(server_port(), behind=behind))

    def test_a_table_of_header_compression_that_holds_nothing(self):
        browser = Browser(server_port())
        browser.one_way(varint(ENCODER) + b"\x20")
        # Some stream's fields will not be read, by a short and by a long number.
        browser.one_way(varint(DECODER) + b"\x44\x7f\x81\x01")
        self.plays(browser)

    def test_settings_that_come_byte_by_byte(self):
        browser = Browser(server_port(), says=False)
        browser.send_slowly(browser.one_way(), varint(CONTROL) + settings_frame())
        self.plays(browser)


class WhatEndsTheConnection(unittest.TestCase):
    """What breaks a rule ends the connection with the rule's code."""

    def ends(self, browser, code, what):
        self.assertEqual(browser.close_code(), code, f"{what}: {browser.closed}")

    def test_wrong_settings(self):
        for what, settings, code in (
            ("datagrams neither on nor off", without(DATAGRAMS) + ((DATAGRAMS, 2),), 0x109),
            ("CONNECT neither on nor off", without(EXTENDED_CONNECT) + ((EXTENDED_CONNECT, 7),), 0x109),
            ("WebTransport neither on nor off", ((WEBTRANSPORT_DRAFT_02, 2),), 0x109),
            ("one twice", OURS + ((DATAGRAMS, 1),), 0x109),
            ("an unknown one twice", ((0x4D44, 1), (0x4D44, 1)), 0x109),
            *((f"one of HTTP/2, {it}", OURS + ((it, 1),), 0x109) for it in (0, 2, 3, 4, 5)),
        ):
            with self.subTest(what):
                self.ends(Browser(server_port(), settings=settings), code, what)

    def test_wrong_frames_on_the_control_stream(self):
        for what, control, code in (
            ("another frame before the settings", frame(GREASE, b"x") + settings_frame(), 0x10A),
            ("data in place of settings", frame(DATA, b"x"), 0x10A),
            ("settings twice", settings_frame() * 2, 0x105),
            ("data", settings_frame() + frame(DATA, b"abc"), 0x105),
            ("a request", settings_frame() + ask(), 0x105),
            ("a promise", settings_frame() + frame(PUSH_PROMISE, b"\x00\x00\x00"), 0x105),
            ("a push that was never promised", settings_frame() + frame(CANCEL_PUSH, varint(0)), 0x108),
            ("a push id that goes back", settings_frame() + frame(MAX_PUSH_ID, varint(5)) + frame(MAX_PUSH_ID, varint(4)), 0x108),
            ("going away later than before", settings_frame() + frame(GOAWAY, varint(1)) + frame(GOAWAY, varint(2)), 0x108),
            ("a number with more behind it", settings_frame() + frame(GOAWAY, b"\x00\x00"), 0x106),
            ("a number of nothing", settings_frame() + frame(MAX_PUSH_ID), 0x106),
            ("a stream of a session", settings_frame() + varint(0x41) + varint(0), 0x106),
            *((f"a frame of HTTP/2, {it}", settings_frame() + frame(it, b"abcd"), 0x105) for it in (2, 6, 8, 9)),
        ):
            with self.subTest(what):
                browser = Browser(server_port(), says=False)
                browser.one_way(varint(CONTROL) + control)
                self.ends(browser, code, what)

    def test_wrong_streams_one_way(self):
        for what, streams, code in (
            ("a push", [varint(PUSH) + varint(0)], 0x103),
            ("two control streams", [varint(CONTROL)], 0x103),
            ("two encoders", [varint(ENCODER)] * 2, 0x103),
            ("two decoders", [varint(DECODER)] * 2, 0x103),
            ("a table that is larger than none", [varint(ENCODER) + b"\x3f\xe1\x1f"], 0x201),
            ("an entry into no table", [varint(ENCODER) + b"\x43abc\x03def"], 0x201),
            ("fields read that used no table", [varint(DECODER) + b"\x80"], 0x202),
            ("entries read that are not there", [varint(DECODER) + b"\x01"], 0x202),
        ):
            with self.subTest(what):
                browser = Browser(server_port())
                for stream in streams:
                    browser.one_way(stream)
                self.ends(browser, code, what)

    def test_the_end_of_a_stream_that_must_not_end(self):
        for what, end in (
            ("the control stream ends", lambda it: it.send(it.control, b"", True)),
            ("the control stream is given up", lambda it: it.reset(it.control, 0x100)),
            ("the server's is not read", lambda it: it.stop(3, 0x100)),
            ("an encoder ends", lambda it: it.one_way(varint(ENCODER), True)),
        ):
            with self.subTest(what):
                browser = Browser(server_port())
                self.assertEqual(browser.ask(), 200)
                end(browser)
                self.ends(browser, 0x104, what)

    def test_wrong_frames_on_a_request(self):
        for what, request, code in (
            ("data first", frame(DATA, b"x"), 0x105),
            ("settings", settings_frame(), 0x105),
            ("a promise", frame(PUSH_PROMISE, b"\x00\x00\x00") + ask(), 0x105),
            ("going away", frame(GOAWAY, varint(0)), 0x105),
            ("a frame of HTTP/2", frame(0x08, b"abcd") + ask(), 0x105),
            ("a session's stream behind a frame", frame(GREASE) + varint(0x41) + varint(0), 0x106),
        ):
            with self.subTest(what):
                browser = Browser(server_port())
                browser.both_ways(request)
                self.ends(browser, code, what)

    def test_a_request_that_is_cut(self):
        browser = Browser(server_port())
        browser.both_ways(ask()[:20], end=True)
        self.ends(browser, 0x106, "cut")

    def test_settings_that_never_come(self):
        browser = Browser(server_port(), says=False)
        browser.both_ways(ask())
        self.ends(browser, 0x10A, "no settings")

    def test_a_session_that_is_never_asked_for(self):
        browser = Browser(server_port())
        self.ends(browser, 0x100, "no request")


class WhatTheServerSays(unittest.TestCase):
    def test_its_settings_are_of_drafts_that_need_no_flow_control(self):
        browser = Browser(server_port())
        self.assertTrue(browser.until(lambda: len(browser.came.get(3, b"")) > 2))
        data, at = bytes(browser.came[3]), 1
        kind, at = take_varint(data, at)
        length, at = take_varint(data, at)
        self.assertEqual(kind, SETTINGS)
        found, end = {}, at + length
        while at < end:
            id, at = take_varint(data, at)
            found[id], at = take_varint(data, at)
        self.assertGreaterEqual(found.pop(0x06), 4096, "the size of field sections it takes")
        self.assertEqual(found, {0x01: 0, 0x07: 0, 0x08: 1, 0x33: 1, 0x2B603742: 1, 0xC671706A: 1})


if __name__ == "__main__":
    unittest.main()
