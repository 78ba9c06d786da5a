"""One QUIC connection to a server, written by hand on top of aioquic's state machine: every byte of a stream is the test's."""

import os
import select
import socket
import ssl
import time

import pylsqpack
from aioquic.quic import events
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection

# Nothing takes this long unless it never comes.
PATIENCE_S = 20.0


class Peer:
    """A client that does just what it is told, and remembers all that came back."""

    def __init__(self, port, alpn="h3", datagram_bytes=65536, starts=True):
        configuration = QuicConfiguration(
            is_client=True,
            alpn_protocols=[alpn],
            verify_mode=ssl.CERT_NONE,
            server_name="localhost",
            max_datagram_frame_size=datagram_bytes,
        )
        self.quic = QuicConnection(configuration=configuration)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.server = ("127.0.0.1", port)
        self.port = port
        self.is_up = False
        self.came = {}
        self.ended = set()
        self.resets = {}
        self.stops = {}
        self.datagrams = []
        # Code, reason and whether it was the application's.
        self.closed = None
        if starts:
            self.quic.connect(self.server, now=time.time())
            self.flush()
            assert self.until(lambda: self.is_up), f"no connection: {self.closed}"

    def flush(self):
        for datagram, address in self.quic.datagrams_to_send(now=time.time()):
            try:
                self.socket.sendto(datagram, address)
            except BlockingIOError:
                pass

    def until(self, is_so, seconds=PATIENCE_S):
        """Goes on until `is_so`, or for so long. Says whether it came to be."""
        deadline = time.time() + seconds
        while not is_so():
            left = deadline - time.time()
            if left <= 0:
                return False
            self._step(min(left, 0.05))
        return True

    def during(self, seconds):
        self.until(lambda: False, seconds)

    def _step(self, seconds):
        timer = self.quic.get_timer()
        if timer is not None:
            seconds = min(seconds, max(0.0, timer - time.time()))
        select.select([self.socket], [], [], seconds)
        while True:
            try:
                datagram, address = self.socket.recvfrom(65536)
            except (BlockingIOError, ConnectionRefusedError):
                break
            self.quic.receive_datagram(datagram, address, now=time.time())
        timer = self.quic.get_timer()
        if timer is not None and timer <= time.time():
            self.quic.handle_timer(now=time.time())
        while (event := self.quic.next_event()) is not None:
            self._take(event)
        self.flush()

    def _take(self, event):
        if isinstance(event, events.HandshakeCompleted):
            self.is_up = True
        elif isinstance(event, events.StreamDataReceived):
            self.came.setdefault(event.stream_id, bytearray()).extend(event.data)
            if event.end_stream:
                self.ended.add(event.stream_id)
        elif isinstance(event, events.StreamReset):
            self.resets[event.stream_id] = event.error_code
        elif isinstance(event, events.StopSendingReceived):
            self.stops[event.stream_id] = event.error_code
        elif isinstance(event, events.DatagramFrameReceived):
            self.datagrams.append(bytes(event.data))
        elif isinstance(event, events.ConnectionTerminated) and self.closed is None:
            self.closed = (event.error_code, event.reason_phrase, event.frame_type is None)

    def both_ways(self, data=b"", end=False):
        """Opens a stream both ways."""
        stream = self.quic.get_next_available_stream_id(is_unidirectional=False)
        self.send(stream, data, end)
        return stream

    def one_way(self, data=b"", end=False):
        stream = self.quic.get_next_available_stream_id(is_unidirectional=True)
        self.send(stream, data, end)
        return stream

    def send(self, stream, data=b"", end=False):
        self.quic.send_stream_data(stream, data, end)
        self.flush()

    def send_slowly(self, stream, data):
        """A packet for each byte."""
        for at in range(len(data)):
            self.send(stream, data[at : at + 1])
            self.during(0.002)

    def reset(self, stream, code):
        self.quic.reset_stream(stream, code)
        self.flush()

    def stop(self, stream, code):
        self.quic.stop_stream(stream, code)
        self.flush()

    def send_datagram(self, data):
        self.quic.send_datagram_frame(data)
        self.flush()

    def close(self, code=0, reason="", is_transport=False):
        frame = 0 if is_transport else None
        self.quic.close(error_code=code, frame_type=frame, reason_phrase=reason)
        self.flush()

    def close_code(self):
        """The code the server closed the connection with."""
        self.until(lambda: self.closed)
        return self.closed and self.closed[0]


def varint(value, length=0):
    """A QUIC varint, in its shortest form unless a longer one is asked for."""
    for size, mark, limit in ((1, 0x00, 6), (2, 0x40, 14), (4, 0x80, 30), (8, 0xC0, 62)):
        if value < 1 << limit and size >= length:
            encoded = bytearray(value.to_bytes(size, "big"))
            encoded[0] |= mark
            return bytes(encoded)
    raise ValueError(value)


def take_varint(data, at):
    size = 1 << (data[at] >> 6)
    value = int.from_bytes(data[at : at + size], "big") & ((1 << (8 * size - 2)) - 1)
    return value, at + size


def frame(kind, payload=b""):
    return varint(kind) + varint(len(payload)) + payload


def capsule(kind, value=b""):
    return varint(kind) + varint(len(value)) + value


def integer(flags, prefix, value):
    """An integer of QPACK behind `flags`."""
    most = (1 << prefix) - 1
    if value < most:
        return bytes([flags | value])
    out = bytearray([flags | most])
    value -= most
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def field_lines(fields):
    """A field section without tables and without the Huffman code."""
    section = b"\x00\x00"
    for name, value in fields:
        name, value = (it if isinstance(it, bytes) else it.encode() for it in (name, value))
        section += integer(0x20, 3, len(name)) + name + integer(0x00, 7, len(value)) + value
    return section


def server_port():
    return int(os.environ["TICKWIRE_PORT"])


def answer_fields(stream, data):
    """The field lines of the answer that has come on a stream, if it has."""
    at = 0
    try:
        while at < len(data):
            kind, at = take_varint(data, at)
            length, at = take_varint(data, at)
            if len(data) < at + length:
                return None
            if kind == HEADERS:
                _, lines = pylsqpack.Decoder(0, 0).feed_header(stream, bytes(data[at : at + length]))
                return {name.decode(): value.decode() for name, value in lines}
            at += length
    except IndexError:
        pass
    return None


DATA = 0x00
HEADERS = 0x01
SETTINGS = 0x04
