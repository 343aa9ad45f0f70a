# SPDX-License-Identifier: Apache-2.0
"""Breaks files: a few changes each, as storage, cut transfers and liars make them."""

# Lengths and counts at which arithmetic turns.
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x3FFFFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0,
           0xFFFFFFFF)


def mutated(octets, generator):
    """A broken copy of a file."""
    octets = bytearray(octets)
    for _ in range(generator.choice((1, 1, 2, 4, 16))):
        if octets:
            generator.choice(CHANGES)(octets, generator)
    return bytes(octets)


def place(octets, generator):
    """Somewhere in it; the head of the file and of its first packets more often."""
    return generator.randrange(min(len(octets), generator.choice((24, 64, 256, len(octets)))))


def flip_bit(octets, generator):
    octets[place(octets, generator)] ^= 1 << generator.randrange(8)


def set_octet(octets, generator):
    octets[place(octets, generator)] = generator.randrange(256)


def set_number(octets, generator):
    width, order = generator.choice((1, 2, 4)), generator.choice(("little", "big"))
    start = place(octets, generator)
    number = generator.choice(NUMBERS) & (1 << 8 * width) - 1
    octets[start:start + width] = number.to_bytes(width, order)


def cut(octets, generator):
    del octets[place(octets, generator):]


def remove(octets, generator):
    start = place(octets, generator)
    del octets[start:start + generator.randrange(1, 64)]


def repeat(octets, generator):
    start = place(octets, generator)
    part = octets[start:start + generator.randrange(1, 256)]
    octets[start:start] = part * generator.choice((1, 1, 2, 100))


def fill(octets, generator):
    start, length = place(octets, generator), generator.randrange(1, 64)
    octets[start:start + length] = bytes([generator.choice((0, 0xFF, 0x41))]) * length


def shuffle(octets, generator):
    start = place(octets, generator)
    part = list(octets[start:start + 32])
    generator.shuffle(part)
    octets[start:start + 32] = bytes(part)


CHANGES = (flip_bit, flip_bit, set_octet, set_number, set_number, cut, remove, repeat, fill, shuffle)
