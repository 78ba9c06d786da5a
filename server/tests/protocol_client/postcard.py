"""The parts of the postcard format that the protocol uses.

A type is a pair of functions (read, write): `read(reader)` gives a Python value and `write(out, value)`
appends it to a bytearray. Structs are dicts by field name; variants of enums are pairs (name, dict).
"""

import struct

from errors import Malformed


class Reader:
    """Reads a byte string from its beginning."""

    def __init__(self, data):
        self.data = bytes(data)
        self.position = 0

    def take(self, count):
        """The next `count` bytes."""
        end = self.position + count
        if end > len(self.data):
            raise Malformed(f"{count} bytes wanted, {len(self.data) - self.position} left")
        part = self.data[self.position:end]
        self.position = end
        return part

    def finish(self):
        """Checks that nothing is left."""
        if self.position != len(self.data):
            raise Malformed(f"{len(self.data) - self.position} bytes left over")


def read_varint(reader, bits):
    """An unsigned number of at most `bits` bits, seven bits a byte, lowest first."""
    value = 0
    for shift in range(0, bits, 7):
        byte = reader.take(1)[0]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
    else:
        raise Malformed("varint too long")
    if value >> bits:
        raise Malformed(f"varint beyond {bits} bits")
    return value


def write_varint(out, value):
    """Appends an unsigned number, seven bits a byte, lowest first."""
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def unsigned(bits):
    """The type of a varint of 0 to 2**bits - 1."""
    return (lambda reader: read_varint(reader, bits), write_varint)


def signed(bits):
    """The type of a zigzag varint of -2**(bits-1) to 2**(bits-1) - 1."""
    def read(reader):
        value = read_varint(reader, bits)
        return (value >> 1) ^ -(value & 1)

    def write(out, value):
        write_varint(out, value << 1 if value >= 0 else (-value << 1) - 1)
    return (read, write)


def packed(code, size):
    """The type of a number of `size` bytes by its code in the module struct."""
    return (lambda reader: struct.unpack(code, reader.take(size))[0],
            lambda out, value: out.extend(struct.pack(code, value)))


def _read_bool(reader):
    value = reader.take(1)[0]
    if value > 1:
        raise Malformed(f"{value} is no bool")
    return value == 1


def _read_bytes(reader):
    return reader.take(read_varint(reader, 32))


def _write_bytes(out, value):
    write_varint(out, len(value))
    out.extend(value)


def _read_string(reader):
    try:
        return _read_bytes(reader).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("a string is no UTF-8") from error


U8 = packed("<B", 1)
I8 = packed("<b", 1)
F32 = packed("<f", 4)
U16, U32, U64 = unsigned(16), unsigned(32), unsigned(64)
I16, I32, I64 = signed(16), signed(32), signed(64)
BOOL = (_read_bool, lambda out, value: out.append(int(value)))
BYTES = (_read_bytes, _write_bytes)
STRING = (_read_string, lambda out, value: _write_bytes(out, value.encode("utf-8")))


def listing(item):
    """The type of a list of `item`: its length and its items."""
    def read(reader):
        return [item[0](reader) for _ in range(read_varint(reader, 32))]

    def write(out, values):
        write_varint(out, len(values))
        for value in values:
            item[1](out, value)
    return (read, write)


def fixed(item, count):
    """The type of a tuple of `count` times `item`, without a length."""
    def write(out, values):
        for value in values:
            item[1](out, value)
    return (lambda reader: tuple(item[0](reader) for _ in range(count)), write)


def optional(item):
    """The type of None or an `item`."""
    def read(reader):
        return item[0](reader) if _read_bool(reader) else None

    def write(out, value):
        out.append(int(value is not None))
        if value is not None:
            item[1](out, value)
    return (read, write)


def structure(**fields):
    """The type of a dict with these fields, in this order."""
    def read(reader):
        return {name: kind[0](reader) for name, kind in fields.items()}

    def write(out, value):
        if value.keys() != fields.keys():
            raise ValueError(f"fields {sorted(value)} in place of {sorted(fields)}")
        for name, kind in fields.items():
            kind[1](out, value[name])
    return (read, write)


def enumeration(*variants):
    """The type of one of `variants`: pairs of a name and a type, in the order of their numbers."""
    numbers = {name: number for number, (name, _) in enumerate(variants)}

    def read(reader):
        number = read_varint(reader, 32)
        if number >= len(variants):
            raise Malformed(f"no variant has the number {number}")
        name, kind = variants[number]
        return (name, kind[0](reader))

    def write(out, value):
        write_varint(out, numbers[value[0]])
        variants[numbers[value[0]]][1][1](out, value[1])
    return (read, write)


def units(*names):
    """The type of an enum whose variants have no fields: a value is a name."""
    full = enumeration(*((name, structure()) for name in names))
    return (lambda reader: full[0](reader)[0], lambda out, name: full[1](out, (name, {})))


def decode(kind, data):
    """The value of type `kind` that `data` is, whole."""
    reader = Reader(data)
    value = kind[0](reader)
    reader.finish()
    return value


def encode(kind, value):
    """The bytes of `value` of type `kind`."""
    out = bytearray()
    kind[1](out, value)
    return bytes(out)
