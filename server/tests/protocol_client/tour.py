"""A walk through every request with three clients; checks each answer against the protocol pages.

It asks for lists of rooms, makes a room, joins, watches, speaks, gives commands, kicks, leaves and joins in one go,
falls silent until the server begins anew, publishes to topics and follows them, and breaks the rules that end a
session. For the arena, whose command ChangeTeam has no lanes, with topics `tour/*` for everyone. Prints a line for each
step; the first answer that is another ends the program with code 1.
"""

import asyncio
import json
from argparse import Namespace
from contextlib import AsyncExitStack

from client import arguments, enter, finish, fullest_room, greet, open_session
from errors import Misbehaved
from frames import CLIENT_FRAME, CONTROL, SERVER_FRAME, FrameReader, encode_frame
from player import Player
from snapshot import encode_input

ANY_ROOM = {"tag": "", "name_prefix": "", "has_seat": False, "no_password": False, "order": "Name"}
CHAT_CHARACTERS_MAX = 500
SILENT_SECONDS = 1.5


def check(condition, text):
    """Ends the tour unless `condition` holds."""
    if not condition:
        raise Misbehaved(text)
    print(f"ok: {text}", flush=True)


async def until(condition, text, seconds=30):
    """Waits until `condition()` holds."""
    for _ in range(int(seconds * 50)):
        if condition():
            break
        await asyncio.sleep(0.02)
    check(condition(), text)


def refused(answer, code):
    """True if an answer is a refusal with `code`."""
    return answer[0] == "Refused" and answer[1]["code"][0] == code


def people(members):
    """The numbers of the members that are no bots."""
    return [member["player"] for member in members if not member["bot"]]


class Guest:
    """A client in a room, which sends its datagrams on its own."""

    def __init__(self, session, options, name, spectate=False):
        self.session = session
        self.options = Namespace(**vars(options) | {"name": name, "spectate": spectate})
        self.sending = None
        self.events = []

    async def enter(self):
        """Joins or watches the tour's room; returns the fields of the Joined frame."""
        joined = await enter(self.session, self.options)
        self.start()
        return joined

    def start(self):
        """Begins to send datagrams for the present stay."""
        player = Player(self.session, self.options.spectate, self.options.seed)
        self.session.on_snapshot = lambda tick, report, events: self._applied(player, tick, report, events)
        self.sending = asyncio.ensure_future(player.run())

    def _applied(self, player, tick, report, events):
        player.reported(tick, report)
        kinds = self.session.game.schema.events
        self.events.extend((kinds[event.kind].name, kinds[event.kind].values(event.lanes)) for event in events)

    def stop(self):
        """Sends no more datagrams."""
        self.sending.cancel()

    async def leave(self):
        """Leaves the room."""
        self.stop()
        return await self.session.ask("Leave")


async def lists(first, options):
    """Follows the list of rooms while one is made."""
    variant, fields = await first.ask("SubscribeRooms", query={**ANY_ROOM, "name_prefix": options.room})
    check(variant == "Rooms" and fields["found"] == 0, "a list of rooms with our prefix is empty")
    choice = ("Create", {"name": options.room, "options": ""})
    variant, joined = await first.ask("Join", room=choice, name="Maker", options="", password="")
    check(variant == "Joined" and joined["host"] == first.player, "who made a room is its host")
    check(people(joined["members"]) == [first.player], "members hold the client itself")
    await until(lambda: options.room in first.rooms, "the followed list has the room")
    check(refused(await first.ask("SubscribeRooms", query={**ANY_ROOM, "tag": "x" * 33}), "RoomNameInvalid"),
          "a tag of 33 bytes is refused")
    check((await first.ask("UnsubscribeRooms"))[0] == "Done", "the list is followed no more")
    variant, fields = await first.ask("ListRooms", query=ANY_ROOM)
    check(options.room in [room["name"] for room in fields["rooms"]], "the list of all rooms has the room")
    check(await fullest_room(first) is not None, "there is a fullest room")


