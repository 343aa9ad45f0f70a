# SPDX-License-Identifier: Apache-2.0
"""tshark dissects the messages out of a capture file."""

import datetime
import ipaddress
import json
import os

import exporter

from .base import Collector, mac, run

UTC = datetime.timezone.utc
NUMBERS = {
    "proto": "protocol", "sport": "srcport", "dport": "dstport", "packets": "packets",
    "octets": "octets", "flags": "tcpflags", "tos": "tos", "input": "inputint",
    "output": "outputint", "version": "ip_version", "reason": "flow_end_reason",
    "vlan": "vlanid", "dot1q": "dot1q_vlan_id", "pcp": "dot1q_priority",
    "inner": "dot1q_customer_vlan_id", "innerpcp": "dot1q_customer_priority",
    "label": "ipv6flowlabel", "exthdrs": "ipv6_exthdr", "spi": "ipsec_spi", "igmp": "igmp_type",
    "ethertype": "ethernet_type", "direction": "direction",
    "physin": "ingress_physical_interface", "physout": "egress_physical_interface"}


class Tshark(Collector):
    name = "tshark"
    programs = ("tshark",)

    def read(self, export, directory):
        path = os.path.join(directory, "export.pcap")
        export.write_pcap(path)
        rows, complaints = [], []
        for number, layers in enumerate(dissect(path), 1):
            message = layers.get("cflow")
            if not isinstance(message, dict):
                complaints.append(f"message {number} is not dissected")
                continue
            complaints += [f"message {number}: {text}" for text in expert_words(layers)]
            rows += [row(flow, message) for flow in flow_trees(message)]
        return rows, complaints


def dissect(path):
    """The layers of each packet."""
    output = run(["tshark", "-r", path, "-d", f"udp.port=={exporter.COLLECTOR_PORT},cflow",
                  "-T", "json", "-J", "frame cflow"])
    return [packet["_source"]["layers"] for packet in json.loads(output)]


def expert_words(tree):
    """Everything Wireshark finds wrong: malformed, expert items, no template."""
    for key, value in tree.items():
        if key.startswith("_ws.") or "no_template" in key or "no template" in key.lower():
            yield key
        if isinstance(value, dict):
            yield from expert_words(value)


def flow_trees(message):
    """The trees of flow records; those of options data have a scope in them."""
    for key, value in message.items():
        if not isinstance(value, dict):
            continue
        if key.startswith("pdu "):
            yield value
        elif "cflow.flowset_id" in value and int(value["cflow.flowset_id"]) >= 256:
            for name, tree in value.items():
                if name.startswith("Flow ") and isinstance(tree, dict) and has_addresses(tree):
                    yield tree


def has_addresses(tree):
    return "cflow.srcaddr" in tree or "cflow.srcaddrv6" in tree


def row(tree, message):
    flow = {field: int(tree.get(f"cflow.{name}", "0"), 0) for field, name in NUMBERS.items()}
    flow["src"] = tree.get("cflow.srcaddr") or tree.get("cflow.srcaddrv6")
    flow["dst"] = tree.get("cflow.dstaddr") or tree.get("cflow.dstaddrv6")
    hop = tree.get("cflow.nexthop") or tree.get("cflow.nexthopv6")
    flow["nexthop"] = hop and int(ipaddress.ip_address(hop))
    flow["icmp"] = icmp(tree)
    flow["tcpopts"], flow["ipopts"] = octets(tree, "tcp_option_map"), octets(tree, "option_map")
    flow["srcmac"] = mac(tree.get("cflow.srcmac", "0"))
    flow["dstmac"] = mac(tree.get("cflow.dstmac", "0"))
    times = tree.get("cflow.timedelta_tree", {})
    if "cflow.abstimestart" in times:
        flow["start"] = absolute(times["cflow.abstimestart"])
        flow["end"] = absolute(times["cflow.abstimeend"])
    else:
        flow["start"] = uptime_clock(times["cflow.timestart"], message)
        flow["end"] = uptime_clock(times["cflow.timeend"], message)
    return flow


def icmp(tree):
    for version in ("ipv4", "ipv6"):
        if f"cflow.icmp_{version}_type" in tree:
            return int(tree[f"cflow.icmp_{version}_type"]) * 256 \
                + int(tree[f"cflow.icmp_{version}_code"])
    return int(tree.get("cflow.icmp_type_code_ipv4", "0"), 0)


def octets(tree, name):
    return int(tree.get(f"cflow.{name}", "0").replace(":", ""), 16)


def absolute(text):
    """'Nov 14, 2023 22:13:20.123000000 UTC' in Unix milliseconds."""
    moment, _, fraction = text.removesuffix(" UTC").partition(".")
    whole = datetime.datetime.strptime(moment, "%b %d, %Y %H:%M:%S").replace(tzinfo=UTC)
    return int(whole.timestamp()) * 1000 + int(fraction[:3])


def uptime_clock(text, message):
    """Seconds since the exporter's start, as printed, in Unix milliseconds."""
    header = message["cflow.timestamp_tree"]
    now = int(header["cflow.unix_secs"]) * 1000 + int(header.get("cflow.unix_nsecs", "0")) // 10**6
    boot = now - thousandths(message["cflow.sysuptime"])
    return boot + thousandths(text)


def thousandths(text):
    seconds, _, fraction = text.partition(".")
    return int(seconds) * 1000 + int(fraction[:3])
