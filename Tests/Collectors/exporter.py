# SPDX-License-Identifier: Apache-2.0
"""Runs flowprobe over a capture file and keeps the datagrams it exports.

All collectors are then given these same octets, so that what one of them says
can be held against what another says.
"""

import os
import socket
import struct
import subprocess
import threading

from capture_file import write_pcap
from packets import ethernet, ipv4, udp

HERE = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = os.path.dirname(os.path.dirname(HERE))
FLOWPROBE = os.environ.get("FLOWPROBE") or os.path.join(REPOSITORY, ".build/release/flowprobe")

PROTOCOLS = {"ipfix": 10, "v9": 9, "v5": 5}
COLLECTOR_PORT = 9995           # in the captures written from the datagrams
BUFFER = (1 << 30) - 1          # socket buffer asked for: takes a whole export, unpaced
SLOW = "10000"                  # datagrams a second, where the system grants no such buffer
# asm-generic/socket.h, linux/sock_diag.h: Python has no names for them.
SO_RCVBUFFORCE, SO_MEMINFO, MEMINFO_DROPS = 33, 55, 8


class ExportFailure(Exception):
    """flowprobe could not be run, failed, or its datagrams were lost."""


class Export:
    """What one run of flowprobe sent."""

    def __init__(self, protocol, datagrams, sources, summary):
        self.protocol = protocol
        self.datagrams = datagrams
        self.sources = sources          # (address, port) pairs it sent from
        self.summary = summary          # its standard error

    def write_pcap(self, path):
        """The datagrams as UDP packets of a capture file; the time is the message's own."""
        source = next(iter(self.sources), (None, 0))[1]
        write_pcap(path, ((self.time(datagram) * 10**9, self.frame(source, datagram))
                          for datagram in self.datagrams))

    def time(self, datagram):
        return struct.unpack_from(">I", datagram, 4 if self.protocol == "ipfix" else 8)[0]

    def frame(self, source, datagram):
        protocol, payload = udp((source, COLLECTOR_PORT), 28)
        payload = struct.pack(">HHHH", source, COLLECTOR_PORT, 8 + len(datagram), 0) + datagram
        return ethernet(ipv4("127.0.0.1", "127.0.0.1", protocol, payload))

    def write_stream(self, path):
        """The messages one after the other: for IPFIX, an IPFIX file (RFC 5655)."""
        with open(path, "wb") as file:
            file.writelines(self.datagrams)


class Receiver(threading.Thread):
    """A UDP socket on loopback that keeps all it is sent."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.rate = "0"
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        except PermissionError:
            self.rate = SLOW
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.05)
        self.port = self.socket.getsockname()[1]
        self.datagrams, self.sources, self.ended = [], set(), threading.Event()

    def run(self):
        while True:
            try:
                datagram, source = self.socket.recvfrom(65535)
            except TimeoutError:
                if self.ended.is_set():
                    return
                continue
            self.datagrams.append(datagram)
            self.sources.add(source)

    def finish(self):
        """To be called when the sender has ended: what it sent is in the buffer by then."""
        self.ended.set()
        self.join()
        meminfo = self.socket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 64)
        self.socket.close()
        return struct.unpack_from("=I", meminfo, MEMINFO_DROPS * 4)[0]


def available():
    return os.access(FLOWPROBE, os.X_OK)


def export(capture, protocol, *options, timeout=600):
    """Runs flowprobe over `capture` and returns the Export, which may be empty."""
    receiver = Receiver()
    receiver.start()
    command = [FLOWPROBE, "-r", capture, "--dest", f"127.0.0.1:{receiver.port}",
               "--protocol", protocol, "--export-rate", receiver.rate, *options]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=timeout,
                               errors="replace", stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as error:
        raise ExportFailure(f"still running after {timeout} s: {' '.join(command)}") from error
    except OSError as error:
        raise ExportFailure(f"cannot run {FLOWPROBE}: {error.strerror}") from error
    finally:
        dropped = receiver.finish()
    if ended.returncode != 0:
        raise ExportFailure(f"exit {ended.returncode}: {told(command, ended)}")
    if dropped:
        raise ExportFailure(f"{dropped} datagrams lost at the test's own socket")
    return Export(protocol, receiver.datagrams, receiver.sources, ended.stderr)


def told(command, ended):
    """The command and the beginning of what it said, in one line."""
    return f"{' '.join(command)}: {' '.join(ended.stderr.split())[:300]}"
