# SPDX-License-Identifier: Apache-2.0
"""tshark reads a capture as truth.py does: the measure measured."""

import ipaddress
import subprocess

import truth
from collectors.base import CollectorFailure, run

FIELDS = ("ip.src", "ip.dst", "ip.proto", "ip.len", "ip.frag_offset", "ipv6.src", "ipv6.dst",
          "ipv6.nxt", "ipv6.plen", "ipv6.fraghdr.offset", "icmp.type", "icmp.code",
          "icmpv6.type", "icmpv6.code", "frame.protocols", "frame.time_epoch")
# Where the next header of an IPv6 extension header stands.
NEXT_HEADER = {0: "ipv6.hopopts.nxt", 43: "ipv6.routing.nxt", 44: "ipv6.fraghdr.nxt",
               51: "ah.next_header", 60: "ipv6.dstopts.nxt"}
PORTS = {6: "tcp", 17: "udp", 33: "dccp", 132: "sctp", 136: "udp"}


def tshark_totals(path):
    """Totals per 5-tuple without fragment tracking, of the outermost headers."""
    fields = [*FIELDS, *NEXT_HEADER.values(),
              *(f"{name}.{side}port" for name in set(PORTS.values()) for side in ("src", "dst"))]
    command = ["tshark", "-r", path, "-T", "fields", "-E", "occurrence=f", "-E", "separator=/t",
               "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE"]
    for field in fields:
        command += ["-e", field]
    totals = {}
    for line in run(command).decode().splitlines():
        packet = dict(zip(fields, line.split("\t")))
        flow = flow_of(packet)
        if flow:
            key, octets = flow
            seconds, _, fraction = (packet["frame.time_epoch"] or "0.000").partition(".")
            time = int(seconds) * 1000 + int(fraction[:3])
            truth.add(totals, key, 1, octets, time, time)
    return totals


def flow_of(packet):
    def number(field):
        return int(packet[field] or "0", 0)

    layers = packet["frame.protocols"].split(":")
    outer = next((layer for layer in layers if layer in ("ip", "ipv6")), None)
    if outer == "ip":
        source, destination, later = packet["ip.src"], packet["ip.dst"], number("ip.frag_offset")
        protocol, octets = number("ip.proto"), number("ip.len")
    elif outer == "ipv6":
        source, destination = packet["ipv6.src"], packet["ipv6.dst"]
        protocol, octets = number("ipv6.nxt"), number("ipv6.plen") + 40
        later = number("ipv6.fraghdr.offset")
        while protocol in NEXT_HEADER and packet[NEXT_HEADER[protocol]]:
            fragment = protocol == 44
            protocol = number(NEXT_HEADER[protocol])
            if fragment and later:
                break
    else:
        return None
    sport = dport = 0
    if protocol in PORTS and not later:
        sport = number(f"{PORTS[protocol]}.srcport")
        dport = number(f"{PORTS[protocol]}.dstport")
    elif protocol in (1, 58) and not later:
        name = "icmp" if protocol == 1 else "icmpv6"
        dport = number(f"{name}.type") * 256 + number(f"{name}.code")
    key = (ipaddress.ip_address(source).packed, ipaddress.ip_address(destination).packed,
           sport, dport, protocol)
    return key, octets


def check(report, path, name, differences):
    """`differences` compares two totals."""
    title = f"{name}: tshark and this test count the same in the capture"
    try:
        counted = tshark_totals(path)
    except (CollectorFailure, subprocess.TimeoutExpired, ValueError) as error:
        report.check(title, [error])
        return
    report.check(title, differences(truth.read(path, track_fragments=False).totals, counted))
