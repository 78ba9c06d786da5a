"""Texts in lanes: the length in bytes, then the bytes of UTF-8, four to a lane, the first one lowest."""

from errors import Malformed

LANE_BYTES = 4
# Control characters, line separators, and those that turn the direction of what follows.
FORBIDDEN = ((0x00, 0x1F), (0x7F, 0x9F), (0x2028, 0x2029), (0x202A, 0x202E), (0x2066, 0x2069))


def text_lanes(most):
    """The largest number of each lane of a text of at most `most` bytes."""
    return [most] + [(1 << 8 * min(LANE_BYTES, most - first)) - 1 for first in range(0, most, LANE_BYTES)]


def text_value(lanes):
    """The string that the lanes of a text hold; an error if it is none that may be sent."""
    data = b"".join(lane.to_bytes(LANE_BYTES, "little") for lane in lanes[1:])
    if any(data[lanes[0]:]):
        raise Malformed("bytes behind the end of a text")
    try:
        text = data[:lanes[0]].decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("a text is no UTF-8") from error
    if any(first <= ord(character) <= last for character in text for first, last in FORBIDDEN):
        raise Malformed(f"a text with a forbidden character: {text!a}")
    return text


def check_text(lanes):
    """Checks the lanes of a text."""
    text_value(lanes)


def read_text(reader, lanes):
    """The lanes of a text that comes plain; `lanes`: the Lane of each."""
    length = lanes[0].at(reader.bits(lanes[0].bits))
    data = bytes(reader.bits(8) for _ in range(length))
    values = [length] + [int.from_bytes(data[first:first + LANE_BYTES], "little")
                         for first in range(0, LANE_BYTES * (len(lanes) - 1), LANE_BYTES)]
    check_text(values)
    return values


def write_text(writer, lanes, values):
    """Writes what `read_text` reads: `values` are the text's lanes."""
    writer.bits(values[0], lanes[0].bits)
    for byte in text_value(values).encode("utf-8"):
        writer.bits(byte, 8)