async def chat(maker, guest, watcher):
    """Chat messages."""
    variant, fields = await maker.ask("Say", text="hello  everyone")
    check(variant == "Message" and fields["text"] == "hello  everyone", "chat keeps its spaces")
    await until(lambda: [message["text"] for message in watcher.messages] == ["hello  everyone"],
                "the watcher has the message")
    await until(lambda: maker.saved == {fields["id"]: False}, "a server without a store says that it keeps no chat")
    variant, page = await watcher.ask("History", before=None, count=10)
    check(variant == "History" and page["messages"] == [] and not page["has_older"], "nor has it a history")
    await guest.ask("Tell", player=maker.player, text="psst")
    await until(lambda: maker.messages[-1]["text"] == "psst", "who was told has it")
    check(len(watcher.messages) == 1, "and nobody else")
    check(refused(await guest.ask("Tell", player=10**6, text="psst"), "NoSuchPlayer"), "nobody there to tell")
    check(refused(await guest.ask("Say", text=" \u200b "), "ChatEmpty"), "nothing left to say")
    check(refused(await guest.ask("Say", text="x" * (CHAT_CHARACTERS_MAX + 1)), "ChatTooLong"), "too much to say")
    answers = await asyncio.gather(*(guest.ask("Say", text=f"{number}") for number in range(8)))
    check(any(refused(answer, "ChatTooFast") for answer in answers), "eight messages at once are too many")


async def bots(maker, options):
    """Bots, with which the arena fills its rooms."""
    def all_bots():
        return [member for member in maker.members.values() if member["bot"]]
    await until(all_bots, "bots are members")
    check(not any(bot["spectator"] for bot in all_bots()), "and no spectators")
    bot = all_bots()[0]["player"]
    check(refused(await maker.ask("Tell", player=bot, text="psst"), "NoSuchPlayer"), "a bot is not written to")
    check(refused(await maker.ask("Kick", player=bot, reason=""), "KickNotAllowed"), "a bot is not removed")
    for _ in range(10):
        _, fields = await maker.ask("ListRooms", query={**ANY_ROOM, "name_prefix": options.room})
        room = next(room for room in fields["rooms"] if room["name"] == options.room)
        counts = (room["bots"], room["players"], room["spectators"])
        if counts == (len(all_bots()), 2, 1):
            break
        await asyncio.sleep(0.5)
    check(counts == (len(all_bots()), 2, 1), "a list of rooms tells bots from people")


async def commands(maker, guest, watcher):
    """Commands."""
    check((await maker.session.ask("Command", kind=0, fields=b""))[0] == "Done", "a command is done")
    await until(lambda: any(name == "TeamChange" for name, _ in maker.events), "its event comes")
    check(refused(await guest.session.ask("Command", kind=1, fields=b""), "CommandInvalid"), "no such command")
    check(refused(await guest.session.ask("Command", kind=0, fields=b"\0"), "CommandInvalid"), "left-over lanes")
    check(refused(await watcher.session.ask("Command", kind=0, fields=b""), "NotPlaying"), "watchers give none")


async def resync(guest):
    """Falls silent until the server begins the stay anew."""
    session = guest.session
    await until(lambda: session.world.newest is not None, "snapshots come")
    await asyncio.sleep(1)
    guest.stop()
    await asyncio.sleep(SILENT_SECONDS)
    old_seat = session.world.seat
    session.send_datagram(encode_input(session.game.schema.input, old_seat, None, None, [], 0))
    await until(lambda: session.counts["frame Resync"] == 1, "a datagram without acknowledgement brings Resync")
    check(session.world.seat != old_seat, "the stay has another seat")
    guest.start()
    await until(lambda: session.world.counts["whole"] and session.world.own(), "and snapshots begin anew")


async def at_once(guest):
    """Leaves and joins without waiting for an answer in between."""
    session = guest.session
    guest.stop()
    seat = session.world.seat
    join = {"room": ("Named", {"name": guest.options.room}), "name": "Again", "options": "", "password": ""}
    answers = [session.ask("Leave"), session.ask("Say", text="nobody hears"), session.ask("Join", **join),
               session.ask("Join", **join)]
    left, said, joined, twice = await asyncio.gather(*answers)
    check(left[0] == "Left" and refused(said, "NotInRoom"), "a message after a leave finds no room")
    check(joined[0] == "Joined" and joined[1]["seat"] != seat, "a join after a leave has another seat")
    check(refused(twice, "AlreadyInRoom"), "a second join is refused")
    guest.start()
    await until(session.world.own, "and its entity comes")


