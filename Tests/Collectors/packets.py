# SPDX-License-Identifier: Apache-2.0
"""Builds packets octet by octet, for the captures these tests feed to flowprobe.

Every builder of a payload takes `total`, the IP length wanted, so that the
octets of a flow can be added up by hand from the calls that make it.
"""

import ipaddress
import struct

IPV4_HEADER = 20
IPV6_HEADER = 40

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10

# TCP options as a SYN and a later segment carry them: kinds 2 4 8 1 3, and 1 1 8.
SYN_OPTIONS = bytes.fromhex("020405b4" "0402" "080a0000000100000000" "01" "030307")
TIMESTAMP_OPTIONS = bytes.fromhex("0101" "080a0000000200000001")


def address(text):
    return ipaddress.ip_address(text).packed


def checksum(data):
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def filler(length):
    """`length` payload octets that look like nothing."""
    return bytes(0x41 + i % 26 for i in range(length))


def summed(segment, at, pseudo=b""):
    """`segment` with its checksum, over `pseudo` too, written at offset `at`."""
    value = checksum(pseudo + segment)
    return segment[:at] + struct.pack(">H", value) + segment[at + 2:]


def pseudo_header(source, destination, protocol, length):
    if len(address(source)) == 4:
        return address(source) + address(destination) + struct.pack(">BBH", 0, protocol, length)
    return address(source) + address(destination) + struct.pack(">II", length, protocol)


# Link layer ------------------------------------------------------------------

def ethernet(packet, tags=()):
    """An Ethernet frame; `tags` are (TPID, TCI) pairs, outermost first."""
    frame = bytes.fromhex("020000000002" "020000000001")
    for tpid, tci in tags:
        frame += struct.pack(">HH", tpid, tci)
    return frame + struct.pack(">H", 0x86DD if packet[0] >> 4 == 6 else 0x0800) + packet


# Network layer ---------------------------------------------------------------

def ipv4(source, destination, protocol, payload, tos=0, identification=1,
         offset=0, more=False, options=b""):
    words = (IPV4_HEADER + len(options)) // 4
    header = struct.pack(
        ">BBHHHBBH4s4s", 0x40 | words, tos, words * 4 + len(payload), identification,
        more << 13 | offset // 8, 64, protocol, 0, address(source), address(destination))
    return summed(header + options, 10) + payload


def ipv6(source, destination, protocol, payload, traffic_class=0, label=0, extensions=()):
    """`extensions` are (header number, octets without the next-header octet) in order."""
    numbers = [number for number, _ in extensions] + [protocol]
    chain = b"".join(bytes([after]) + body
                     for (_, body), after in zip(extensions, numbers[1:]))
    word = 6 << 28 | traffic_class << 20 | label
    return struct.pack(">IHBB", word, len(chain) + len(payload), numbers[0], 64) \
        + address(source) + address(destination) + chain + payload


def ipv4_fragments(packet, size):
    """`packet` (no options) cut into pieces that carry `size` octets each."""
    body = packet[IPV4_HEADER:]
    pieces = []
    for start in range(0, len(body), size):
        more = start + size < len(body)
        header = bytearray(packet[:IPV4_HEADER])
        piece = body[start:start + size]
        struct.pack_into(">H", header, 2, IPV4_HEADER + len(piece))
        struct.pack_into(">H", header, 6, more << 13 | start // 8)
        struct.pack_into(">H", header, 10, 0)
        pieces.append(summed(bytes(header), 10) + piece)
    return pieces


def ipv6_fragments(source, destination, protocol, payload, size, identification):
    pieces = []
    for start in range(0, len(payload), size):
        more = start + size < len(payload)
        fragment = struct.pack(">xHI", start // 8 << 3 | more, identification)
        pieces.append(ipv6(source, destination, protocol, payload[start:start + size],
                           extensions=[(44, fragment)]))
    return pieces


# Transport layer: each returns (protocol number, payload) for an IP length ---

def tcp(ports, flags, total, options=b"", network=IPV4_HEADER):
    header = struct.pack(">HHIIBBHHH", *ports, 1, 1, (20 + len(options)) // 4 << 4,
                         flags, 64000, 0, 0) + options
    return 6, header + filler(total - network - len(header))


def udp(ports, total, network=IPV4_HEADER):
    length = total - network
    return 17, struct.pack(">HHHH", *ports, length, 0) + filler(length - 8)


def udp_lite(ports, total):
    return 136, struct.pack(">HHHH", *ports, 8, 0) + filler(total - IPV4_HEADER - 8)


def dccp(ports, total):
    """A DCCP-Request (RFC 4340): 20 octets of header."""
    header = struct.pack(">HHBBHB3sI4x", *ports, 5, 0, 0, 0x01, b"\0\0\1", 0)[:20]
    return 33, header + filler(total - IPV4_HEADER - 20)


def sctp(ports, total):
    chunk = total - IPV4_HEADER - 12
    return 132, struct.pack(">HHII", *ports, 1, 0) + struct.pack(">BBH", 0, 3, chunk) \
        + filler(chunk - 4)


def icmp(kind, code, total, rest=b"\0\1\0\1"):
    body = struct.pack(">BBH", kind, code, 0) + rest
    return 1, summed(body + filler(total - IPV4_HEADER - len(body)), 2)


def icmpv6(kind, code, total):
    body = struct.pack(">BBHHH", kind, code, 0, 1, 1)
    return 58, body + filler(total - IPV6_HEADER - len(body))


def esp(spi, total):
    return 50, struct.pack(">II", spi, 1) + filler(total - IPV4_HEADER - 8)


def ah(spi, inner, total):
    """An Authentication Header of 24 octets before protocol `inner`."""
    return 51, struct.pack(">BBHII12x", inner, 4, 0, spi, 1) \
        + filler(total - IPV4_HEADER - 24)


def gre(inner):
    return 47, struct.pack(">HH", 0, 0x0800) + inner
