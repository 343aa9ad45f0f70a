# SPDX-License-Identifier: Apache-2.0
"""nfcapd receives over UDP, nfdump prints what it stored."""

import datetime
import json
import os
import re
import socket
import subprocess
import time

from .base import Collector, CollectorFailure, mac, run

FLAGS = "FSRPAUEC"                  # from bit 0; printed the other way round
UTC = datetime.timezone.utc


class Nfdump(Collector):
    name = "nfdump"
    programs = ("nfcapd", "nfdump")
    # It keeps one VLAN, and none of the fields that only one protocol has.
    hidden = ("nexthop", "version", "reason", "dot1q", "pcp", "inner", "innerpcp", "label",
              "exthdrs", "tcpopts", "ipopts", "spi", "igmp", "ethertype", "physin", "physout")

    def fields(self, protocol):
        # It shows ICMP type and code also where they came as a destination port.
        return super().fields(protocol) + (("icmp",) if protocol in ("v5", "v9") else ())

    def adapt(self, flow, protocol):
        if flow["proto"] not in (1, 58):
            return dict(flow, icmp=0)
        if protocol == "v9" and flow["proto"] == 58:
            # nfcapd 1.7.1 looks for element 32 alone, which is ICMPv4's, and shows 0 for ICMPv6.
            return dict(flow, icmp=0, dport=0)
        return dict(flow, icmp=flow.get("icmp") or flow["dport"], dport=0)

    def read(self, export, directory):
        summary = receive(export.datagrams, directory)
        output = run(["nfdump", "-R", directory, "-o", "json"])
        return [row(record) for record in json.loads(output or "[]")], \
            complaints(summary, export)


def complaints(summary, export):
    """What nfcapd says of the messages in its closing lines."""
    bad = sum(map(int, re.findall(r"Bad Packets: (\d+)", summary)))
    if bad:
        yield f"nfcapd counts {bad} bad packets"
    gaps = sum(map(int, re.findall(r"Sequence Errors: (\d+)", summary)))
    # nfcapd 1.7 leaves options data out of its count of IPFIX data records, and so
    # takes each message that carries any for a gap; the strict decoder checks IPFIX.
    if gaps and export.protocol != "ipfix":
        yield f"nfcapd counts {gaps} sequence errors"


def row(record):
    kind = record["proto"]
    flags = record.get("tcp_flags", "")
    return {
        "src": record.get("src4_addr") or record.get("src6_addr"),
        "dst": record.get("dst4_addr") or record.get("dst6_addr"),
        "proto": kind,
        "sport": record.get("src_port", 0), "dport": record.get("dst_port", 0),
        "icmp": record.get("icmp_type", 0) * 256 + record.get("icmp_code", 0),
        "packets": record["in_packets"], "octets": record["in_bytes"],
        "start": milliseconds(record["first"]), "end": milliseconds(record["last"]),
        "flags": sum(1 << FLAGS.index(flag) for flag in flags if flag != "."),
        "tos": record["src_tos"],
        "input": record.get("input_snmp", 0), "output": record.get("output_snmp", 0),
        "vlan": record.get("src_vlan", 0),
        "direction": record.get("direction", 0),
        "srcmac": mac(record.get("in_src_mac", "0")), "dstmac": mac(record.get("in_dst_mac", "0")),
    }


def milliseconds(text):
    time_of_it = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f").replace(tzinfo=UTC)
    return round(time_of_it.timestamp() * 1000)


# Receiving -------------------------------------------------------------------

def receive(datagrams, directory):
    """Has nfcapd store the datagrams in `directory`; what it said."""
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.bind(("127.0.0.1", 0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    command = ["nfcapd", "-b", "127.0.0.1", "-p", str(port), "-w", directory, "-t", "3600"]
    with open(os.path.join(directory, "..", "nfcapd.log"), "w+b") as log, sender:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            wait_for(lambda: queued(port) is not None, "nfcapd does not listen")
            for start in range(0, len(datagrams), 32):
                for datagram in datagrams[start:start + 32]:
                    sender.sendto(datagram, ("127.0.0.1", port))
                # Its socket buffer takes about 90 datagrams: let it read them first.
                wait_for(lambda: queued(port) == 0, "nfcapd does not read")
        finally:
            stop(process)
        log.seek(0)
        return log.read().decode(errors="replace")


def stop(process, seconds=60):
    """Ends nfcapd. A signal just before it waits for a datagram is lost: it is sent again."""
    for _ in range(seconds * 2):
        process.terminate()
        try:
            process.wait(timeout=0.5)
            return
        except subprocess.TimeoutExpired:
            pass
    process.kill()
    process.wait()
    raise CollectorFailure("nfcapd does not end")


def queued(port):
    """Octets that wait in the socket bound to the port; None when there is none."""
    local = f":{port:04X}"
    with open("/proc/net/udp", encoding="ascii") as table:
        for line in table:
            columns = line.split()
            if columns[1].endswith(local):
                return int(columns[4].split(":")[1], 16)
    return None


def wait_for(condition, complaint, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise CollectorFailure(complaint)
        time.sleep(0.0005)
