# SPDX-License-Identifier: Apache-2.0
"""A small exporter of known flows, by which the readers of these tests are tested.

It is written from the RFCs for this purpose alone: what it sends is known to be
right, so a reader that shows something else is wrong.
"""

import ipaddress
import struct

import wire5
from exporter import Export

# field: (element, octets), in the order of the record
COMMON = {"proto": (4, 1), "tos": (5, 1), "input": (10, 4), "output": (14, 4), "packets": (2, 8),
          "octets": (1, 8), "version": (60, 1)}
PORTS = {"sport": (7, 2), "dport": (11, 2), "flags": (6, 1)}
ADDRESSES = {4: {"src": (8, 4), "dst": (12, 4), "nexthop": (15, 4)},
             6: {"src": (27, 16), "dst": (28, 16), "nexthop": (62, 16)}}
TIMES = {"ipfix": {"start": (152, 8), "end": (153, 8)}, "v9": {"start": (22, 4), "end": (21, 4)}}
OPTIONAL = {"reason": (136, 1), "vlan": (58, 2), "dot1q": (243, 2), "pcp": (244, 1),
            "inner": (245, 2), "innerpcp": (246, 1), "label": (31, 4), "exthdrs": (64, 4),
            "tcpopts": (209, 8), "ipopts": (208, 4), "spi": (295, 4), "igmp": (33, 1),
            "srcmac": (56, 6), "dstmac": (80, 6), "ethertype": (256, 2), "direction": (61, 1),
            "physin": (252, 4), "physout": (253, 4)}
SAMPLING = [((34, 4), 1), ((35, 1), 1), ((48, 1), 1), ((49, 1), 1), ((50, 4), 1)]

NOW = 1_700_000_100                 # after all flows
UPTIME = 4_000_000                  # milliseconds


def export(flows, protocol):
    """An Export of `flows` (see expected.py), a message for every few of them."""
    size = 30 if protocol == "v5" else 6
    groups = [flows[start:start + size] for start in range(0, len(flows), size)]
    make = {"v5": v5_messages, "v9": v9_messages, "ipfix": ipfix_messages}[protocol]
    return Export(protocol, list(make(groups)), {("127.0.0.1", 40000)}, "")


def fields(flow, protocol):
    """{field: (element, octets)} of the record of one flow."""
    layout = {**ADDRESSES[flow["version"]], **TIMES[protocol], **COMMON}
    if flow["proto"] in (1, 58) and protocol == "ipfix":
        layout["icmp"] = (32 if flow["version"] == 4 else 139, 2)
    elif flow["proto"] in (1, 58, 6, 17, 33, 132, 136):
        layout.update(PORTS)
        if flow["proto"] == 1 and protocol == "v9":
            layout["icmp"] = (32, 2)
    layout.update({field: element for field, element in OPTIONAL.items() if flow.get(field)})
    return layout


def record(flow, protocol):
    octets = b""
    for field, (_, length) in fields(flow, protocol).items():
        # In v9 a flow has no field of this name: the destination port is it.
        value = flow["dport"] if field == "icmp" and protocol == "v9" else flow[field]
        if field in ("src", "dst"):
            octets += ipaddress.ip_address(value).packed
        else:
            if protocol == "v9" and field in ("start", "end"):
                value = uptime(value)
            octets += value.to_bytes(length, "big")
    return octets


def uptime(time):
    """Unix milliseconds as milliseconds of the clock that sysUptime counts."""
    return time - NOW * 1000 + UPTIME


def template(identifier, elements):
    return struct.pack(">HH", identifier, len(elements)) \
        + b"".join(struct.pack(">HH", *element) for element in elements)


def a_set(identifier, body, pad=False):
    body += bytes(-len(body) % 4 if pad else 0)
    return struct.pack(">HH", identifier, 4 + len(body)) + body


def data_sets(flows, protocol, templates, template_set):
    """The sets of some flows, new templates first; how many records they hold."""
    sets, records = b"", len(flows)
    for flow in flows:
        elements = tuple(fields(flow, protocol).values())
        if elements not in templates:
            templates[elements] = 257 + len(templates)
            sets += a_set(template_set, template(templates[elements], elements))
            records += protocol == "v9"
        sets += a_set(templates[elements], record(flow, protocol), pad=protocol == "v9")
    return sets, records


def ipfix_messages(groups):
    elements, values = zip(*SAMPLING)
    options = struct.pack(">HHHHH", 256, 1 + len(elements), 1, 149, 4) \
        + b"".join(struct.pack(">HH", *element) for element in elements)
    sets = a_set(3, options) + a_set(256, struct.pack(">I", 7) + sampling(elements, values))
    yield ipfix_message(sets, 0)
    sequence, templates = 1, {}
    for flows in groups:
        sets, records = data_sets(flows, "ipfix", templates, 2)
        yield ipfix_message(sets, sequence)
        sequence += records


def ipfix_message(sets, sequence):
    return struct.pack(">HHIII", 10, 16 + len(sets), NOW, sequence, 7) + sets


def v9_messages(groups):
    elements, values = zip(*SAMPLING)
    options = struct.pack(">HHHHH", 256, 4, 4 * len(elements), 1, 4) \
        + b"".join(struct.pack(">HH", *element) for element in elements)
    sets = a_set(1, options, pad=True) \
        + a_set(256, struct.pack(">I", 7) + sampling(elements, values), pad=True)
    yield v9_message(sets, 2, 0)
    templates = {}
    for sequence, flows in enumerate(groups, 1):
        sets, records = data_sets(flows, "v9", templates, 0)
        yield v9_message(sets, records, sequence)


def v9_message(sets, count, sequence):
    return struct.pack(">HHIIII", 9, count, UPTIME, NOW, sequence, 7) + sets


def sampling(elements, values):
    return b"".join(value.to_bytes(length, "big") for (_, length), value in zip(elements, values))


def v5_messages(groups):
    sequence = 0
    for flows in groups:
        header = wire5.HEADER.pack(5, len(flows), UPTIME, NOW, 0, sequence, 0, 7, 0)
        yield header + b"".join(map(v5_record, flows))
        sequence += len(flows)


def v5_record(flow):
    packed = [ipaddress.ip_address(flow[field]).packed for field in ("src", "dst", "nexthop")]
    return wire5.RECORD.pack(
        *packed, flow["input"], flow["output"], flow["packets"], flow["octets"],
        uptime(flow["start"]), uptime(flow["end"]), flow["sport"], flow["dport"], 0,
        flow["flags"], flow["proto"], flow["tos"], 0, 0, 0, 0, 0)
