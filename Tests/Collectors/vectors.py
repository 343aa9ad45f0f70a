#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes vectors.pcap: a small capture in which every kind of flow occurs.

What flowprobe must make of it stands in expected.txt, written by hand from the
calls below: the IP length and the time of each packet are there to be read.
The capture is cut at 160 octets a packet, so a meter that counts captured
octets instead of the IP length gives itself away.
"""

import os
import struct

from capture_file import write_pcap
from packets import (
    ACK, FIN, PSH, RST, SYN, SYN_OPTIONS, TIMESTAMP_OPTIONS, IPV6_HEADER, address, ah, dccp,
    esp, ethernet, gre, icmp, icmpv6, ipv4, ipv4_fragments, ipv6, ipv6_fragments,
    pseudo_header, sctp, summed, tcp, udp, udp_lite)

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "vectors.pcap")
EPOCH = 1_700_000_000 - 20      # 2023-11-14 22:13:00 UTC; times below are seconds of it
SNAPLEN = 160

CHECKSUM_AT = {6: 16, 17: 6, 58: 2}
frames = []


def at(seconds, packet, tags=()):
    frames.append((EPOCH * 10**9 + round(seconds * 10**9), ethernet(packet, tags)))


def v4(source, destination, transport, **header):
    protocol, payload = transport
    if protocol in (6, 17):
        pseudo = pseudo_header(source, destination, protocol, len(payload))
        payload = summed(payload, CHECKSUM_AT[protocol], pseudo)
    return ipv4(source, destination, protocol, payload, **header)


def v6(source, destination, transport, **header):
    protocol, payload = transport
    pseudo = pseudo_header(source, destination, protocol, len(payload))
    payload = summed(payload, CHECKSUM_AT[protocol], pseudo)
    return ipv6(source, destination, protocol, payload, **header)


def tcp_flows():
    client, server = "192.0.2.1", "198.51.100.80"
    out, back = (40001, 443), (443, 40001)
    late = TIMESTAMP_OPTIONS
    at(20.123, v4(client, server, tcp(out, SYN, 60, SYN_OPTIONS)))
    at(20.173, v4(server, client, tcp(back, SYN | ACK, 60, SYN_OPTIONS)))
    at(20.223, v4(client, server, tcp(out, ACK, 52, late)))
    at(20.323, v4(client, server, tcp(out, PSH | ACK, 500, late)))
    at(20.333, v4(server, client, tcp(back, ACK, 52, late)))
    at(20.423, v4(server, client, tcp(back, PSH | ACK, 1500, late)))
    at(20.987, v4(client, server, tcp(out, FIN | ACK, 52, late)))
    at(20.990, v4(server, client, tcp(back, FIN | ACK, 52, late)))
    # Refused: SYN one way, RST the other; no options.
    at(21.001, v4("192.0.2.1", "198.51.100.81", tcp((40002, 8080), SYN, 40)))
    at(21.002, v4("198.51.100.81", "192.0.2.1", tcp((8080, 40002), RST | ACK, 40)))


def other_transports():
    at(21.500, v4("192.0.2.2", "198.51.100.53", udp((53001, 53), 68)))
    at(21.507, v4("198.51.100.53", "192.0.2.2", udp((53, 53001), 180)))
    for packet in range(10):
        at(21.600 + packet * 0.020, v4("192.0.2.3", "198.51.100.3", udp((16384, 16386), 200),
                                       tos=0xB8))
    at(22.100, v4("192.0.2.4", "198.51.100.4", sctp((36412, 36422), 100)))
    at(22.345, v4("192.0.2.4", "198.51.100.4", sctp((36412, 36422), 60)))
    at(22.400, v4("192.0.2.4", "198.51.100.5", udp_lite((7001, 7002), 128)))
    at(22.410, v4("192.0.2.4", "198.51.100.6", dccp((6001, 6002), 80)))


def portless():
    for beat in range(3):
        at(22.500 + beat * 1.001, v4("192.0.2.6", "198.51.100.7", icmp(8, 0, 84)))
        at(22.511 + beat * 1.001, v4("198.51.100.7", "192.0.2.6", icmp(0, 0, 84)))
    refused = v4("192.0.2.2", "198.51.100.53", udp((53001, 9), 40))
    at(22.600, v4("198.51.100.53", "192.0.2.2", icmp(3, 3, 68, rest=bytes(4) + refused)))
    # An IGMPv2 report with the Router Alert option (148), as hosts send it.
    report = summed(struct.pack(">BBH4s", 0x16, 0, 0, address("239.1.2.3")), 2)
    at(22.700, ipv4("192.0.2.8", "239.1.2.3", 2, report, tos=0xC0,
                    options=bytes.fromhex("94040000")))
    at(22.800, v4("192.0.2.9", "198.51.100.9", esp(0xC0FFEE01, 136)))
    at(22.925, v4("192.0.2.9", "198.51.100.9", esp(0xC0FFEE01, 152)))
    at(23.000, v4("192.0.2.10", "198.51.100.10", ah(0x1234, 50, 104)))
    inner = v4("10.1.1.1", "10.2.2.2", udp((1111, 1112), 76))
    at(23.050, v4("192.0.2.11", "198.51.100.11", gre(inner)))
    at(23.080, v4("192.0.2.11", "198.51.100.11", gre(inner)))


def tagged():
    at(23.100, v4("192.0.2.12", "198.51.100.12", udp((5004, 5005), 120)), [(0x8100, 0xA064)])
    at(23.200, v4("192.0.2.12", "198.51.100.12", udp((5004, 5005), 130)), [(0x8100, 0xA064)])
    double = [(0x88A8, 0x60C8), (0x8100, 0x212C)]
    at(23.300, v4("192.0.2.13", "198.51.100.13", udp((5006, 5007), 140)), double)


def version6():
    source, destination = "2001:db8:1::1", "2001:db8:2::443"
    for seconds, flags, total in [(23.400, SYN, 60), (23.456, ACK, 60), (23.789, PSH | ACK, 1280)]:
        at(seconds, v6(source, destination, tcp((50001, 443), flags, total, network=IPV6_HEADER),
                       traffic_class=0x28, label=0xABCDE))
    at(23.800, v6("2001:db8:1::2", "2001:db8:2::53",
                  udp((50002, 53), 90, network=IPV6_HEADER)))
    at(23.850, v6("2001:db8:1::3", "2001:db8:2::3", icmpv6(128, 0, 104)))
    at(23.860, v6("2001:db8:2::4", "2001:db8:1::4", icmpv6(1, 4, 152)))
    # Hop-by-hop, destination options, routing (type 4, no segments left), then UDP.
    pad = bytes.fromhex("00" "010400000000")
    routing = bytes.fromhex("02" "04" "00" "00000000") + address("2001:db8:2::5")
    at(23.900, v6("2001:db8:1::5", "2001:db8:2::5", udp((50003, 50004), 200, network=80),
                  extensions=[(0, pad), (60, pad), (43, routing)]))


def fragments():
    whole = v4("192.0.2.14", "198.51.100.14", udp((9001, 9002), 3508), identification=0x4242)
    for index, piece in enumerate(ipv4_fragments(whole, 1480)):
        at(24.000 + index * 0.001, piece)
    source, destination = "2001:db8:1::6", "2001:db8:2::6"
    protocol, payload = udp((9003, 9004), 2000, network=0)
    pseudo = pseudo_header(source, destination, protocol, len(payload))
    payload = summed(payload, CHECKSUM_AT[protocol], pseudo)
    for index, piece in enumerate(
            ipv6_fragments(source, destination, protocol, payload, 1232, 0x66666666)):
        at(24.100 + index * 0.004, piece)


def timeouts():
    # Twenty nine seconds of silence: two records of one flow.
    for seconds in (25.100, 25.200, 55.100):
        at(seconds, v4("192.0.2.20", "198.51.100.20", udp((4510, 4511), 100)))
    # Never silent for long, sixty seconds pass at 80.600: two records.
    for seconds in (20.600, 30.600, 40.600, 50.600, 60.600, 70.600, 80.000, 84.600):
        at(seconds, v4("192.0.2.21", "198.51.100.21", udp((4600, 4601), 1000)))
    # Still there at the end of the file, one of them after its FIN.
    at(81.000, v4("192.0.2.22", "198.51.100.22", tcp((41000, 22), SYN, 40)))
    at(84.000, v4("192.0.2.23", "198.51.100.23", tcp((41001, 25), ACK, 40)))
    at(85.999, v4("192.0.2.23", "198.51.100.23", tcp((41001, 25), FIN | ACK, 40)))


def build():
    frames.clear()
    for part in (tcp_flows, other_transports, portless, tagged, version6, fragments, timeouts):
        part()
    return sorted(frames, key=lambda frame: frame[0])


if __name__ == "__main__":
    write_pcap(PATH, build(), snaplen=SNAPLEN)