async def kick(maker, guest, watcher):
    """Removes a member."""
    check(refused(await guest.session.ask("Kick", player=maker.session.player, reason="no"), "NotHost"),
          "only the host removes members")
    check(refused(await maker.session.ask("Kick", player=10**6, reason=""), "NoSuchPlayer"), "nobody to remove")
    removed = await maker.session.ask("Kick", player=guest.session.player, reason="tour")
    check(removed[0] == "Done", "a member is removed")
    await until(lambda: guest.session.counts["frame Removed"] == 1, "and learns of it")
    check(guest.session.player not in maker.session.members, "the others learn of it")
    room = ("Named", {"name": guest.options.room})
    again = await guest.session.ask("Join", room=room, name="B", options="", password="")
    check(refused(again, "RemovedFromRoom"), "it cannot come back at once")
    check(refused(await guest.session.ask("Leave"), "NotInRoom"), "and there is nothing to leave")
    await watcher.leave()
    await maker.leave()


async def topics(first, second):
    """Topics: all messages of one, and the newest of each key."""
    def payloads():
        return [(name, message["payload"]) for name, message in second.topic_messages]

    publish = first.publish
    check((await publish("tour/chat", "", b"0"))[1] == {"request": first.requests, "sequence": 1}, "a topic is made")
    check((await second.subscribe(1, "tour/*"))[0] == "Done", "a pattern is followed")
    for payload in (b"1", b"2"):
        await publish("tour/chat", "", payload)
    await publish("tour/new", "", b"3")
    await until(lambda: len(payloads()) == 3, "messages come")
    check(sorted(payloads()) == [("tour/chat", b"1"), ("tour/chat", b"2"), ("tour/new", b"3")], "those after it began")
    cursor = {"topic": "tour/chat", "epoch": next(iter(second.topics.values()))["epoch"], "sequence": 2}
    check((await second.unsubscribe(1))[0] == "Done" and not second.topics, "it is followed no more")
    for key in ("a", "b", "a"):
        await publish("tour/prices", key, key.encode())
    second.topic_messages.clear()
    await second.subscribe(2, "tour/prices", "Latest", ("Last", {"count": 10}))
    await until(lambda: payloads() == [("tour/prices", b"b"), ("tour/prices", b"a")], "the newest of each key comes")
    second.topic_messages.clear()
    await second.subscribe(3, "tour/chat", cursors=[cursor])
    await until(lambda: payloads() == [("tour/chat", b"2")], "another subscription goes on after a cursor")
    check([topic["is_continued"] for topic in second.topics.values()] == [False, True], "and says so")
    for code, answer in (("TopicInvalid", publish("tour/a b", "", b"")), ("TopicForbidden", publish("a", "", b"")),
                         ("TopicForbidden", second.subscribe(4, "tour/**")),
                         ("TopicInvalid", second.subscribe(3, "tour/a")),
                         ("TopicTooLong", publish("tour/a", "", bytes(16385)))):
        check(refused(await answer, code), f"{code}")


async def lossy(first, second):
    """Messages by datagram, which may be lost: no older one follows a newer one, and none comes twice."""
    second.topic_messages.clear()
    await second.subscribe(6, "tour/lossy")
    await first.publish("tour/lossy", "", b"0")
    for _ in range(60):
        first.publish_lossy("tour/lossy", "k", str(first.lossy_sequence + 1).encode())
        first.publish_lossy("tour/lossy", "k", b"late", first.lossy_sequence)
        first.publish_lossy("tour/lossy", "k", b"late", max(1, first.lossy_sequence - 2))
        await asyncio.sleep(0.05)
    # Reliable, and behind what went before.
    await first.publish("tour/lossy", "", b"end")
    await until(lambda: second.topic_messages and second.topic_messages[-1][1]["payload"] == b"end", "messages come")
    payloads = [message["payload"] for _, message in second.topic_messages if message["key"] == "k"]
    numbers = [int(payload) for payload in payloads if payload != b"late"]
    check(len(numbers) >= 20 and numbers == sorted(set(numbers)), "messages by datagram rise")


