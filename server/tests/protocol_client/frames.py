"""Frames of the control, the chat, the static and the topics stream."""

from errors import Malformed
from postcard import (BOOL, BYTES, F32, I64, STRING, U8, U16, U32, U64, decode, encode, enumeration, fixed, listing,
                      optional, structure, units)

VERSION = 9
FRAME_MAX = 65536
CONTROL, CHAT, STATIC, TOPICS = 1, 2, 3, 4

CLOSE_CODES = (
    "Normal", "ServerStopping", "Kicked", "VersionMismatch", "SchemaMismatch", "MalformedFrame", "FrameTooLarge",
    "MalformedDatagram", "TooEarly", "SecondHello", "UnexpectedStream", "HandshakeTimeout", "ServerFull", "TooSlow",
    "RoomFailed", "ConnectionLost", "OriginRefused", "ServerMisbehaved", "NoRoom", "NoDatagrams", "ResumeRefused",
    "TokenMissing", "TokenInvalid", "TokenExpired", "TokenNotYet", "TokenUsed", "AccountInUse", "AccountTaken",
    "AuthUnavailable")
REFUSE_CODES = (
    "NameInvalid", "NameTaken", "RoomFull", "NoSuchRoom", "RoomNameInvalid", "TooManyRooms", "AlreadyInRoom",
    "NotInRoom", "NoSuchPlayer", "NotHost", "ChatTooFast", "ChatTooLong", "ChatEmpty", "Busy", "RemovedFromRoom",
    "KickNotAllowed", "KickTooFast", "RoomTaken", "OptionsInvalid", "WrongPassword", "ByGame", "NotPlaying",
    "CommandInvalid", "CommandTooFast", "TokenForOtherRoom", "TopicsOff", "TopicInvalid", "TopicForbidden",
    "TopicTooFast", "TopicTooLong", "TopicsFull")

CLOSE_CODE = units(*CLOSE_CODES)
REFUSE_CODE = enumeration(*((name, structure(code=U16) if name == "ByGame" else structure())
                            for name in REFUSE_CODES))

FIELD_TYPE = enumeration(
    ("Bool", structure()),
    ("Int", structure(min=I64, max=I64)),
    ("Float", structure(min=F32, max=F32, step=F32)),
    ("Angle", structure(bits=U8)),
    ("Vec2", structure(min=F32, max=F32, step=F32)),
    ("Vec3", structure(min=F32, max=F32, step=F32)),
    ("Quat", structure(bits=U8)),
    ("Choice", structure(variants=U16)),
    ("Text", structure(bytes=U8)))
FIELD_VALUES = enumeration(
    ("One", structure()),
    ("Optional", structure()),
    ("Array", structure(length=U8)),
    ("OptionalArray", structure(length=U8)))
SEND_RULE = units("Always", "Rare", "Initial")
CHOICE_SCHEMA = structure(name=STRING, variants=listing(STRING))
FIELD_SCHEMA = structure(name=STRING, ty=FIELD_TYPE, values=FIELD_VALUES, rule=SEND_RULE, owner_only=BOOL,
                         velocity=optional(STRING), choice=optional(CHOICE_SCHEMA))
KIND_SCHEMA = structure(name=STRING, fields=listing(FIELD_SCHEMA))
SCHEMA = structure(game=STRING, tick_hz=U32, input=KIND_SCHEMA, entities=listing(KIND_SCHEMA),
                   events=listing(KIND_SCHEMA), commands=listing(KIND_SCHEMA), model=BYTES)

ROOM_ORDER = units("Fullest", "Emptiest", "Name")
ROOM_QUERY = structure(tag=STRING, name_prefix=STRING, has_seat=BOOL, no_password=BOOL, order=ROOM_ORDER)
ROOM_INFO = structure(name=STRING, players=U32, players_max=U32, bots=U32, spectators=U32, needs_password=BOOL,
                      tags=listing(STRING), metadata=STRING)
