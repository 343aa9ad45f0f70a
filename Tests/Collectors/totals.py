#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Nothing of a capture is lost or counted twice: totals.py [--no-tshark] FILE...

Packets, octets, first and last time of every 5-tuple of a capture (truth.py)
against what nfdump, tshark and the strict decoder read of flowprobe's exports.
"""

import argparse
import ipaddress
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile

import exporter
import truth
import wire
import wire5
from collectors import strict
from collectors.base import CollectorFailure, run
from collectors.nfdump import Nfdump, receive
from collectors.tshark import Tshark
from report import Report
from truth import add

ICMP = (1, 58)
# v5 and v9 tell times by a clock of 32 bits of milliseconds, of which earlier and later
# can be told apart over half: 24.8 days. A capture that lasts longer is for IPFIX.
CLOCK_RANGE = 1 << 31


def differences(wanted, found):
    """5-tuples whose packets, octets, first or last time differ."""
    for key in wanted.keys() | found.keys():
        if wanted.get(key) != found.get(key):
            yield f"{tell(key)}: {found.get(key)}, in the capture {wanted.get(key)}"


def tell(key):
    source, destination, sport, dport, protocol = key
    source, destination = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    return f"{source} {sport} > {destination} {dport} protocol {protocol}"


# Readers: each returns the totals per 5-tuple of an export -------------------

class Adder(wire.Decoder):
    """Adds flow records up as they come: an export may hold millions."""

    def __init__(self, protocol):
        super().__init__(protocol)
        self.totals = {}

    def take(self, record):
        super().take(record)
        for flow in self.flows:
            add(self.totals, key_of(flow), flow.number(2), flow.number(1),
                *strict.times(flow, self.protocol))
        self.flows.clear()


def by_strict_decoder(export):
    if export.protocol != "v5":
        decoder = wire.decode(export.datagrams, export.protocol, Adder(export.protocol))
        return decoder.totals, decoder.violations
    totals, decoder = {}, wire5.decode(export.datagrams)
    for flow in decoder.flows:
        add(totals, (flow["src"], flow["dst"], flow["sport"], flow["dport"], flow["proto"]),
            flow["packets"], flow["octets"], flow["start"], flow["end"])
    return totals, decoder.violations


def key_of(record):
    icmp = record.number(32) or record.number(139)
    return (record.octets(8) or record.octets(27), record.octets(12) or record.octets(28),
            record.number(7), icmp or record.number(11), record.number(4))


def by_nfdump(export):
    totals = {}
    with tempfile.TemporaryDirectory(prefix="flowprobe-totals-") as directory:
        files = os.path.join(directory, "files")
        os.mkdir(files)
        receive(export.datagrams, files)
        output = run(["nfdump", "-q", "-R", files, "-o", "pipe"])
    for line in output.splitlines():
        if not line[:1].isdigit():
            continue
        # family, first, last, protocol, source (4 words), port, destination, port, ...
        numbers = [int(word) for word in line.split(b"|")]
        source, destination = (address(numbers[0], numbers[at:at + 4]) for at in (4, 9))
        add(totals, (source, destination, numbers[8], numbers[13], numbers[3]),
            numbers[20], numbers[21], numbers[1], numbers[2])
    return totals, []


def address(family, words):
    return struct.pack(">I", words[3]) if family == socket.AF_INET else struct.pack(">4I", *words)


def by_tshark(export):
    totals = {}
    with tempfile.TemporaryDirectory(prefix="flowprobe-totals-") as directory:
        rows, complaints = Tshark().read(export, directory)
    for row in rows:
        key = (ipaddress.ip_address(row["src"]).packed, ipaddress.ip_address(row["dst"]).packed,
               row["sport"], row["icmp"] or row["dport"], row["proto"])
        add(totals, key, row["packets"], row["octets"], row["start"], row["end"])
    return totals, complaints


def without_icmp_type(totals):
    """Totals as nfdump shows them of v9: nfcapd 1.7.1 takes ICMP type and code from
    element 32 alone."""
    folded = {}
    for (source, destination, sport, dport, protocol), total in totals.items():
        add(folded, (source, destination, sport, 0 if protocol in ICMP else dport, protocol),
            *total)
    return folded


READERS = {"strict decoder": by_strict_decoder, "nfdump": by_nfdump, "tshark": by_tshark}


# Checks ----------------------------------------------------------------------

def check(report, path, readers, name=None):
    """`readers` are names of READERS."""
    name = name or os.path.basename(path)
    real = truth.read(path)
    for protocol in exporter.PROTOCOLS:
        if protocol == "ipfix" or real.milliseconds < CLOCK_RANGE:
            check_protocol(report, f"{name}, {protocol}", path, protocol, real, readers)
    if real.fragments:
        real = truth.read(path, track_fragments=False)
        check_protocol(report, f"{name}, ipfix, --fragments zero", path, "ipfix", real, readers,
                       "--fragments", "zero")


def check_protocol(report, title, path, protocol, real, readers, *options):
    try:
        export = exporter.export(path, protocol, *options)
    except exporter.ExportFailure as error:
        report.check(title, [error])
        return
    left_out = {} if protocol != "v5" else \
        {key: total for key, total in real.totals.items() if len(key[0]) == 16}
    wanted = {key: total for key, total in real.totals.items() if key not in left_out}
    report.check(f"{title}: the summary tells {real.packets} packets, {real.octets} octets",
                 summary_problems(export, real, wanted, left_out))
    for reader in readers:
        if wanted or reader == "strict decoder":
            report.check(f"{title}: {reader}, {len(wanted)} 5-tuples",
                         reading_problems(READERS[reader], export, wanted))


def reading_problems(read, export, wanted):
    try:
        found, complaints = read(export)
    except (CollectorFailure, subprocess.TimeoutExpired, LookupError, ValueError) as error:
        return [f"{type(error).__name__}: {error}"]
    if read is by_nfdump and export.protocol == "v9":
        wanted, found = without_icmp_type(wanted), without_icmp_type(found)
    return [*complaints, *differences(wanted, found)]


def summary_problems(export, real, wanted, left_out):
    """What the summary on standard error tells wrong."""
    def told(words, totals):
        packets, octets = (sum(total[at] for total in totals) for at in (0, 1))
        pattern = words.format(f"{packets} packets, {octets} octets")
        if not re.search(pattern, export.summary, re.MULTILINE):
            yield f"no line is {pattern!r}"

    yield from told(r"\Aflowprobe: metered {} in \d+ flows$", real.totals.values())
    messages = len(export.datagrams)
    yield from told(rf"^flowprobe: exported to \S+: \d+ flows, {{}} in {messages} messages$",
                    wanted.values())
    if left_out:
        yield from told(r"^flowprobe: not exported to \S+: \d+ flows, {} of IPv6",
                        left_out.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--no-tshark", action="store_true", help="leave out tshark: it is slow")
    parser.add_argument("files", nargs="+", metavar="FILE")
    arguments = parser.parse_args()
    report = Report()
    readers = ["strict decoder"]
    for collector in (Nfdump(), *(() if arguments.no_tshark else (Tshark(),))):
        if collector.is_installed():
            readers.append(collector.name)
        else:
            report.skip(f"all checks by {collector.name}", "it is not installed")
    for path in arguments.files:
        check(report, path, readers)
    return report.close()


if __name__ == "__main__":
    sys.exit(main())
