"""Bit streams of datagrams: lowest bit of a byte first, numbers lowest bit first."""

from errors import Malformed

GOLOMB_MAX = 2**31 - 2


class BitReader:
    """Reads numbers from one datagram; it is one long little-endian number."""

    def __init__(self, data):
        """`data`: the bytes of the datagram."""
        self.number = int.from_bytes(data, "little")
        self.length = 8 * len(data)
        self.position = 0

    def bits(self, count):
        """The next `count` bits as a number of 0 to 2**count - 1."""
        end = self.position + count
        if end > self.length:
            raise Malformed(f"{count} bits wanted, {self.length - self.position} left")
        value = (self.number >> self.position) & ((1 << count) - 1)
        self.position = end
        return value

    def flag(self):
        """The next bit as a bool."""
        return self.bits(1) == 1

    def golomb(self):
        """A number of 0 to 2**31 - 2 in the exponential Golomb code of order 0."""
        zeros = 0
        while not self.bits(1):
            zeros += 1
            if zeros > 30:
                raise Malformed("golomb code of more than 30 zeros")
        value = ((1 << zeros) | self.bits(zeros)) - 1
        if value > GOLOMB_MAX:
            raise Malformed("golomb code beyond its largest number")
        return value

    def finish(self):
        """Checks that the last byte ends in zeros and nothing else is left."""
        left = self.length - self.position
        if left > 7:
            raise Malformed(f"{left} bits left over")
        if self.number >> self.position:
            raise Malformed("a one among the last bits")


class BitWriter:
    """Writes numbers in the order in which BitReader reads them."""

    def __init__(self):
        self.number = 0
        self.length = 0

    def bits(self, value, count):
        """Appends the number `value`, 0 to 2**count - 1, in `count` bits."""
        if not 0 <= value < 1 << count:
            raise ValueError(f"{value} does not fit {count} bits")
        self.number |= value << self.length
        self.length += count

    def code(self, text):
        """Appends a code written as its bits in the order they are sent, as "110"."""
        for bit in text:
            self.bits(int(bit), 1)

    def golomb(self, value):
        """Appends `value`, 0 to 2**31 - 2, in the exponential Golomb code of order 0."""
        zeros = (value + 1).bit_length() - 1
        self.bits(0, zeros)
        self.bits(1, 1)
        self.bits((value + 1) - (1 << zeros), zeros)

    def data(self):
        """The bytes so far; the last one ends in zeros."""
        return self.number.to_bytes((self.length + 7) // 8, "little")
