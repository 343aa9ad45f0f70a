# SPDX-License-Identifier: Apache-2.0
"""What is sampled is announced, and every flow says so: read strictly, and by tshark and nfdump.

Of a sampled export nobody can say beforehand which flows it has; how many they are,
and what is told of them, follows from the capture.
"""

import os
import tempfile
from collections import Counter

import exporter
import wire
import wire5
from collectors.nfdump import Nfdump
from collectors.tshark import dissect

N = 10
# Options, whether the choice is deterministic, flows or packets of the 72 and 332 of sample.pcap, and what IPFIX
# tells of the selector: element: value.
WAYS = [
    (("--sampler", f"deterministic:{N}"), True, {"flows": 7}, {390: 1, 396: 1, 397: N - 1}),
    (("--sampler", f"random:{N}"), False, {}, {390: 3, 309: 1, 310: N}),
    (("--sampler", f"hash:{N}"), False, {}, {390: 3, 309: 1, 310: N}),
    # Of 336 frames 34 are taken; one of them is no IP.
    (("--packet-sampling", str(N)), True, {}, {304: 1, 305: 1, 306: N - 1}),
]
ANNOUNCED = {
    "cflow.sampling_interval": N, "cflow.sampler_random_interval": N, "cflow.sampler_id": 1,
    "cflow.selector_id": 1, "cflow.sampling_flow_spacing": N - 1, "cflow.sampling_packet_space": N - 1,
    "cflow.sampling_population": N,
}


def check(report, capture, protocol, installed):
    for options, deterministic, expected, selector in WAYS:
        title = f"{protocol} {' '.join(options)}"
        try:
            export = exporter.export(capture, protocol, *options)
        except exporter.ExportFailure as error:
            report.check(f"flowprobe exports {title}", [error])
            continue
        if protocol == "v5":
            check_v5(report, title, export, deterministic, "nfdump" in installed)
            continue
        problems = list(strict(export, deterministic, expected, selector))
        report.check(f"{title}: announced, and named in every flow", problems)
        if "tshark" in installed:
            report.check(f"tshark reads the sampling of {title}", list(by_tshark(export)))


def strict(export, deterministic, expected, selector):
    decoder = wire.decode(export.datagrams, export.protocol, rate=N)
    yield from decoder.violations
    if not decoder.flows:
        yield "no flow"
    mode = 1 if deterministic else 2
    for record in decoder.options:
        for element in (35, 49):
            if record.octets(element) and record.number(element) != mode:
                yield f"element {element} is {record.number(element)}"
        if record.octets(48) and record.number(48) != 1:
            yield f"samplerId {record.number(48)} in the options"
    name, length = (302, 8) if export.protocol == "ipfix" else (48, 1)
    for record in decoder.flows:
        if record.octets(name) != (1).to_bytes(length, "big"):
            yield f"a flow's element {name} is {record.octets(name)}"
    if expected.get("flows", len(decoder.flows)) != len(decoder.flows):
        yield f"{len(decoder.flows)} flows"
    if export.protocol == "ipfix":
        told = [record for record in decoder.options if record.octets(next(iter(selector)))]
        if [{each: record.number(each) for each in selector} for record in told] != [selector]:
            yield f"the selector is told of {len(told)} times, or otherwise than as {selector}"
        if not any(record.octets(318) and record.octets(319) for record in decoder.options):
            yield "nothing is told of what was selected"


def by_tshark(export):
    with tempfile.TemporaryDirectory(prefix="flowprobe-sampling-") as directory:
        path = os.path.join(directory, "export.pcap")
        export.write_pcap(path)
        seen = Counter()
        for layers in dissect(path):
            for key, value in leaves(layers):
                if key in ANNOUNCED:
                    seen[key] += 1
                    if int(value, 0) != ANNOUNCED[key]:
                        yield f"{key} is {value}"
        for key in ("cflow.sampling_interval", "cflow.sampler_random_interval"):
            if not seen[key]:
                yield f"{key} is not shown"


def leaves(tree):
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value)
        elif isinstance(value, str):
            yield key, value


def check_v5(report, title, export, deterministic, has_nfdump):
    decoder = wire5.Decoder()
    words = set()
    for datagram in export.datagrams:
        decoder.decode(datagram)
        words.add(int.from_bytes(datagram[22:24], "big"))
    expected = {(1 if deterministic else 2) << 14 | N} if export.datagrams else set()
    report.check(f"{title}: mode and interval in each header",
                 decoder.violations + ([] if words == expected else [f"{words}, expected {expected}"]))
    if has_nfdump and export.datagrams:
        report.check(f"nfdump multiplies the packets of {title}", list(by_nfdump(export, decoder)))


def by_nfdump(export, decoder):
    with tempfile.TemporaryDirectory(prefix="flowprobe-sampling-") as directory:
        inner = os.path.join(directory, "files")
        os.mkdir(inner)
        rows, complaints = Nfdump().read(export, inner)
        yield from complaints
        shown, sent = sum(row["packets"] for row in rows), sum(flow["packets"] for flow in decoder.flows)
        if shown != N * sent:
            yield f"it shows {shown} packets of {sent}"