async def presence(first, second):
    """Values that are removed: by a request, and at a time."""
    def told():
        return [(message["key"], message["kind"], message["payload"]) for _, message in second.topic_messages]

    second.topic_messages.clear()
    await second.subscribe(5, "tour/who", "Latest", ("Last", {"count": 10}))
    await first.publish("tour/who", "first", b"here", ("Session", {}))
    await first.publish("tour/who", "typing", b"", ("Milliseconds", {"ms": 100}))
    await until(lambda: len(told()) == 3, "a value is there, and another one for a while")
    check(told()[0] == ("first", "Value", b"here") and told()[2] == ("typing", "Removed", b""), "which ends by itself")
    for key in ("first", "nobody"):
        check((await first.ask("Remove", topic="tour/who", key=key))[0] == "Done", "a value is removed, or there is none")
    await until(lambda: len(told()) == 4, "and the others are told so")
    check(told()[3] == ("first", "Removed", b""), "once")
    check(refused(await first.ask("Remove", topic="a", key=""), "TopicForbidden"), "by the right to publish")
    check(refused(await first.publish("tour/who", "", bytes(1025), ("Session", {})), "TopicTooLong"), "a value has a bound")


async def resume(options):
    """Loses a connection in a room with a message under way, and goes on over another one."""
    room = Namespace(**vars(options) | {"room": f"{options.room}-resume"})
    async with open_session(options) as other, open_session(options) as before, open_session(options) as after:
        await greet(other, options)
        await greet(before, options, resumable=True)
        watcher, guest = Guest(other, room, "Other"), Guest(before, room, "Lost")
        await watcher.enter()
        await guest.enter()
        await until(lambda: before.world.own() and before.player in other.members, "a client with a secret plays")
        await before.subscribe(1, "tour/resume")
        await other.publish("tour/resume", "", b"0")
        await until(lambda: before.topic_messages, "a topic is followed")
        said = before.ask("Say", text="once")
        guest.stop()
        kept = before.lose()
        seat, newest = before.world.seat, before.world.newest
        await other.publish("tour/resume", "", b"1")
        await after.resume(kept)
        await until(lambda: [message["payload"] for _, message in after.topic_messages] == [b"0", b"1"],
                    "a message of a topic that was published meanwhile comes once")
        check((await said)[0] == "Message", "a message under way is answered after the session resumed")
        guest = Guest(after, room, "Lost")
        guest.start()
        await until(lambda: after.world.newest > newest and after.world.own(), "snapshots go on")
        check(after.world.seat == seat and after.world.start < newest, "in the same seat and world")
        await until(lambda: [message["text"] for message in other.messages] == ["once"],
                    "the others have the message once")
        await until(lambda: not other.away, "nobody is away any more")
        check(after.player in other.members, "and nobody left")
        for each in (guest, watcher):
            await each.leave()
            await each.session.goodbye()


async def refusals(session, options):
    """Requests that are refused."""
    join = {"name": "Guest", "options": "", "password": ""}
    for code, fields in (("RoomNameInvalid", {"room": ("Named", {"name": "a room"})}),
                         ("NameInvalid", {"room": ("Quick", {}), "name": " "}),
                         ("NameInvalid", {"room": ("Quick", {}), "name": "admin"}),
                         ("OptionsInvalid", {"room": ("Quick", {}), "options": "{"}),
                         ("RoomTaken", {"room": ("Create", {"name": options.room, "options": ""})})):
        check(refused(await session.ask("Join", **join | fields), code), f"{code}")
    check(refused(await session.ask("Spectate", room="nowhere-" + options.room, name="W", password=""), "NoSuchRoom"),
          "NoSuchRoom")
    check(refused(await session.ask("Command", kind=0, fields=b""), "NotInRoom"), "NotInRoom")


async def ends_with(options, code, offence, schema=None, welcome=True):
    """Commits an offence in a session of its own, and checks how that ends."""
    async with open_session(options, schema) as session:
        if welcome:
            await greet(session, options)
        await offence(session)
        await asyncio.wait_for(session.ended.wait(), 30)
        check(session.close_code == code, f"{code} ends the session: {session.failure}")


