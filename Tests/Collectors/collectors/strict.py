# SPDX-License-Identifier: Apache-2.0
"""This project's own strict decoder (wire.py, wire5.py): it shows every field."""

import ipaddress

import wire
import wire5

from .base import Collector

ELEMENTS = {
    "proto": 4, "sport": 7, "dport": 11, "packets": 2, "octets": 1, "flags": 6, "tos": 5,
    "input": 10, "output": 14, "version": 60, "reason": 136, "vlan": 58, "dot1q": 243, "pcp": 244,
    "inner": 245, "innerpcp": 246, "label": 31, "exthdrs": 64, "tcpopts": 209, "ipopts": 208,
    "spi": 295, "igmp": 33, "srcmac": 56, "dstmac": 80, "ethertype": 256,
    "direction": 61, "physin": 252, "physout": 253}


class StrictDecoder(Collector):
    name = "strict decoder"

    def read(self, export, directory):
        complaints = []
        if len(export.sources) != 1:
            # Filebeat, goflow2, SiLK and tshark take each source port for another exporter.
            complaints.append(f"sent from {len(export.sources)} ports")
        if export.protocol == "v5":
            decoder = wire5.decode(export.datagrams)
            rows = [v5_row(flow) for flow in decoder.flows]
        else:
            decoder = wire.decode(export.datagrams, export.protocol)
            rows = [row(record, export.protocol) for record in decoder.flows]
        return rows, complaints + decoder.violations


def address(record, *identifiers):
    for identifier in identifiers:
        if record.octets(identifier) is not None:
            return str(ipaddress.ip_address(record.octets(identifier)))
    return None


def row(record, protocol):
    flow = {field: record.number(identifier) for field, identifier in ELEMENTS.items()}
    flow["src"], flow["dst"] = address(record, 8, 27), address(record, 12, 28)
    flow["nexthop"] = int.from_bytes(record.octets(15) or record.octets(62) or b"\1", "big")
    flow["icmp"] = record.number(32) or record.number(139)
    flow["start"], flow["end"] = times(record, protocol)
    return flow


def times(record, protocol):
    """First and last time of a flow in Unix milliseconds."""
    if protocol == "ipfix":
        return record.number(152), record.number(153)
    # RFC 3954 section 8: milliseconds of the clock that sysUptime counts.
    boot = record.header["time"] * 1000 - record.header["uptime"]
    return boot + record.number(22), boot + record.number(21)


def v5_row(flow):
    flow = dict(flow, nexthop=int.from_bytes(flow["nexthop"], "big"))
    flow["src"] = str(ipaddress.ip_address(flow["src"]))
    flow["dst"] = str(ipaddress.ip_address(flow["dst"]))
    return flow
