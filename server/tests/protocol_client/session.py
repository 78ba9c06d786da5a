"""A session over plain QUIC: streams, requests and their answers, rooms, chat, datagrams."""

import asyncio
import hashlib
import random
import ssl
import time
from collections import Counter

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, DatagramFrameReceived, StreamDataReceived, StreamReset
from cryptography.hazmat.primitives.serialization import Encoding

from clock import Clock
from errors import Malformed, MissingBaseline, Misbehaved
from frames import (CHAT, CLIENT_CHAT, CLIENT_FRAME, CLIENT_TOPICS, CLOSE_CODES, CONTROL, SERVER_CHAT, SERVER_FRAME,
                    SERVER_TOPICS, TOPICS, FrameReader, encode_frame)
from snapshot import encode_publish
from world import Game, World

ALPN = "tickwire/1"
DATAGRAM_BYTES = 65536
RECEIVED_FRAMES = 16
ANSWERS = {
    "Join": ("Joined", "Refused"), "Spectate": ("Joined", "Refused"), "Leave": ("Left", "Refused"),
    "ListRooms": ("Rooms",), "SubscribeRooms": ("Rooms", "Refused"), "UnsubscribeRooms": ("Done",),
    "Command": ("Done", "Refused"), "Kick": ("Done", "Refused"), "Say": ("Message", "Refused"),
    "Tell": ("Message", "Refused"), "History": ("History", "Refused"), "Publish": ("Published", "Refused"),
    "Subscribe": ("Done", "Refused"), "Unsubscribe": ("Done",), "Remove": ("Done", "Refused")}
# The stream of a request and its enum; all others are of the control stream.
STREAMS = {**dict.fromkeys(("Say", "Tell", "History"), (CHAT, CLIENT_CHAT)),
           **dict.fromkeys(("Publish", "Subscribe", "Unsubscribe", "Remove"), (TOPICS, CLIENT_TOPICS))}
COUNTED_AS = {CONTROL: "frame", CHAT: "chat", TOPICS: "topics"}


def configuration(ca_file):
    """Settings of a connection; `ca_file`: PEM file to verify the server's certificate, or None to accept any."""
    config = QuicConfiguration(is_client=True, alpn_protocols=[ALPN], max_datagram_frame_size=DATAGRAM_BYTES,
                               idle_timeout=15.0, server_name="localhost")
    if ca_file:
        config.load_verify_locations(ca_file)
    else:
        config.verify_mode = ssl.CERT_NONE
    return config


class Loss:
    """Loses and swaps datagrams on purpose."""

    def __init__(self, percent, swap_percent, seed):
        self.percent, self.swap_percent = percent, swap_percent
        self.random = random.Random(seed)
        self.held = None
        self.lost = 0

    def hits(self):
        """True if the next datagram is lost."""
        hit = self.random.random() * 100 < self.percent
        self.lost += hit
        return hit

    def swap(self, datagram):
        """The datagrams to take now, in place of `datagram`: now and then it waits behind the next one."""
        if self.held is not None:
            held, self.held = self.held, None
            return [datagram, held]
        if self.random.random() * 100 < self.swap_percent:
            self.held = datagram
            return []
        return [datagram]


class Nowhere:
    """The transport of a lost connection: nothing that is sent arrives."""

    def sendto(self, _data, _address):
        """Drops a packet."""


# The state of a session that outlives its connection.
KEPT = ("requests", "waiting", "welcomed", "player", "server", "game", "world", "room", "host", "clock", "members",
        "away", "static", "rooms", "notices", "messages", "saved", "received", "told", "secret", "run", "counts",
        "subscriptions", "topics", "topic_messages",
        "on_snapshot")


