# SPDX-License-Identifier: Apache-2.0
"""Aggregated addresses are networks of the length that is told: read strictly, and by nfdump."""

import ipaddress
import json
import os
import tempfile

import exporter
import wire
import wire5
from collectors.base import run
from collectors.nfdump import receive

LENGTH = 20
OPTIONS = ("--aggregation", f"0.0.0.0/0={LENGTH}")


def check(report, capture, protocol, installed):
    title = f"{protocol} {' '.join(OPTIONS)}"
    try:
        export = exporter.export(capture, protocol, *OPTIONS)
    except exporter.ExportFailure as error:
        report.check(f"flowprobe exports {title}", [error])
        return
    report.check(f"{title}: networks and their lengths", list(strict(export)))
    # nfcapd 1.7.1 does not read v5's masks.
    if "nfdump" in installed and protocol != "v5":
        report.check(f"nfdump shows the networks of {title}", list(by_nfdump(export)))


def strict(export):
    if export.protocol == "v5":
        decoder = wire5.decode(export.datagrams)
        networks = [(flow[end], flow[f"{end}_mask"]) for flow in decoder.flows for end in ("src", "dst")]
    else:
        decoder = wire.decode(export.datagrams, export.protocol)
        networks = [(flow.octets(address), flow.number(length)) for flow in decoder.flows
                    for address, length in ((8, 9), (12, 13)) if flow.octets(address)]
        for flow in decoder.flows:
            if flow.octets(27) and flow.octets(9):
                yield "a flow of IPv6 has an IPv4 prefix length"
    yield from decoder.violations
    yield from problems((str(ipaddress.ip_address(address)), length) for address, length in networks)


def by_nfdump(export):
    with tempfile.TemporaryDirectory(prefix="flowprobe-aggregation-") as directory:
        inner = os.path.join(directory, "files")
        os.mkdir(inner)
        receive(export.datagrams, inner)
        flows = json.loads(run(["nfdump", "-R", inner, "-o", "json"]) or "[]")
    yield from problems((flow[f"{end}4_addr"], flow.get(f"{end}_mask")) for flow in flows if "src4_addr" in flow
                        for end in ("src", "dst"))


def problems(networks):
    count = 0
    for address, length in networks:
        count += 1
        if length != LENGTH:
            yield f"{address} has length {length}"
        elif int(ipaddress.ip_address(address)) & (1 << 32 - LENGTH) - 1:
            yield f"{address} is no network of {LENGTH} bits"
    if not count:
        yield "no flow of IPv4"
