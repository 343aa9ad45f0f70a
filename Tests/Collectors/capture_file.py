# SPDX-License-Identifier: Apache-2.0
"""Reads capture files (pcap, pcapng, either byte order, gzip) and writes pcap.

Independent of libpcap and of the program under test.
"""

import gzip
import struct

ETHERNET = 1


class CaptureFormatError(Exception):
    """The file is no capture file that this module reads."""


def write_pcap(path, frames, snaplen=65535, linktype=ETHERNET):
    """Writes (time in ns, octets) pairs as a pcap file of microseconds."""
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, snaplen, linktype))
        for time, frame in frames:
            seconds, nanoseconds = divmod(time, 10**9)
            file.write(struct.pack("<IIII", seconds, nanoseconds // 1000,
                                   min(len(frame), snaplen), len(frame)))
            file.write(frame[:snaplen])


def read_frames(path):
    """Yields (link type, time in ns, captured octets) for each packet of a capture file."""
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rb") as file:
        data = file.read()
    magic = data[:4]
    for order, packed in (("<", magic[::-1]), (">", magic)):
        if packed in (b"\xa1\xb2\xc3\xd4", b"\xa1\xb2\x3c\x4d"):
            return _pcap(data, order, nanoseconds=packed[2] == 0x3C)
    if magic == b"\x0a\x0d\x0d\x0a":
        return _pcapng(data)
    raise CaptureFormatError(f"{path}: neither pcap nor pcapng")


def _pcap(data, order, nanoseconds):
    linktype, = struct.unpack_from(order + "I", data, 20)
    linktype &= 0xFFFF
    unit = 1 if nanoseconds else 1000
    header = struct.Struct(order + "III").unpack_from
    position, end = 24, len(data)
    while position + 16 <= end:
        seconds, fraction, length = header(data, position)
        position += 16
        if position + length > end:
            return                                    # the last packet is cut short
        yield linktype, seconds * 10**9 + fraction * unit, data[position:position + length]
        position += length


class _Interface:
    """An Interface Description Block."""

    def __init__(self, body, order):
        self.linktype, self.snaplen = struct.unpack_from(order + "HxxI", body)
        self.ticks, self.offset = 10**6, 0            # a second has so many
        position = 8
        while position + 4 <= len(body):
            code, length = struct.unpack_from(order + "HH", body, position)
            value = body[position + 4:position + 4 + length]
            if code == 9:
                self.ticks = 2 ** (value[0] & 127) if value[0] & 128 else 10 ** value[0]
            elif code == 14:
                self.offset, = struct.unpack(order + "q", value)
            position += 4 + length + -length % 4

    def time(self, high, low):
        return self.offset * 10**9 + (high << 32 | low) * 10**9 // self.ticks


def _pcapng(data):
    position, order, interfaces = 0, "<", []
    while position + 12 <= len(data):
        if data[position:position + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[position + 8:position + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            interfaces = []
        kind, length = struct.unpack_from(order + "II", data, position)
        if length < 12 or position + length > len(data):
            return
        body = data[position + 8:position + length - 4]
        if kind == 1:
            interfaces.append(_Interface(body, order))
        elif kind == 6 or kind == 2:                  # Enhanced Packet, Packet (obsolete)
            number, high, low, captured = struct.unpack_from(
                order + ("IIII" if kind == 6 else "HxxIII"), body)
            interface = interfaces[number]
            yield interface.linktype, interface.time(high, low), body[20:20 + captured]
        elif kind == 3:                               # Simple Packet: without a time
            original, = struct.unpack_from(order + "I", body)
            captured = min(original, interfaces[0].snaplen or original)
            yield interfaces[0].linktype, 0, body[4:4 + captured]
        position += length