class Session(QuicConnectionProtocol):
    """One connection, and the state built from its frames and datagrams."""

    def __init__(self, *args, loss=None, schema=None, **kwargs):
        """`loss`: a Loss; `schema`: the Schema that the client was built for, or None to take the server's."""
        super().__init__(*args, **kwargs)
        self.loss = loss or Loss(0, 0, 0)
        self.hello_schema = schema
        self.readers = {}
        self.streams = {}
        self.requests = 0
        self.lossy_sequence = 0
        self.waiting = {}
        self.failure = None
        self.ended = asyncio.Event()
        self.welcomed = asyncio.get_running_loop().create_future()
        self.player = self.server = self.game = self.world = self.room = self.host = self.clock = None
        self.members, self.away = {}, set()
        self.static = {}
        self.rooms = {}
        # Deliveries of subscriptions, the topics by their numbers, and their messages as pairs (name, fields).
        self.subscriptions, self.topics, self.topic_messages = {}, {}, []
        self.received = {"control": 0, "chat": 0}
        self.told = 0
        self.secret = self.run = None
        self.resumed = None
        self.lost = False
        self.notices, self.messages = [], []
        # Whether a message of this client is on the server's disk, by its number.
        self.saved = {}
        self.close_code = None
        self.said_goodbye = False
        self.counts = Counter()
        self.on_snapshot = lambda tick, report, events: None

    def certificate_hash(self):
        """The SHA-256 of the server's certificate, in hexadecimal digits."""
        certificate = self._quic.tls._peer_certificate
        return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()

    async def hello(self, name, resumable=False):
        """Opens both streams and waits for Welcome."""
        self._begin(("Hello", {"client": name, "schema": self.hello_schema, "resumable": resumable, "token": ""}))
        return await self.welcomed

    def _begin(self, frame):
        """Opens both streams; `frame` is the first on the control stream."""
        self._open(CONTROL, SERVER_FRAME, encode_frame(CLIENT_FRAME, frame))
        self._open(CHAT, SERVER_CHAT, b"")
        self.transmit()

    def lose(self):
        """Loses the connection without a word to the server; returns the state of the session, for `resume`."""
        self._transport, self.lost = Nowhere(), True
        kept = {name: getattr(self, name) for name in KEPT}
        self.waiting = {}
        return kept

    def datagram_received(self, data, addr):
        """Takes a packet, unless the connection is lost."""
        if not self.lost:
            super().datagram_received(data, addr)

    async def resume(self, kept):
        """Goes on with the session whose state is `kept`, on this connection; returns the Resumed frame's `next`."""
        for name, value in kept.items():
            setattr(self, name, value)
        self.resumed = asyncio.get_running_loop().create_future()
        self._begin(("Resume", {"player": self.player, "secret": self.secret, "run": self.run,
                                "received": self.received, "unanswered": sorted(self.waiting),
                                "next": self.requests + 1}))
        following = await self.resumed
        if self.subscriptions:
            self._open_topics()
        for request, (variant, fields, _) in sorted(self.waiting.items()):
            if request >= following:
                self._send(variant, fields)
        return following

    def _open(self, kind, frames, first):
        """Opens the stream of `kind` with the bytes `first`."""
        stream = self._quic.get_next_available_stream_id()
        self.streams[kind] = stream
        self.readers[stream] = (kind, FrameReader(frames))
        self._quic.send_stream_data(stream, bytes([kind]) + first)

    def _open_topics(self):
        """Opens the topics stream, from what is here of the topics."""
        positions = [{"topic": number, "sequence": topic["sequence"]} for number, topic in self.topics.items()]
        self._open(TOPICS, SERVER_TOPICS, encode_frame(CLIENT_TOPICS, ("Begin", {"positions": positions})))

    def ask(self, variant, **fields):
        """Sends a request; the future of its answer, a pair (variant, fields)."""
        self.requests += 1
        answer = asyncio.get_running_loop().create_future()
        self.waiting[self.requests] = (variant, {"request": self.requests, **fields}, answer)
        self._send(variant, self.waiting[self.requests][1])
        return answer

    def _send(self, variant, fields):
        """Sends one frame on the stream that it belongs to."""
        kind, frames = STREAMS.get(variant, (CONTROL, CLIENT_FRAME))
        if kind == TOPICS and kind not in self.streams:
            self._open_topics()
        self._quic.send_stream_data(self.streams[kind], encode_frame(frames, (variant, fields)))
        self.transmit()

    async def goodbye(self):
        """Says goodbye, and waits until the server said it as well and closed."""
        self.said_goodbye = True
        self.requests += 1
        self._send("Goodbye", {"request": self.requests})
        await asyncio.wait_for(self.ended.wait(), 10)

    def send_datagram(self, data):
        """Sends one datagram, unless it is lost on purpose."""
        self.counts["datagrams sent"] += 1
        if not self.loss.hits():
            self._quic.send_datagram_frame(data)
            self.transmit()

    def quic_event_received(self, event):
        """Takes what came; the first fault ends the session."""
        if self.failure or self.lost:
            return
        try:
            self._take(event)
        except (Malformed, MissingBaseline, Misbehaved) as error:
            self._fail(error)
            self._quic.close(error_code=CLOSE_CODES.index("ServerMisbehaved"), reason_phrase=str(error))
            self.transmit()

    def _take(self, event):
        if isinstance(event, StreamDataReceived):
            self._take_stream(event)
        elif isinstance(event, DatagramFrameReceived):
            if not self.loss.hits():
                for data in self.loss.swap(event.data):
                    self._take_datagram(data)
        elif isinstance(event, StreamReset):
            raise Misbehaved(f"stream {event.stream_id} was reset")
        elif isinstance(event, ConnectionTerminated):
            self._take_end(event)

    def _take_end(self, event):
        """Takes the end of the connection, which must be that of the goodbye before it."""
        if self.close_code and (event.error_code, event.frame_type) != (CLOSE_CODES.index(self.close_code), None):
            self._fail(Misbehaved(f"goodbye {self.close_code}, and a close with {event.error_code}"))
        if not self.said_goodbye:
            self._fail(ConnectionError(f"closed: {event.error_code} {event.reason_phrase}"))
        self.ended.set()

    def _fail(self, error):
        """Ends everything that waits by `error`."""
        self.failure = self.failure or error
        for future in [answer for *_, answer in self.waiting.values()] + [self.welcomed, self.resumed]:
            if future and not future.done():
                future.set_exception(error)
                future.exception()
        self.ended.set()

    def _take_stream(self, event):
        """Takes the next bytes of a stream."""
        if event.stream_id not in self.readers:
            raise Misbehaved(f"the server opened stream {event.stream_id}")
        kind, reader = self.readers[event.stream_id]
        for variant, fields in reader.feed(event.data):
            self.counts[f"{COUNTED_AS[kind]} {variant}"] += 1
            if kind != TOPICS and variant not in ("Resumed", "Restarted"):
                self.received["control" if kind == CONTROL else "chat"] += 1
            self.HANDLERS[kind][variant](self, variant, fields)
        self._tell_received()

    def _tell_received(self):
        """Now and then tells the server which frames came."""
        count = sum(self.received.values())
        if self.secret and count - self.told >= RECEIVED_FRAMES and not self.said_goodbye:
            self.told = count
            self._send("Received", self.received)

    def _answer(self, variant, fields):
        """Gives a frame to who asked for it."""
        request, _, answer = self.waiting.pop(fields["request"], (None, None, None))
        if request is None or variant not in ANSWERS[request]:
            raise Misbehaved(f"{variant} answers {request}")
        if not answer.done():
            answer.set_result((variant, fields))

    def _welcome(self, _variant, fields):
        if self.welcomed.done():
            raise Misbehaved("welcome came twice")
        self.server, self.player = fields["server"], fields["player"]
        self.game, self.secret, self.run = Game(fields["schema"]), fields["resume"], fields["run"]
        self.welcomed.set_result(fields)

    def _unanswered(self):
        """The first request without an answer, or else the next one."""
        return min(self.waiting, default=self.requests + 1)

    def _restarted(self, _variant, fields):
        if self.resumed is None or self.resumed.done():
            raise Misbehaved("restarted without a request")
        self.run, self.received = fields["run"], {"control": 0, "chat": 0}
        self.resumed.set_result(self._unanswered())

    def _joined(self, variant, fields):
        self._rejoined(variant, fields)
        self._answer(variant, fields)

    def _rejoined(self, _variant, fields):
        self.room, self.host = fields["room"], fields["host"]
        self.members, self.away = {member["player"]: member for member in fields["members"]}, set()
        self.static = {}
        self.world = World(self.game, fields["tick"], fields["seat"])
        self.clock = Clock(self.game.schema.tick_hz, fields["tick"], time.monotonic())

    def _left(self, variant, fields):
        self.world = None
        self._answer(variant, fields)

    def _removed(self, _variant, fields):
        self.world = None
        self.notices.append(fields["text"])

    def _member_joined(self, _variant, fields):
        member = fields["member"]
        if member["player"] in self.members:
            raise Misbehaved(f"member {member['player']} joined twice")
        self.members[member["player"]] = member

    def _member_left(self, _variant, fields):
        if self.members.pop(fields["player"], None) is None:
            raise Misbehaved(f"member {fields['player']} left and was not there")
        self.away.discard(fields["player"])

    def _member_away(self, _variant, fields):
        if fields["player"] not in self.members or fields["player"] in self.away:
            raise Misbehaved(f"member {fields['player']} is away and was not there")
        self.away.add(fields["player"])

    def _member_back(self, _variant, fields):
        if fields["player"] not in self.away:
            raise Misbehaved(f"member {fields['player']} is back and was not away")
        self.away.remove(fields["player"])

    def _resumed(self, _variant, fields):
        if self.resumed is None or self.resumed.done():
            raise Misbehaved("resumed without a request")
        self.resumed.set_result(fields["next"])

    def _host(self, _variant, fields):
        self.host = fields["player"]

    def _notice(self, _variant, fields):
        self.notices.append(fields["text"])

    def _goodbye(self, _variant, fields):
        self.close_code = fields["code"]
        if not self.said_goodbye:
            raise Misbehaved(f"goodbye {fields['code']}: {fields['text']}")

    def _keyframe(self, _variant, fields):
        if self.world is None:
            raise Misbehaved("a keyframe outside of a room")
        self.counts["keyframe bytes"] += len(fields["part"])
        self.world.receive_part(fields["part"], self.clock.tick(time.monotonic()))

    def _resync(self, _variant, fields):
        self.world.begin(fields["tick"], fields["seat"])
        self.clock = Clock(self.game.schema.tick_hz, fields["tick"], time.monotonic())

    def _rooms(self, variant, fields):
        request = self.waiting.get(fields["request"], (None,))[0]
        if request == "SubscribeRooms":
            self.rooms = {room["name"]: room for room in fields["rooms"]}
        self._answer(variant, fields)

    def _rooms_changed(self, _variant, fields):
        if fields["anew"]:
            self.rooms = {}
        for name in fields["removed"]:
            if self.rooms.pop(name, None) is None:
                raise Misbehaved(f"room {name} was removed and not in the list")
        self.rooms.update({room["name"]: room for room in fields["changed"]})

    def _static_data(self, _variant, fields):
        if self.world is None:
            raise Misbehaved("static data outside of a room")
        self.static[fields["key"]] = {"hash": fields["hash"], "bytes": fields["bytes"], "tick": fields["tick"]}

    def _static_changed(self, _variant, fields):
        named = self.static.get(fields["key"])
        if named is None or any(change["offset"] + len(change["bytes"]) > named["bytes"]
                                for change in fields["changes"]):
            raise Misbehaved(f"changes beyond the static data {fields['key']}")
        named["tick"] = fields["tick"]

    def _message(self, variant, fields):
        self.messages.append(fields)
        if fields["from"] == self.player:
            self._answer(variant, fields)

    def _sent(self, _variant, fields):
        own = [message["id"] for message in self.messages if message["request"] == fields["request"]]
        if fields["id"] not in own:
            raise Misbehaved(f"message {fields['id']} was sent before it came")
        self.saved[fields["id"]] = fields["is_saved"]

    def _history(self, variant, fields):
        ids = [message["id"] for message in fields["messages"]]
        if ids != sorted(set(ids)):
            raise Misbehaved(f"history out of order: {ids}")
        if fields["request"] is not None:
            self._answer(variant, fields)

    def subscribe(self, number, pattern, delivery="Ordered", start=("New", {}), cursors=()):
        """Subscribes to topics; the future of the answer."""
        self.subscriptions[number] = delivery
        return self.ask("Subscribe", subscription=number, pattern=pattern, delivery=delivery, start=start,
                        cursors=list(cursors))

    def publish(self, topic, key, payload, lifetime=("Kept", {})):
        """Publishes a message; the future of the answer."""
        return self.ask("Publish", topic=topic, key=key, payload=payload, lifetime=lifetime)

    def publish_lossy(self, topic, key, payload, sequence=None):
        """Publishes a message that may be lost, with the next number or another one."""
        if sequence is None:
            self.lossy_sequence += 1
            sequence = self.lossy_sequence
        self.send_datagram(encode_publish(sequence, topic, key, payload))

    def unsubscribe(self, number):
        """Ends a subscription; the future of the answer."""
        del self.subscriptions[number]
        self.topics = {at: topic for at, topic in self.topics.items() if topic["subscription"] != number}
        return self.ask("Unsubscribe", subscription=number)

    def _topics_ended(self, _variant, fields):
        raise Misbehaved(f"a subscription ended: {fields['text']}")

    def _following(self, _variant, fields):
        if fields["subscription"] in self.subscriptions:
            self.topics[fields["topic"]] = {**fields, "sequence": fields["after"]}

    def _topic_messages(self, _variant, fields):
        topic = self.topics.get(fields["topic"])
        for message in fields["messages"] if topic else ():
            gap = message["sequence"] - topic["sequence"]
            if gap < 1 or gap > 1 and self.subscriptions[topic["subscription"]] == "Ordered":
                raise Misbehaved(f"message {message['sequence']} after {topic['sequence']}")
            topic["sequence"] = message["sequence"]
            self.topic_messages.append((topic["name"], message))

    def _topic_missed(self, _variant, fields):
        raise Misbehaved(f"messages are missed: {fields}")

    CONTROL_HANDLERS = {
        "Welcome": _welcome, "Joined": _joined, "Left": _left, "Rooms": _rooms, "Refused": _answer,
        "MemberJoined": _member_joined, "MemberLeft": _member_left, "Host": _host, "Notice": _notice,
        "Goodbye": _goodbye, "Keyframe": _keyframe, "Done": _answer, "Removed": _removed, "Resync": _resync,
        "RoomsChanged": _rooms_changed, "Resumed": _resumed, "MemberAway": _member_away, "MemberBack": _member_back,
        "StaticData": _static_data, "StaticChanged": _static_changed,
        "Restarted": _restarted, "Rejoined": _rejoined, "Published": _answer, "TopicsEnded": _topics_ended}
    CHAT_HANDLERS = {"Message": _message, "Notice": _notice, "Refused": _answer, "Sent": _sent, "History": _history}
    TOPICS_HANDLERS = {"Following": _following, "Messages": _topic_messages, "Missed": _topic_missed}
    HANDLERS = {CONTROL: CONTROL_HANDLERS, CHAT: CHAT_HANDLERS, TOPICS: TOPICS_HANDLERS}

    def _take_datagram(self, data):
        """Takes one datagram."""
        self.counts["datagrams"] += 1
        self.counts["datagram bytes"] += len(data)
        if self.world is None:
            self.counts["dropped: in no room"] += 1
            return
        now = time.monotonic()
        applied = self.world.receive(data, self.clock.tick(now))
        if applied:
            self.clock.heard(applied[0], now)
            self.on_snapshot(*applied)
