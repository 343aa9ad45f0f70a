# SPDX-License-Identifier: Apache-2.0
"""Every collector decodes the export of vectors.pcap; each field is compared."""

import os
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor

import compare
import expected
import exporter
import vectors
from capture_file import write_pcap
from collectors.base import CollectorFailure


def check_vectors(report):
    """The capture is the one that its script makes."""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "vectors.pcap")
        write_pcap(path, vectors.build(), snaplen=vectors.SNAPLEN)
        with open(path, "rb") as made, open(vectors.PATH, "rb") as kept:
            same = made.read() == kept.read()
    report.check("vectors.pcap is what vectors.py makes", [] if same else ["it differs"])


def read(collector, export):
    """The flows one collector shows, and its complaints."""
    with tempfile.TemporaryDirectory(prefix="flowprobe-collectors-") as directory:
        inner = os.path.join(directory, "files")
        os.mkdir(inner)
        try:
            rows, complaints = collector.read(export, inner)
            return rows, list(complaints)
        except (CollectorFailure, subprocess.TimeoutExpired, LookupError, ValueError) as error:
            return [], [f"{type(error).__name__}: {error}"]


def each_reading(collectors, export):
    """Yields (collector, flows, complaints); the collectors read at the same time."""
    able = [collector for collector in collectors if export.protocol in collector.protocols]
    with ThreadPoolExecutor(len(able)) as pool:
        readings = list(pool.map(lambda collector: read(collector, export), able))
    for collector, (rows, complaints) in zip(able, readings):
        yield collector, rows, complaints


def check(report, collectors, protocol):
    decode(report, collectors, protocol)
    if protocol != "v5":
        decode(report, collectors, protocol, "--mac")


def decode(report, collectors, protocol, *options):
    try:
        export = exporter.export(vectors.PATH, protocol, *options)
    except exporter.ExportFailure as error:
        report.check(f"flowprobe exports {protocol}", [error])
        return
    if not export.datagrams:
        report.check(f"flowprobe exports {protocol}", [f"no datagram sent: {export.summary}"])
        return
    for collector, rows, complaints in each_reading(collectors, export):
        title = " ".join([collector.name, "reads", protocol, *options])
        report.check(f"{title} without a complaint", complaints)
        fields = collector.fields(protocol)
        wanted = [collector.adapt(flow, protocol)
                  for flow in expected.flows(protocol, mac="--mac" in options)]
        report.check(f"{title}: {len(wanted)} flows, {len(fields)} fields each",
                     compare.differences(wanted, rows, fields))
