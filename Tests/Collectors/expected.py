# SPDX-License-Identifier: Apache-2.0
"""Reads expected.txt, and tells what of a flow each protocol can carry."""

import datetime
import ipaddress
import os

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "expected.txt")
DAY = datetime.datetime(2023, 11, 14, tzinfo=datetime.timezone.utc)

ICMP_PROTOCOLS = (1, 58)

# The addresses of every frame of the capture; recorded with --mac alone.
MACS = {"srcmac": 0x020000000001, "dstmac": 0x020000000002}
ETHERTYPES = {4: 0x0800, 6: 0x86DD}

# What a record may hold; 0 where it is absent. `dot1q` is element 243, `vlan` is 58,
# `version` is 60, `icmp` is type * 256 + code, `ethertype` is 256, where tags or MACs are,
# `physin` and `physout` are 252 and 253.
EVERY_FIELD = (
    "src", "dst", "proto", "sport", "dport", "icmp", "packets", "octets", "start", "end", "flags",
    "tos", "input", "output", "nexthop", "version", "reason", "vlan", "dot1q", "pcp", "inner",
    "innerpcp", "label", "exthdrs", "tcpopts", "ipopts", "spi", "igmp", "srcmac", "dstmac",
    "ethertype", "direction", "physin", "physout")

NOT_IN_V9 = ("icmp", "reason", "dot1q", "pcp", "inner", "innerpcp")
IN_V5 = ("src", "dst", "proto", "sport", "dport", "packets", "octets", "start", "end", "flags",
         "tos", "input", "output", "nexthop")


def carried(protocol):
    """The fields that records of `protocol` can carry."""
    if protocol == "v5":
        return IN_V5
    return tuple(f for f in EVERY_FIELD if protocol == "ipfix" or f not in NOT_IN_V9)


def milliseconds(clock):
    """'22:13:20.123' of the day of the capture, in Unix milliseconds."""
    hours, minutes, rest = clock.split(":")
    seconds, thousandths = rest.split(".")
    return int(DAY.timestamp()) * 1000 + int(hours) * 3_600_000 + int(minutes) * 60_000 \
        + int(seconds) * 1000 + int(thousandths)


def parse(line):
    name, *words = line.split()
    flow = {"name": name}
    for word in words:
        key, _, value = word.partition("=")
        if key in ("src", "dst"):
            flow[key] = str(ipaddress.ip_address(value))
        elif key in ("start", "end"):
            flow[key] = milliseconds(value)
        elif key == "icmp":
            kind, code = value.split(".")
            flow[key] = int(kind) * 256 + int(code)
        else:
            flow[key] = int(value, 0)
    unknown = flow.keys() - set(EVERY_FIELD) - {"name"}
    if unknown:
        raise ValueError(f"expected.txt: {name}: {unknown}")
    flow["version"] = ipaddress.ip_address(flow["src"]).version
    flow["dot1q"] = flow.get("vlan", 0)
    if flow["dot1q"]:
        flow["ethertype"] = ETHERTYPES[flow["version"]]
    return {field: flow.get(field, 0) for field in ("name", *EVERY_FIELD)}


def flows(protocol, mac=False):
    """The expected flows as `protocol` carries them, fields it has not left out.

    With `mac` as of a probe that records MAC addresses.
    """
    with open(PATH, encoding="utf-8") as file:
        lines = [line for line in file if line.strip() and not line.startswith("#")]
    return [view(with_macs(flow) if mac else flow, protocol) for flow in map(parse, lines)
            if protocol != "v5" or flow["version"] == 4]


def with_macs(flow):
    return dict(flow, ethertype=ETHERTYPES[flow["version"]], **MACS)


def view(flow, protocol):
    flow = dict(flow)
    if protocol != "ipfix" and flow["proto"] in ICMP_PROTOCOLS:
        # v5 and v9 have no field of its own for it.
        flow["dport"] = flow["icmp"]
    return {field: flow[field] for field in ("name", *carried(protocol))}
