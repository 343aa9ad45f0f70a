#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes Seeds/: where the fuzzers begin.

Packets of Tests/Vectors/sample.pcap and Tests/Collectors/vectors.pcap, messages
of Tests/Vectors/nflog.txt, conntrack.txt and LinkDatagrams.swift, and some made
by hand for what those lack. How an input of fuzz-decoder is made up stands in
Sources/FuzzDecoder/DecoderRun.swift, of fuzz-capture in CaptureRun.swift, of
fuzz-netlink in NetlinkRun.swift. Texts are in text_seeds.py.
"""

import os
import random
import re
import shutil
import struct
import sys

import text_seeds

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(TESTS, "Collectors"))

from capture_file import read_frames  # noqa: E402
from packets import (  # noqa: E402
    ACK, FIN, SYN, SYN_OPTIONS, TIMESTAMP_OPTIONS, ah, dccp, esp, ethernet, filler, gre, icmp, icmpv6,
    ipv4, ipv4_fragments, ipv6, ipv6_fragments, sctp, tcp, udp, udp_lite)

# As the list in DecoderRun.swift: name, DLT number.
LINK_TYPES = [("ethernet", 1), ("raw", 12), ("sll", 113), ("sll2", 276), ("null", 0), ("loop", 108), ("ppp", 9),
              ("ppp-serial", 50), ("pppoe", 51), ("hdlc", 104), ("ppp-direction", 166), ("ipv4", 228),
              ("ipv6", 229)]
PLACE = {name: place for place, (name, _) in enumerate(LINK_TYPES)}
DLT = dict(LINK_TYPES)
RAW_IN_FILES = 101      # LINKTYPE_RAW: libpcap turns it to DLT 12

NO_TRACKING, OWN_SESSIONS = 1, 2
ONE_FLOW, SEVEN_FLOWS, MANY_FLOWS = 4, 8, 12
SECONDS, SHORT_ACTIVE, DAY = 16, 32, 48
ACTIVE_AT_END, DETAILS = 64, 128
LONGEST = 120           # octets kept of a packet: every header is among them

A4, B4 = "192.0.2.1", "198.51.100.1"
A6, B6 = "2001:db8:1::1", "2001:db8:2::1"


def first_octet(link):
    """Of an input: 'ethernet', or 'ethernet+3' where three labels are recorded."""
    name, _, labels = link.partition("+")
    return PLACE[name] + len(LINK_TYPES) * int(labels or 0)


# Steps of fuzz-decoder --------------------------------------------------------

def packet(octets, ms=None, seconds=None, wire=None, link=None, interfaces=None):
    octets = octets[:255]
    step, fields = 0, b""
    if ms is not None:
        step, fields = step | 8, fields + struct.pack("<h", ms)
    if seconds is not None:
        step, fields = step | 24, fields + struct.pack("<h", seconds)
    if wire is not None:
        step, fields = step | 32, fields + struct.pack("<I", wire)
    if link is not None:
        step, fields = step | 64, fields + bytes([PLACE[link]])
    if interfaces is not None:
        step, fields = step | 128, fields + bytes([interfaces])
    return bytes([step]) + fields + bytes([len(octets)]) + octets


def take(seconds):
    return b"\5" + struct.pack("<h", seconds)


def time(ms):
    return b"\6" + struct.pack("<q", ms)


HAND_OVER = b"\7"


# Packets ----------------------------------------------------------------------

def udp4(port=1, total=60, **header):
    return ipv4(A4, B4, *udp((port, 53), total), **header)


def udp6(port=1, extensions=(), **header):
    return ipv6(A6, B6, *udp((port, 53), 20, network=0), extensions=extensions, **header)


def tcp4(flags=ACK, port=1, options=TIMESTAMP_OPTIONS):
    return ipv4(A4, B4, *tcp((port, 80), flags, 20 + 20 + len(options) + 8, options))


def tcp6(flags=ACK, port=1, options=SYN_OPTIONS):
    return ipv6(A6, B6, *tcp((port, 80), flags, 40 + 20 + len(options) + 8, options, network=40), label=0x12345)


def link_header(name, version):
    ether = b"\x08\x00" if version == 4 else b"\x86\xdd"
    ppp = b"\x00\x21" if version == 4 else b"\x00\x57"
    family = 2 if version == 4 else 10
    return {
        "ethernet": bytes(12) + ether, "raw": b"", "ipv4": b"", "ipv6": b"",
        "sll": struct.pack(">HHH8s", 0, 1, 6, bytes(8)) + ether,
        "sll2": ether + struct.pack(">HIHBB8s", 0, 7, 1, 4, 6, bytes(8)),
        "null": struct.pack("<I", family), "loop": struct.pack(">I", family),
        "ppp": b"\xff\x03" + ppp, "ppp-serial": ppp[1:], "ppp-direction": b"\0\xff\x03" + ppp,
        "pppoe": struct.pack(">BBHH", 0x11, 0, 9, 60) + ppp, "hdlc": b"\x0f\x00" + ether,
    }[name]


def ether_type(number, octets):
    return bytes(12) + struct.pack(">H", number) + octets


def mpls(labels, octets):
    return b"".join(struct.pack(">I", label << 12 | (place == len(labels) - 1) << 8 | 64)
                    for place, label in enumerate(labels)) + octets


PAD6 = bytes.fromhex("00" "010400000000")
CHAIN = [(0, PAD6), (60, PAD6), (43, bytes.fromhex("00" "04000000" "0000")), (51, bytes.fromhex("04") + bytes(22)),
         (135, PAD6), (44, bytes(7))]


def jumbo6(length):
    """A packet of `length` octets behind the IPv6 header, with the Jumbo Payload option (RFC 2675)."""
    whole = udp6(extensions=[(0, bytes.fromhex("00" "c204") + struct.pack(">I", length))])
    return whole[:4] + b"\0\0" + whole[6:]


def late_fragments4(count, identification=0x4242):
    """Fragments behind the first of as many datagrams."""
    return [ipv4(A4, B4, 17, filler(8), identification=identification + i, offset=8) for i in range(count)]


def recorded(path):
    return [(moment, octets[:LONGEST], len(octets)) for _, moment, octets in read_frames(os.path.join(TESTS, path))]


def kind(frame):
    """What tells one packet of sample.pcap from another, roughly: its headers without addresses."""
    tagged = 4 * (frame[12:14] in (b"\x81\x00", b"\x88\xa8"))
    start = 14 + tagged
    return (frame[12:16 + tagged], frame[start:start + 2], frame[start + 6:start + 8], frame[start + 9:start + 10],
            len(frame))


def first_of_each_kind(frames):
    seen = {}
    for frame in frames:
        seen.setdefault(kind(frame[1]), frame)
    return list(seen.values())


# Seeds ------------------------------------------------------------------------

def decoder_seeds():
    yield "empty", b"", "ethernet", 0
    for name, path in (("sample", "Vectors/sample.pcap"), ("vectors", "Collectors/vectors.pcap")):
        frames = first_of_each_kind(recorded(path))
        for start in range(0, len(frames), 16):
            steps = [packet(octets, ms=7, wire=length) for _, octets, length in frames[start:start + 16]]
            yield f"{name}-{start // 16}", b"".join(steps) + take(20), "ethernet", 0

    for name, _ in LINK_TYPES:
        steps = [packet(link_header(name, version) + octets, ms=1)
                 for version, octets in ((4, udp4()), (6, tcp6()), (4, tcp4(SYN, options=SYN_OPTIONS)))]
        yield f"link-{name}", b"".join(steps), name, 0
    steps = [packet(link_header(name, 4) + udp4(), link=name, interfaces=0x21) for name, _ in LINK_TYPES]
    yield "links-mixed", b"".join(steps), "ethernet", 0

    frames = {
        "mpls": [ether_type(0x8847, mpls([16, 17], udp4())), ether_type(0x8848, mpls([18], udp6())),
                 ether_type(0x8847, mpls([19], b"\0")), ether_type(0x8847, bytes(4))],
        "pppoe": [ether_type(0x8864, link_header("pppoe", 4) + udp4()),
                  ether_type(0x8864, struct.pack(">BBHH", 0x11, 0, 9, 60) + b"\xff\x03\x21" + udp4()),
                  ether_type(0x8864, struct.pack(">BBHH", 0x11, 0, 9, 60) + b"\x02\x81" + mpls([16], tcp4())),
                  ether_type(0x8863, struct.pack(">BBHH", 0x11, 9, 0, 0))],
        "vlan": [ethernet(udp4(), [(0x8100, 0xA064)]), ethernet(udp6(), [(0x88A8, 0x60C8), (0x8100, 0x212C)]),
                 ethernet(tcp4(), [(0x9100, 1), (0x9100, 2), (0x8100, 3)]),
                 ethernet(udp4(), [(0x8100, 0), (0x8100, 5)]), ether_type(0x8100, bytes(3))],
        "snap": [ether_type(60, b"\xaa\xaa\3\0\0\0\x08\0" + udp4()), ether_type(60, b"\x42\x42\3" + bytes(9)),
                 ether_type(0x806, bytes(28)), ether_type(60, b"\xaa\xaa\3\0\0\0\0\x08")],
        "ipv6-chain": [ethernet(udp6(extensions=CHAIN)), ethernet(udp6(extensions=[(60, PAD6)] * 18)),
                       ethernet(ipv6(A6, B6, *esp(7, 60), extensions=[(139, PAD6), (140, PAD6)])),
                       ethernet(ipv6(A6, B6, 59, b"")), ethernet(ipv6(A6, B6, 0, b"\x11\xff")),
                       ethernet(ipv6(A6, B6, *icmpv6(128, 0, 72), traffic_class=0xB8, label=1))],
        "ipv4-options": [ethernet(udp4(options=bytes.fromhex("9404000001070803010203" "00"))),
                         ethernet(udp4(options=bytes.fromhex("01010100"))),
                         ethernet(udp4(options=bytes.fromhex("83ff0101"))),
                         ethernet(udp4(options=bytes.fromhex("8900" "8801")))],
        "tcp-options": [ethernet(tcp4(options=octets)) for octets in (
            bytes.fromhex("0204ffff" "0101080a0102030405060708" "1e08010203040506"), bytes.fromhex("00ff0000"),
            bytes.fromhex("05ff0101"), bytes.fromhex("fd04beef" "08000000"))],
        "protocols": [ethernet(ipv4(A4, B4, *each)) for each in (
            udp_lite((1, 2), 60), dccp((1, 2), 60), sctp((1, 2), 60), icmp(8, 0, 60), (2, b"\x16\0\0\0\xef\1\2\3"),
            esp(0xC0FFEE01, 60), ah(7, 17, 60), gre(udp4()), (4, udp4()), (250, b""))],
        "flags": [ethernet(tcp4(flags)) for flags in (SYN, ACK, FIN | ACK, 4, 0xFF)],
        "wrong": [ethernet(b"\x44" + udp4()[1:]), ethernet(b"\x65" + udp4()[1:]), ether_type(0x86DD, udp4()),
                  ethernet(udp4()[:2] + b"\0\x13" + udp4()[4:]), ethernet(udp4()[:2] + b"\0\0" + udp4()[4:]),
                  ethernet(b"\x4f" + udp4()[1:])],
    }
    for name, each in frames.items():
        yield name, b"".join(packet(octets, ms=3) for octets in each), "ethernet", 0

    paths = [ether_type(0x8847, mpls(labels, octets)) for octets in (udp4(), udp6())
             for labels in ([16], [17], [16, 17], [16, 18], [16, 17, 18, 19], list(range(20, 32)))]
    paths += [ethernet(udp4()), ether_type(0x8847, struct.pack(">I", 16 << 12 | 0xE00) * 30)]
    labelled = b"".join(packet(octets, ms=ms, interfaces=1) for ms in (1, 9000, 1, 16_000) for octets in paths)
    pieces = ipv4_fragments(ipv4(A4, B4, *udp((9001, 9002), 148), identification=0x4242), 40)
    in_paths = b"".join(packet(ether_type(0x8847, mpls([label], pieces[place])))
                        for place in (2, 1, 0) for label in (16, 17))
    for labels in (1, 3, 10):
        yield f"labels-{labels}", labelled + take(20), f"ethernet+{labels}", DETAILS
        yield f"labels-{labels}-one-flow", labelled + take(20), f"ethernet+{labels}", ONE_FLOW
    yield "labels-fragments", in_paths + HAND_OVER + take(30), "ethernet+3", ACTIVE_AT_END

    yield "jumbo", b"".join([
        packet(jumbo6(70_000), wire=70_040), packet(jumbo6(0xFFFFFFFF)), packet(jumbo6(100)),
        packet(udp4()[:2] + b"\0\0" + udp4()[4:], wire=70_000)]), "raw", 0
    for name, octets in (("4", ethernet(tcp4())), ("6", ethernet(udp6(extensions=CHAIN)))):
        cuts = [packet(octets[:cut], wire=len(octets)) for cut in range(0, len(octets), 5)]
        yield f"truncated-{name}", b"".join(cuts), "ethernet", 0
    yield "wire-lengths", b"".join(packet(udp4(), wire=wire) for wire in (0, 20, 59, 61, 1 << 31, 0xFFFFFFFF)), "raw", 0

    pieces4 = ipv4_fragments(ipv4(A4, B4, *udp((9001, 9002), 148), identification=0x4242), 40)
    pieces6 = ipv6_fragments(A6, B6, *udp((9003, 9004), 120, network=0), 40, 0x66666666)
    orders = {"in-order": (0, 1, 2), "out-of-order": (2, 1, 0), "twice": (1, 0, 0, 2, 1)}
    for name, order in orders.items():
        steps = [packet(pieces[place], ms=10) for pieces in (pieces4, pieces6) for place in order]
        yield f"fragments-{name}", b"".join(steps) + HAND_OVER + take(30), "raw", 0
        yield f"fragments-{name}-zero", b"".join(steps), "raw", NO_TRACKING
    late = b"".join(packet(octets) for octets in late_fragments4(3))
    yield "fragments-orphaned", late + packet(udp4(), seconds=6) + HAND_OVER + packet(udp4()), "raw", 0
    yield "fragments-late-first", late + HAND_OVER + packet(udp4(identification=0x4242, more=True), seconds=4) \
        + packet(late_fragments4(1)[0], seconds=31), "raw", 0
    yield "fragments-back-in-time", late + packet(udp4(identification=0x4242, more=True), seconds=-9) + late, "raw", 0
    yield "fragments-many", b"".join(packet(octets[:28]) for octets in late_fragments4(140)) \
        + packet(udp4(), seconds=6) + HAND_OVER + packet(udp4()), "raw", 0

    own = ipv4("192.0.2.1", "192.0.2.9", *udp((9995, 2055), 60))
    detailed = b"".join(packet(octets[:48], ms=3000, interfaces=interfaces & 255)
                        for interfaces in range(0, 600, 7) for octets in (udp4(interfaces % 9), udp6(interfaces % 5)))
    yield "details", detailed + take(20), "raw", DETAILS | SEVEN_FLOWS
    yield "details-fragments", b"".join(
        packet(pieces4[place], interfaces=0x11) for place in (2, 1, 0)), "raw", DETAILS
    yield "own-export", packet(own) + packet(udp4()) + packet(own), "raw", OWN_SESSIONS
    flood = b"".join(packet(udp4(port)[:28]) + packet(udp6(port)[:48], ms=1) for port in range(40))
    chance = random.Random(1)
    again = b"".join(packet(udp4(chance.randrange(72))[:24], ms=40) for _ in range(300))
    for name, settings in (("one", ONE_FLOW), ("seven", SEVEN_FLOWS), ("sixty-four", 0), ("many", MANY_FLOWS)):
        yield f"table-{name}", flood + take(16), "raw", settings
        yield f"table-{name}-again", again, "raw", settings | ACTIVE_AT_END
    timeouts = b"".join(packet(tcp4(flags), seconds=10) + take(0) for flags in (SYN, ACK, ACK, ACK, ACK, ACK, FIN, ACK))
    for name, settings in (("", 0), ("-seconds", SECONDS), ("-short-active", SHORT_ACTIVE), ("-day", DAY)):
        yield f"timeouts{name}", timeouts + take(100), "raw", settings
    yield "back-in-time", b"".join(
        packet(udp4(), seconds=step) + take(-step) for step in (5, -3, -20, 60, -70, 1)), "raw", 0
    yield "times", time(1_700_000_000_500) + packet(udp4()) + time(1_700_000_000_250) + packet(udp4()) \
        + HAND_OVER + take(0), "raw", 0


def pcap(frames, link, order="<", magic=0xA1B2C3D4, snaplen=65535):
    unit = 1 if magic == 0xA1B23C4D else 1000
    file = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snaplen, link)
    for moment, octets, length in frames:
        file += struct.pack(order + "IIII", moment // 10**9, moment % 10**9 // unit, len(octets), length) + octets
    return file


def block(order, kind, body):
    body += bytes(-len(body) % 4)
    return struct.pack(order + "II", kind, len(body) + 12) + body + struct.pack(order + "I", len(body) + 12)


def option(order, code, value):
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def pcapng(frames, link, order="<", resolution=None, offset=None, simple=False):
    options = b""
    if resolution is not None:
        options += option(order, 9, bytes([resolution]))
    if offset is not None:
        options += option(order, 14, struct.pack(order + "q", offset))
    if options:
        options += option(order, 0, b"")
    file = block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    file += block(order, 1, struct.pack(order + "HHI", link, 0, 0) + options)
    ticks = 10 ** (6 if resolution is None else resolution) if (resolution or 0) < 128 else 2 ** (resolution & 127)
    for moment, octets, length in frames:
        if simple:
            file += block(order, 3, struct.pack(order + "I", len(octets)) + octets)
            continue
        stamp = (moment - (offset or 0) * 10**9) * ticks // 10**9
        file += block(order, 6, struct.pack(
            order + "IIIII", 0, stamp >> 32, stamp & 0xFFFFFFFF, len(octets), length) + octets)
    return file


def capture_seeds():
    sample = first_of_each_kind(recorded("Vectors/sample.pcap"))
    vectors = first_of_each_kind(recorded("Collectors/vectors.pcap"))
    base = vectors[0][0]

    def made(link, packets, step=100_000_000):
        packets = [octets if link == "raw" else link_header(link, octets[0] >> 4) + octets for octets in packets]
        return [(base + place * step, octets, len(octets)) for place, octets in enumerate(packets)]

    plain = [udp4(), tcp6(SYN), udp4(2), tcp4(FIN), udp6(3)]
    few = made("ethernet", plain)
    for name, frames in (("sample", sample), ("vectors", vectors)):
        for start in range(0, len(frames), 24):
            part = frames[start:start + 24]
            yield f"{name}-{start // 24}", pcap(part, 1), start // 24
    yield "big-endian", pcap(few, 1, order=">"), 0
    yield "nanoseconds", pcap(few, 1, magic=0xA1B23C4D), 1
    yield "snaplen-short", pcap([(moment, octets[:40], length) for moment, octets, length in few], 1, snaplen=40), 2
    for settings, (name, number) in enumerate(LINK_TYPES):
        number = RAW_IN_FILES if name == "raw" else number
        yield f"link-{name}", pcap(made(name, plain), number), settings % 4
    yield "link-unknown", pcap(few, 105), 0
    yield "pcapng", pcapng(few, 1), 0
    yield "pcapng-big-endian", pcapng(few, 1, order=">"), 1
    yield "pcapng-nanoseconds", pcapng(few, 1, resolution=9), 2
    yield "pcapng-binary", pcapng(few, 1, resolution=128 + 20, offset=1_000_000_000), 3
    yield "pcapng-simple", pcapng(few, 1, simple=True), 0
    yield "pcapng-sections", pcapng(few, 1) + pcapng(few, 1, order=">"), 0
    yield "truncated", pcap(few, 1)[:-30], 0
    yield "pcapng-truncated", pcapng(few, 1)[:-30], 1
    yield "damaged", pcap(few[:2], 1) + b"\xff" * 60 + pcap(few, 1), 2
    yield "header-only", pcap([], 1), 0
    yield "empty", b"", 0
    pieces = ipv4_fragments(ipv4(A4, B4, *udp((9001, 9002), 148), identification=0x4242), 40)
    fragments = [pieces[2], pieces[1], pieces[0], *late_fragments4(3), *plain]
    yield "fragments", pcap(made("raw", fragments, step=3 * 10**9), RAW_IN_FILES), 0
    yield "fragments-zero", pcap(made("raw", fragments), RAW_IN_FILES), 4 | 1
    flood = [udp4(port)[:28] for port in range(60)]
    yield "table-full", pcap(made("raw", flood), RAW_IN_FILES), 8
    yield "timeouts-short", pcap(made("raw", plain * 4, step=700_000_000), RAW_IN_FILES), 16 | 2
    yield "templates-often", pcap(made("raw", plain * 2, step=9 * 10**9), RAW_IN_FILES), 32 | 1
    yield "filter", pcap(few, 1), 64
    cut = [(moment, octets[:cut], length) for cut, (moment, octets, length) in enumerate(few * 4)]
    yield "hardware-addresses", pcap(few, 1) + pcap(cut, 1)[24:], 128
    yield "hardware-addresses-cooked", pcap(made("sll2", plain), 276), 128 | 3
    yield "jumbo", pcap(made("raw", [jumbo6(70_000), jumbo6(0xFFFFFFFF)]), RAW_IN_FILES), 0
    yield "out-of-order", pcap(made("raw", plain * 2)[::-1], RAW_IN_FILES), 3


# Steps of fuzz-netlink --------------------------------------------------------

def datagram(step, octets):
    return bytes([step]) + struct.pack("<H", len(octets)) + octets


LOGGED, EVENT, LISTED, CENSUS, CENSUS_AGAIN, TELL, LINKS, COMPLETE = 0, 1, 2, 3, 11, 5, 6, 7
DUMP, LOST = 8, 16
BEGAN, ENDED, COUNTED, GLIMPSED = 0, 16, 32, 48
PORTS, ECHO, VERSION_6, BOTH = 0, 64, 128, 192
LITTLE_ROOM, WITH_DETAILS = 2, 4


def told(octet):
    return bytes([TELL, octet])


def later(ms):
    return b"\4" + struct.pack("<H", ms)


def recorded_messages(name):
    """By name, the datagrams of a file of Tests/Vectors."""
    with open(os.path.join(TESTS, "Vectors", name)) as file:
        blocks = [block.splitlines() for block in file.read().split("\n\n")]
    return {lines[0]: bytes.fromhex("".join(line for line in lines[1:] if not line.startswith("#")))
            for lines in blocks if not lines[0].startswith("#")}


def link_datagrams():
    with open(os.path.join(TESTS, "FlowNetfilterTests", "LinkDatagrams.swift")) as file:
        return [bytes.fromhex(digits) for digits in re.findall(r'= octets\(\s*"+([0-9a-f\s]+)"', file.read())]


def attribute(kind, payload):
    return struct.pack("<HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def netlink_seeds():
    nflog, conntrack, links = recorded_messages("nflog.txt"), recorded_messages("conntrack.txt"), link_datagrams()
    assert len(nflog) >= 8 and len(conntrack) >= 20 and len(links) >= 6
    for number, octets in enumerate(nflog.values()):
        yield f"nflog-{number}", datagram(LOGGED, octets) * 2, WITH_DETAILS if number % 2 else 0
    yield "nflog-all", b"".join(datagram(LOGGED, octets) for octets in nflog.values()), WITH_DETAILS
    packet = nflog["FORWARD, cut after 160 octets"]
    connection = conntrack["new: ICMP, source and identifier translated"]
    whole = packet[16:] + attribute(0x8012, connection[20:])
    whole = struct.pack("<IHHII", 16 + len(whole), 0x400, 0, 0, 0) + whole
    yield "nflog-connection", datagram(LOGGED, whole) + later(1500) + datagram(LOGGED, whole) + later(1500) \
        + datagram(EVENT, connection) + later(3000), 0
    yield "nflog-many", datagram(LOGGED, nflog["OUTPUT, of user 1000"] * 130), 0

    begins = [octets for name, octets in conntrack.items() if name.startswith("new: ")]
    ends = [octets for name, octets in conntrack.items() if name.startswith("destroy: ")]
    listings = [octets for name, octets in conntrack.items() if name.startswith("listing")]
    for number, octets in enumerate(begins + ends):
        yield f"conntrack-{number}", datagram(EVENT, octets), 0
    events = b"".join(datagram(EVENT, octets) for octets in begins) + later(500) \
        + b"".join(datagram(EVENT, octets) for octets in ends)
    census = bytes([CENSUS]) + b"".join(datagram(LISTED, octets) for octets in listings)
    yield "conntrack-all", events, 0
    yield "conntrack-little-room", events, LITTLE_ROOM
    yield "census", census + bytes([CENSUS_AGAIN]), 0
    yield "census-and-events", census + events + bytes([CENSUS_AGAIN]) + later(3000) + census, 0
    yield "census-after-events", events + census + bytes([CENSUS_AGAIN]), 0

    for name, kind in (("ports", PORTS), ("echo", ECHO), ("6", VERSION_6), ("both", BOTH)):
        lives = b"".join(told(kind | number | BEGAN) for number in range(16)) \
            + b"".join(bytes([COMPLETE, kind | octet]) for octet in range(48)) \
            + b"".join(told(kind | number | ENDED) for number in range(0, 16, 3))
        yield f"tell-{name}", lives + later(1000) + lives + later(1500) + lives, 0
        yield f"tell-{name}-little-room", lives + later(1000) + lives, LITTLE_ROOM
    orders = [(GLIMPSED, BEGAN, ENDED), (BEGAN, BEGAN, ENDED, ENDED), (ENDED, COUNTED), (COUNTED, BEGAN, ENDED),
              (GLIMPSED, COUNTED, BEGAN), (BEGAN, ENDED, BEGAN, ENDED, COUNTED)]
    yield "orders", b"".join(
        told(number | what) + later(300) + bytes([CENSUS_AGAIN])
        for number, order in enumerate(orders) for what in order), 0
    chance = random.Random(2)
    yield "tell-anything", b"".join(
        chance.choice([told(chance.randrange(256)), later(chance.randrange(3000)), bytes([CENSUS_AGAIN]),
                       bytes([COMPLETE, chance.randrange(256)])]) for _ in range(500)), 0

    for number, octets in enumerate(links):
        yield f"links-{number}", datagram(LINKS | (DUMP if number < 2 else 0), octets), 0
    yield "links-all", b"".join(datagram(LINKS, octets) for octets in links), 0
    yield "links-dump", datagram(LINKS | DUMP, links[0]) + datagram(LINKS | LOST, links[2]) \
        + datagram(LINKS, links[1]) + datagram(LINKS | DUMP, links[0][:152]) + datagram(LINKS, links[1]), 0
    yield "empty", b"", 0


def main():
    inputs = [("decoder", name, bytes([first_octet(link), settings]) + steps)
              for name, steps, link, settings in decoder_seeds()]
    inputs += [("capture", name, file + bytes([settings])) for name, file, settings in capture_seeds()]
    inputs += [("netlink", name, bytes([settings]) + steps) for name, steps, settings in netlink_seeds()]
    inputs += text_seeds.seeds(recorded_messages("rules.txt"))
    for target in sorted({target for target, _, _ in inputs}):
        shutil.rmtree(os.path.join(HERE, "Seeds", target), ignore_errors=True)
        os.makedirs(os.path.join(HERE, "Seeds", target))
    for target, name, octets in inputs:
        with open(os.path.join(HERE, "Seeds", target, name), "xb") as file:
            file.write(octets)


if __name__ == "__main__":
    main()