async def offences(options, schema):
    """Breaks the rules that end a session."""
    async def raw(session, data, stream):
        session.readers.setdefault(stream, (CONTROL, FrameReader(SERVER_FRAME)))
        session._quic.send_stream_data(stream, data)
        session.transmit()

    async def datagram(session, data):
        await session.ask("Join", room=("Quick", {}), name="Offender", options="", password="")
        session.send_datagram(data(session.world.seat))

    greeting = {"client": "tour", "schema": None, "resumable": False, "token": ""}
    hello = encode_frame(CLIENT_FRAME, ("Hello", greeting))
    long = bytes([CONTROL]) + encode_frame(CLIENT_FRAME, ("Hello", {**greeting, "token": "A" * 4097}))
    old = hello[:4] + b"\x02" + hello[5:]
    leave = encode_frame(CLIENT_FRAME, ("Leave", {"request": 1}))
    other = {**schema, "tick_hz": schema["tick_hz"] + 1}

    await ends_with(options, "SecondHello", lambda session: raw(session, hello, 0))
    await ends_with(options, "MalformedFrame", lambda session: raw(session, leave[:-1] + b"\x80", 0))
    await ends_with(options, "FrameTooLarge", lambda session: raw(session, b"\xff\xff\xff\xff\x03", 0))
    await ends_with(options, "VersionMismatch", lambda session: raw(session, leave[:4] + b"\x02" + leave[5:], 0))
    await ends_with(options, "UnexpectedStream", lambda session: raw(session, b"\x01", 8))
    for make in (lambda seat: b"\x50", lambda seat: bytes([0x49, seat]), lambda seat: bytes([0x49, seat, 128])):
        await ends_with(options, "MalformedDatagram", lambda session, make=make: datagram(session, make))
    await ends_with(options, "TooEarly", lambda session: raw(session, bytes([CONTROL]) + leave, 0), welcome=False)
    await ends_with(options, "VersionMismatch", lambda session: raw(session, bytes([CONTROL]) + old, 0), welcome=False)
    await ends_with(options, "TokenInvalid", lambda session: raw(session, long, 0), welcome=False)
    secret = {"player": 1, "secret": bytes(16), "run": 0, "received": {"control": 1, "chat": 0}, "unanswered": [],
              "next": 1}
    wrong = bytes([CONTROL]) + encode_frame(CLIENT_FRAME, ("Resume", secret))
    await ends_with(options, "ResumeRefused", lambda session: raw(session, wrong, 0), welcome=False)
    await ends_with(options, "SchemaMismatch", lambda session: session_hello(session), other, welcome=False)


async def session_hello(session):
    """Says hello to a server that will not welcome it."""
    try:
        await session.hello("tour")
    except (Misbehaved, ConnectionError):
        pass


async def rooms(first, second, third, options):
    """Everything that needs three clients in a room."""
    await lists(first, options)
    maker = Guest(first, options, "Maker")
    maker.start()
    guest, watcher = Guest(second, options, "Guest"), Guest(third, options, "Watcher", spectate=True)
    await refusals(second, options)
    joined = await guest.enter()
    check(len(people(joined["members"])) == 2 and joined["host"] == first.player, "the second player sees the first")
    await until(lambda: second.player in first.members, "and the first is told of it")
    joined = await watcher.enter()
    check(joined["spectator"], "the third only watches")
    await until(lambda: len(people(first.members.values())) == 3 and first.members[third.player]["spectator"],
                "watchers are members")
    await bots(first, options)
    await chat(first, second, third)
    await commands(maker, guest, watcher)
    await resync(guest)
    await at_once(guest)
    await kick(maker, guest, watcher)


async def run(options):
    """The whole tour; returns the exit code."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(open_session(options))
        schema = (await greet(first, options))["schema"]
        second = await stack.enter_async_context(open_session(options, {**schema, "model": b""}))
        third = await stack.enter_async_context(open_session(options, schema))
        for session in (second, third):
            await greet(session, options)
        await rooms(first, second, third, options)
        await topics(first, second)
        await lossy(first, second)
        await presence(first, second)
        for session in (first, second, third):
            await session.goodbye()
            check(session.close_code == "Normal" and session.failure is None, "goodbye is answered")
        print(json.dumps([dict(session.counts) for session in (first, second, third)]))
    await resume(options)
    await offences(options, schema)
    return 0


def main():
    """Reads the arguments and runs."""
    parser = arguments(__doc__)
    parser.add_argument("--room", default="tour", help="name of the room that is made")
    finish(run(parser.parse_args()))


if __name__ == "__main__":
    main()
