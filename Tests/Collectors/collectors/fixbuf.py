# SPDX-License-Identifier: Apache-2.0
"""libfixbuf's ipfixDump reads an IPFIX file: the messages one after the other.

IPFIX alone: the library can read v5 and v9 from a socket, the tool cannot; given
a v9 stream it says "Illegal IPFIX Message version 0x09".
"""

import datetime
import ipaddress
import os
import re

from .base import Collector, mac, run

UTC = datetime.timezone.utc
ELEMENTS = {
    "proto": "protocolIdentifier", "sport": "sourceTransportPort",
    "dport": "destinationTransportPort", "packets": "packetDeltaCount",
    "octets": "octetDeltaCount", "flags": "tcpControlBits", "tos": "ipClassOfService",
    "input": "ingressInterface", "output": "egressInterface", "version": "ipVersion",
    "reason": "flowEndReason", "vlan": "vlanId", "dot1q": "dot1qVlanId", "pcp": "dot1qPriority",
    "inner": "dot1qCustomerVlanId", "innerpcp": "dot1qCustomerPriority", "label": "flowLabelIPv6",
    "exthdrs": "ipv6ExtensionHeaders", "tcpopts": "tcpOptions", "ipopts": "ipv4Options",
    "spi": "IPSecSPI", "igmp": "igmpType", "ethertype": "ethernetType",
    "direction": "flowDirection", "physin": "ingressPhysicalInterface",
    "physout": "egressPhysicalInterface"}
VALUE = re.compile(r"^\t\(\d+(?:/\d+)?\)\s+(?:\(S\)\s+)?(\S+) : (.*)$")


class IPFIXDump(Collector):
    name = "libfixbuf"
    programs = ("ipfixDump",)
    protocols = ("ipfix",)

    def read(self, export, directory):
        path = os.path.join(directory, "export.ipfix")
        export.write_stream(path)
        text = run(["ipfixDump", "--in", path]).decode()
        rows = [row(record) for record in records(text) if "protocolIdentifier" in record]
        return rows, [line.strip() for line in text.splitlines()
                      if re.search(r"not found|error|warning", line, re.IGNORECASE)]


def records(text):
    """Each data record as {element name: value printed}."""
    record = None
    for line in text.splitlines():
        if line.startswith("---"):
            if record:
                yield record
            record = {} if "data record" in line else None
        elif record is not None and (match := VALUE.match(line)):
            record[match[1]] = match[2]
    if record:
        yield record


def row(record):
    flow = {field: int(record.get(name, "0"), 0) for field, name in ELEMENTS.items()}
    flow["src"] = address(record, "sourceIPv4Address", "sourceIPv6Address")
    flow["dst"] = address(record, "destinationIPv4Address", "destinationIPv6Address")
    flow["nexthop"] = int(ipaddress.ip_address(
        address(record, "ipNextHopIPv4Address", "ipNextHopIPv6Address")))
    flow["icmp"] = int(record.get("icmpTypeCodeIPv4") or record.get("icmpTypeCodeIPv6") or 0)
    flow["srcmac"] = mac(record.get("sourceMacAddress", "0"))
    flow["dstmac"] = mac(record.get("destinationMacAddress", "0"))
    flow["start"] = milliseconds(record["flowStartMilliseconds"])
    flow["end"] = milliseconds(record["flowEndMilliseconds"])
    return flow


def address(record, *names):
    for name in names:
        if name in record:
            return str(ipaddress.ip_address(record[name]))
    return "::1"                                        # absent: equal to nothing expected


def milliseconds(text):
    """'2023-11-14 22:13:20.123'"""
    moment, _, fraction = text.partition(".")
    whole = datetime.datetime.strptime(moment, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return int(whole.timestamp()) * 1000 + int(fraction[:3])