ROOM_CHOICE = enumeration(
    ("Quick", structure()),
    ("Named", structure(name=STRING)),
    ("Create", structure(name=STRING, options=STRING)))
MEMBER = structure(player=U32, name=STRING, spectator=BOOL, bot=BOOL)

RECEIVED = structure(control=U32, chat=U32)
SECRET = fixed(U8, 16)
HASH = fixed(U8, 32)
STATIC_CHANGE = structure(offset=U32, bytes=BYTES)

CLIENT_FRAME = enumeration(
    ("Hello", structure(client=STRING, schema=optional(SCHEMA), resumable=BOOL, token=STRING)),
    ("Join", structure(request=U32, room=ROOM_CHOICE, name=STRING, options=STRING, password=STRING)),
    ("Spectate", structure(request=U32, room=STRING, name=STRING, password=STRING)),
    ("Leave", structure(request=U32)),
    ("ListRooms", structure(request=U32, query=ROOM_QUERY)),
    ("Kick", structure(request=U32, player=U32, reason=STRING)),
    ("Goodbye", structure(request=U32)),
    ("SubscribeRooms", structure(request=U32, query=ROOM_QUERY)),
    ("UnsubscribeRooms", structure(request=U32)),
    ("Command", structure(request=U32, kind=U8, fields=BYTES)),
    ("Resume", structure(player=U32, secret=SECRET, run=U64, received=RECEIVED, unanswered=listing(U32), next=U32)),
    ("Received", RECEIVED))

SERVER_FRAME = enumeration(
    ("Welcome", structure(server=STRING, player=U32, schema=SCHEMA, resume=optional(SECRET), resume_grace_ms=U32,
                          run=U64)),
    ("Joined", structure(request=U32, room=ROOM_INFO, tick=U32, seat=U8, spectator=BOOL, host=optional(U32),
                         members=listing(MEMBER))),
    ("Left", structure(request=U32)),
    ("Rooms", structure(request=U32, rooms=listing(ROOM_INFO), found=U32)),
    ("Refused", structure(request=U32, code=REFUSE_CODE, text=STRING)),
    ("MemberJoined", structure(member=MEMBER)),
    ("MemberLeft", structure(player=U32, code=CLOSE_CODE)),
    ("Host", structure(player=optional(U32))),
    ("Notice", structure(text=STRING)),
    ("Goodbye", structure(code=CLOSE_CODE, text=STRING)),
    ("Keyframe", structure(part=BYTES)),
    ("Done", structure(request=U32)),
    ("Removed", structure(text=STRING)),
    ("Resync", structure(tick=U32, seat=U8)),
    ("RoomsChanged", structure(anew=BOOL, changed=listing(ROOM_INFO), removed=listing(STRING))),
    ("Resumed", structure(next=U32)),
    ("MemberAway", structure(player=U32)),
    ("MemberBack", structure(player=U32)),
    ("StaticData", structure(key=U8, hash=HASH, bytes=U32, tick=U32)),
    ("StaticChanged", structure(key=U8, tick=U32, changes=listing(STATIC_CHANGE))),
    ("Restarted", structure(run=U64)),
    ("Rejoined", structure(room=ROOM_INFO, tick=U32, seat=U8, spectator=BOOL, host=optional(U32),
                           members=listing(MEMBER))),
    ("Published", structure(request=U32, sequence=U64)),
    ("TopicsEnded", structure(subscription=U32, code=REFUSE_CODE, text=STRING)))

CLIENT_CHAT = enumeration(
    ("Say", structure(request=U32, text=STRING)),
    ("Tell", structure(request=U32, player=U32, text=STRING)),
    ("History", structure(request=U32, before=optional(U64), count=U16)))

CHAT_MESSAGE = structure(request=U32, id=U64, time_ms=U64, **{"from": U32}, name=STRING, to=optional(U32), text=STRING)

