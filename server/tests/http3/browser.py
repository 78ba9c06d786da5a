"""A WebTransport client by hand, and as much of tickwire's own frames as a session needs."""

import itertools

from peer import DATA, HEADERS, SETTINGS, Peer, answer_fields, capsule, field_lines, frame
from peer import take_varint, varint

# Settings, by their numbers.
QPACK_CAPACITY, QPACK_BLOCKED, EXTENDED_CONNECT, DATAGRAMS = 0x01, 0x07, 0x08, 0x33
WEBTRANSPORT_DRAFT_02, MAX_SESSIONS_DRAFT_07 = 0x2B603742, 0xC671706A
OURS = (
    (QPACK_CAPACITY, 0),
    (QPACK_BLOCKED, 0),
    (EXTENDED_CONNECT, 1),
    (DATAGRAMS, 1),
    (WEBTRANSPORT_DRAFT_02, 1),
)
# Kinds of streams one way.
CONTROL, PUSH, ENCODER, DECODER, OF_SESSION = 0x00, 0x01, 0x02, 0x03, 0x54
# Begins a stream of a session both ways.
STREAM = 0x41
CLOSE_SESSION, DRAIN_SESSION = 0x2843, 0x78AE
# A number that means nothing wherever it stands (RFC 9114, section 7.2.8).
GREASE = 0x1F * 7 + 0x21

# tickwire's protocol version.
VERSION = b"\x09"
# tickwire's close codes.
NORMAL, MALFORMED_FRAME, MALFORMED_DATAGRAM = 0, 5, 7
TOO_EARLY, UNEXPECTED_STREAM, CONNECTION_LOST = 8, 10, 15
ORIGIN_REFUSED, NO_DATAGRAMS = 16, 19

# tickwire's server frames.
WELCOME, JOINED, MEMBER_LEFT, GOODBYE = 0, 1, 6, 9

names = (f"Player {number}" for number in itertools.count(1))


def settings_frame(settings=OURS):
    return frame(SETTINGS, b"".join(varint(id) + varint(value) for id, value in settings))


def request(extra=(), **changes):
    """The field lines that ask for a session, changed by name; `None` leaves one out."""
    lines = {
        "method": "CONNECT",
        "protocol": "webtransport",
        "scheme": "https",
        "authority": "localhost:4433",
        "path": "/",
    }
    lines.update(changes)
    pseudo = [(":" + name, value) for name, value in lines.items() if value is not None]
    return pseudo + list(extra)


def ask(extra=(), **changes):
    """The frame that asks for a session."""
    return frame(HEADERS, field_lines(request(extra, **changes)))


def own_frame(body):
    return (len(body) + 1).to_bytes(4, "little") + VERSION + body


def text(words):
    return bytes([len(words)]) + words.encode()


HELLO = own_frame(b"\x00" + text("probe 1") + b"\x00\x00\x00")
# A client's requests are numbered from 1; it joins a room first, and then may go.
BYE = own_frame(b"\x06\x02")


def join(room, name):
    """A frame that asks for a seat, with no options and no password."""
    return own_frame(b"\x01\x01\x01" + text(room) + text(name) + text("") + text(""))


def postcard_number(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


class Session:
    """tickwire's session over whatever opens streams."""

    def __init__(self, peer, open_stream):
        self.peer = peer
        self.open_stream = open_stream
        self.control = None
        self.chat = None

    def greet(self):
        self.control = self.open_stream(b"\x01" + HELLO)
        self.chat = self.open_stream(b"\x02")

    def play(self, room="probe"):
        """Says hello and takes a seat; says whether snapshots come."""
        self.greet()
        self.peer.send(self.control, join(room, next(names)))
        before = len(self.peer.datagrams)
        return self.peer.until(
            lambda: self.peer.closed or (self.heard(JOINED) and len(self.peer.datagrams) > before)
        ) and not self.peer.closed

    def frames(self):
        data, at = self.peer.came.get(self.control, b""), 0
        while at + 4 <= len(data):
            length = int.from_bytes(data[at : at + 4], "little")
            if at + 4 + length > len(data):
                return
            yield data[at + 5], data[at + 6 : at + 4 + length]
            at += 4 + length

    def heard(self, kind):
        return [body for found, body in self.frames() if found == kind]

    def player(self):
        """The number the server gave this client."""
        assert self.peer.until(lambda: self.heard(WELCOME)), f"no welcome: {self.peer.closed}"
        body = self.heard(WELCOME)[0]
        return postcard_number(body, 1 + body[0])[0]

    def goodbye(self):
        """The code of the goodbye."""
        self.peer.until(lambda: self.heard(GOODBYE) or self.peer.closed)
        found = self.heard(GOODBYE)
        return postcard_number(found[0], 0)[0] if found else None

    def how_left(self, player):
        """How this client was told that another left: a close code."""

        def told():
            for body in self.heard(MEMBER_LEFT):
                who, at = postcard_number(body, 0)
                if who == player:
                    return postcard_number(body, at)[0]
            return None

        self.peer.until(lambda: told() is not None or self.peer.closed)
        return told()


def native(port, **options):
    """A session over plain QUIC."""
    peer = Peer(port, alpn="tickwire/1", **options)
    return Session(peer, peer.both_ways)


class Browser(Peer):
    """An HTTP/3 connection that may ask for a session."""

    def __init__(self, port, settings=OURS, behind=b"", says=True, **options):
        super().__init__(port, **options)
        self.connect = None
        if says:
            self.control = self.one_way(varint(CONTROL) + settings_frame(settings) + behind)

    def ask(self, *frames, end=False):
        """Asks for a session, by these frames if given, and waits for what comes of it."""
        self.connect = self.both_ways(b"".join(frames) or ask(), end)
        stream = self.connect
        self.until(
            lambda: self.closed
            or self.answer(stream)
            or stream in self.resets
            or stream in self.ended
        )
        return self.status(stream)

    def answer(self, stream=None):
        stream = self.connect if stream is None else stream
        return answer_fields(stream, self.came.get(stream, b""))

    def status(self, stream=None):
        answer = self.answer(stream)
        return answer and int(answer[":status"])

    def stream(self, data=b"", session=None):
        """Opens a stream of the session, or of another."""
        session = self.connect if session is None else session
        return self.both_ways(varint(STREAM) + varint(session) + data)

    def session(self):
        return Session(self, self.stream)

    def playing(self):
        """A session with a seat."""
        assert self.ask() == 200, f"no session: {self.closed}"
        session = self.session()
        assert session.play(), f"not playing: {self.closed}"
        return session

    def say(self, *capsules, end=False):
        """Sends capsules, each in a DATA frame of its own."""
        self.send(self.connect, b"".join(frame(DATA, it) for it in capsules), end)

    def plays(self):
        """Whether the session lives: a hello is answered, and a seat is given."""
        return self.session().play()

    def is_open_after(self, seconds=0.3):
        self.during(seconds)
        return self.closed is None

    def close_capsule(self):
        """Number and text of the capsule that closed the session, if it has come."""
        data, at, body = self.came.get(self.connect, b""), 0, b""
        while at < len(data):
            kind, at = take_varint(data, at)
            length, at = take_varint(data, at)
            if kind == DATA:
                body += data[at : at + length]
            at += length
        at = 0
        while at < len(body):
            kind, at = take_varint(body, at)
            length, at = take_varint(body, at)
            if kind == CLOSE_SESSION:
                value = body[at : at + length]
                return int.from_bytes(value[:4], "big"), value[4:].decode()
            at += length
        return None


def close_session(code=0, words=b""):
    return capsule(CLOSE_SESSION, code.to_bytes(4, "big") + words)
