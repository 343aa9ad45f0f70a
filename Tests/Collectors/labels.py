# SPDX-License-Identifier: Apache-2.0
"""MPLS labels tell flows apart, and collectors show those that tshark sees in the capture.

The capture has one 5-tuple on several paths and on none, a path whose EXP and TTL change, IPv6 behind a VLAN tag,
and a stack deeper than any that is recorded.
"""

import ipaddress
import json
import os
import struct
import tempfile

import exporter
import wire
from capture_file import write_pcap
from collectors.base import run
from collectors.nfdump import receive
from collectors.tshark import dissect, flow_trees
from packets import ethernet, ipv4, ipv6, udp

EPOCH = 1_700_000_000 * 10**9
RECORDED = 1, 3, 10
TOP_SECTION, TOP_TTL, DEPTH = 70, 200, 202


def frames():
    v4 = ipv4("192.0.2.1", "198.51.100.1", *udp((4000, 5000), 100))
    v6 = ipv6("2001:db8:1::1", "2001:db8:2::1", *udp((4000, 5000), 120, network=40))
    return [
        ethernet(v4),
        labelled(v4, [(16, 5, 63), (17, 0, 64), (1048575, 1, 1)]),
        labelled(v4, [(16, 2, 61), (17, 7, 64), (1048575, 0, 255)]),
        labelled(v4, [(32, 5, 63), (17, 0, 64), (1048575, 1, 1)]),
        labelled(v4, [(16, 5, 63), (17, 0, 64)]),
        labelled(v6, [(100001, 3, 254)], tags=[(0x8100, 0x0064)]),
        labelled(v6, [(2000 + place, place % 8, 64) for place in range(12)]),
    ]


def labelled(packet, stack, tags=()):
    """A frame with a label stack; its entries are (label, EXP, TTL), the top one first."""
    entries = b"".join(
        struct.pack(">I", label << 12 | traffic << 9 | (place == len(stack)) << 8 | ttl)
        for place, (label, traffic, ttl) in enumerate(stack, 1))
    link = ethernet(packet, tags)[:-len(packet) - 2]
    return link + struct.pack(">H", 0x8847) + entries + packet


def check(report, protocol, installed):
    if "tshark" not in installed:
        report.skip(f"{protocol} with MPLS labels", "tshark, which reads the capture, is not installed")
        return
    with tempfile.TemporaryDirectory(prefix="flowprobe-labels-") as directory:
        capture = os.path.join(directory, "labels.pcap")
        write_pcap(capture, ((EPOCH + place * 10**6, frame) for place, frame in enumerate(frames())))
        packets = list(seen(capture))
        for recorded in RECORDED:
            options = ("--mpls", str(recorded))
            title = f"{protocol} {' '.join(options)}"
            try:
                export = exporter.export(capture, protocol, *options)
            except exporter.ExportFailure as error:
                report.check(f"flowprobe exports {title}", [error])
                continue
            for reader, read in (("wire.py", strict), ("tshark", by_tshark), ("nfdump", by_nfdump)):
                if reader in (*installed, "wire.py"):
                    report.check(f"{reader} reads the labels of {title}",
                                 list(problems(flows(packets, recorded), read(export), reader)))


def seen(capture):
    """By tshark's reading: the packets' source addresses and stacks."""
    names = "ip.src", "ipv6.src", "mpls.label", "mpls.exp", "mpls.bottom", "mpls.ttl"
    fields = [argument for name in names for argument in ("-e", name)]
    for line in run(["tshark", "-r", capture, "-T", "fields", *fields]).decode().splitlines():
        v4, v6, *columns = line.split("\t")
        yield v4 or v6, list(zip(*(map(int, column.split(",")) for column in columns if column)))


def flows(packets, recorded):
    """What must be shown: packets, source, entries as (label, EXP, S), TTL and depth, of each flow."""
    found = {}
    for source, stack in packets:
        path = source, tuple((label, bottom) for label, _, bottom, _ in stack[:recorded])
        top = (stack[0][3], len(stack)) if stack else (0, 0)
        found.setdefault(path, [0, source, [entry[:3] for entry in stack[:recorded]], *top])[0] += 1
    return list(found.values())


def strict(export):
    decoder = wire.decode(export.datagrams, export.protocol, wire.Decoder(export.protocol, labels=True))
    yield from decoder.violations
    for flow in decoder.flows:
        source = str(ipaddress.ip_address(flow.octets(8) or flow.octets(27)))
        numbers = [flow.number(TOP_SECTION + place) for place in range(10)]
        yield [flow.number(2), source, upper(entry(number) for number in numbers), flow.number(TOP_TTL),
               flow.number(DEPTH)]


def by_tshark(export):
    with tempfile.TemporaryDirectory(prefix="flowprobe-labels-") as directory:
        path = os.path.join(directory, "export.pcap")
        export.write_pcap(path)
        trees = [tree for layers in dissect(path) for tree in flow_trees(layers["cflow"])]
    for tree in trees:
        labels = [value for name, value in tree.items() if name.startswith("MPLS-Label")]
        stack = upper(tuple(int(label[f"cflow.mpls_{part}"]) for part in ("label", "exp", "bos")) for label in labels)
        yield [int(tree["cflow.packets"]), tree.get("cflow.srcaddr") or tree["cflow.srcaddrv6"], stack,
               int(tree.get("cflow.mpls_top_label_ttl", 0)), int(tree.get("cflow.mpls_label_depth", 0))]


def by_nfdump(export):
    """It keeps neither the TTL nor the depth."""
    with tempfile.TemporaryDirectory(prefix="flowprobe-labels-") as directory:
        inner = os.path.join(directory, "files")
        os.mkdir(inner)
        receive(export.datagrams, inner)
        rows = json.loads(run(["nfdump", "-R", inner, "-o", "json"]) or "[]")
    for row in rows:
        labels = [row.get(f"mpls_{place}", "0-0-0") for place in range(1, 11)]
        yield [row["in_packets"], row.get("src4_addr") or row["src6_addr"],
               upper(tuple(map(int, label.split("-"))) for label in labels), None, None]


def entry(section):
    return section >> 4, section >> 1 & 7, section & 1


def upper(entries):
    """Without the zeros behind the last one that is recorded."""
    entries = list(entries)
    while entries and not any(entries[-1]):
        entries.pop()
    return entries


def problems(wanted, shown, reader):
    if reader == "nfdump":
        wanted = [flow[:3] + [None, None] for flow in wanted]
    wanted, shown = sorted(map(str, wanted)), sorted(map(str, shown))
    yield from (f"missing: {flow}" for flow in wanted if wanted.count(flow) > shown.count(flow))
    yield from (f"not expected: {flow}" for flow in shown if shown.count(flow) > wanted.count(flow))