SERVER_CHAT = enumeration(
    ("Message", CHAT_MESSAGE),
    ("Notice", structure(id=U64, time_ms=U64, text=STRING)),
    ("Refused", structure(request=U32, code=REFUSE_CODE, text=STRING)),
    ("Sent", structure(request=U32, id=U64, is_saved=BOOL)),
    ("History", structure(request=optional(U32), room=STRING, messages=listing(CHAT_MESSAGE), has_older=BOOL)))

CLIENT_STATIC = enumeration(
    ("Fetch", structure(hash=HASH)),
    ("Have", structure(hash=HASH)))

SERVER_STATIC = enumeration(
    ("Chunk", structure(hash=HASH, offset=U32, bytes=BYTES)))

TOPIC_POSITION = structure(topic=U32, sequence=U64)
TOPIC_CURSOR = structure(topic=STRING, epoch=U64, sequence=U64)
TOPIC_DELIVERY = units("Ordered", "Latest")
TOPIC_START = enumeration(
    ("New", structure()),
    ("Last", structure(count=U32)),
    ("Since", structure(ms=U32)))
TOPIC_LIFETIME = enumeration(
    ("Kept", structure()),
    ("Session", structure()),
    ("Milliseconds", structure(ms=U32)))
TOPIC_MESSAGE = structure(sequence=U64, time_ms=U64, **{"from": U32}, key=STRING,
                          kind=units("Value", "Away", "Removed"), payload=BYTES)

CLIENT_TOPICS = enumeration(
    ("Begin", structure(positions=listing(TOPIC_POSITION))),
    ("Publish", structure(request=U32, topic=STRING, key=STRING, payload=BYTES, lifetime=TOPIC_LIFETIME)),
    ("Subscribe", structure(request=U32, subscription=U32, pattern=STRING, delivery=TOPIC_DELIVERY, start=TOPIC_START,
                            cursors=listing(TOPIC_CURSOR))),
    ("Unsubscribe", structure(request=U32, subscription=U32)),
    ("Remove", structure(request=U32, topic=STRING, key=STRING)))

SERVER_TOPICS = enumeration(
    ("Following", structure(subscription=U32, topic=U32, name=STRING, epoch=U64, after=U64, is_continued=BOOL)),
    ("Messages", structure(topic=U32, messages=listing(TOPIC_MESSAGE))),
    ("Missed", structure(topic=U32, **{"from": U64}, to=U64)))


def encode_frame(kind, value):
    """The bytes of one frame: length, version, body. `value` is a pair (variant, fields)."""
    body = encode(kind, value)
    if len(body) + 1 > FRAME_MAX:
        raise ValueError("a frame of more than 64 KiB")
    return (len(body) + 1).to_bytes(4, "little") + bytes([VERSION]) + body


class FrameReader:
    """Cuts a stream into frames and decodes them."""

    def __init__(self, kind):
        """`kind`: the enum of the stream's frames."""
        self.kind = kind
        self.buffer = bytearray()

    def feed(self, data):
        """Takes the stream's next bytes; returns the frames that are whole now, as pairs (variant, fields)."""
        self.buffer.extend(data)
        frames = []
        while (body := self._cut()) is not None:
            frames.append(decode(self.kind, body))
        return frames

    def _cut(self):
        """The body of the next frame without its version, or None while it is not whole."""
        if len(self.buffer) < 4:
            return None
        length = int.from_bytes(self.buffer[:4], "little")
        if not 2 <= length <= FRAME_MAX:
            raise Malformed(f"a frame of {length} bytes")
        if len(self.buffer) > 4 and self.buffer[4] != VERSION:
            raise Malformed(f"a frame of protocol version {self.buffer[4]}")
        if len(self.buffer) < 4 + length:
            return None
        body = bytes(self.buffer[5:4 + length])
        del self.buffer[:4 + length]
        return body
