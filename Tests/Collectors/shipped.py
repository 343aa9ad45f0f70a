# SPDX-License-Identifier: Apache-2.0
"""Captures that Debian's packages ship: traffic that nobody here made.

The packages are fetched and unpacked, not installed: some would bring half a
desktop along, and a container's dpkg may leave out /usr/share/doc.
"""

import gzip
import os
import subprocess

from exporter import REPOSITORY

CACHE = os.path.join(REPOSITORY, ".build/collectors/shipped")

PATHSPIDER = "usr/lib/python3/dist-packages/pathspider/tests/data/"
LIBTRACE = "usr/share/doc/python3-libtrace/examples/"
GOPACKET = "usr/share/gocode/src/github.com/gopacket/gopacket/"

CAPTURES = {
    "pathspider": (
        PATHSPIDER + "real.pcap",                   # an hour of a host, 62 781 frames
        PATHSPIDER + "icmp_ttl.pcap",               # raw IP, ICMP errors
        PATHSPIDER + "random.pcap",                 # noise: not one IP packet
        PATHSPIDER + "tcp_ecn.pcap",
        PATHSPIDER + "mss_ipv6.pcap",
        PATHSPIDER + "ecn_ipv6_unreachable_ce_on_syn.pcap",
        PATHSPIDER + "icmp_single_unreachable_nopayload.pcap",
        PATHSPIDER + "basic_ipv4_non_udp_tcp.pcap"),  # VRRP
    "python3-dpkt": ("usr/share/doc/python3-dpkt/examples/data/dns_icmp.pcap",),
    "python3-libtrace": (
        LIBTRACE + "icmp-sample.pcap.gz",
        LIBTRACE + "icmp6-sample.pcap.gz"),         # three hours
    "sip-tester": ("usr/share/sip-tester/g711a.pcap",),
    "pktanon": ("usr/share/doc/pktanon/examples/profiles/sample.pcap",),  # weeks between packets
    "golang-github-gopacket-gopacket-dev": (
        GOPACKET + "pcap/test_loopback.pcap",       # BSD loopback, IPv6
        GOPACKET + "pcapgo/tests/le/test301.pcapng",
        GOPACKET + "pcapgo/tests/be/test012.pcapng"),   # big-endian
}


def fetch(package):
    """Downloads and unpacks a package below CACHE; raises when that fails."""
    directory = os.path.join(CACHE, package)
    if os.path.isdir(directory):
        return directory
    os.makedirs(CACHE, exist_ok=True)
    quiet = {"check": True, "capture_output": True, "cwd": CACHE, "timeout": 120}
    download = ["apt-get", "download", "-q", package]
    try:
        subprocess.run(download, **quiet)
    except subprocess.CalledProcessError:               # the package lists may be missing
        subprocess.run(["apt-get", "update", "-qq"], **quiet)
        subprocess.run(download, **quiet)
    archives = [name for name in os.listdir(CACHE) if name.startswith(package + "_")]
    subprocess.run(["dpkg-deb", "-x", archives[0], directory + ".new"], **quiet)
    os.rename(directory + ".new", directory)
    os.unlink(os.path.join(CACHE, archives[0]))
    return directory


def plain(path):
    """The path of the capture uncompressed."""
    if not path.endswith(".gz"):
        return path
    if not os.path.exists(path[:-3]):
        with gzip.open(path) as packed, open(path[:-3], "wb") as file:
            file.write(packed.read())
    return path[:-3]


def captures(report):
    """Yields (name, path) of every capture; a package not to be had is reported."""
    for package, paths in CAPTURES.items():
        try:
            directory = fetch(package)
        except (OSError, subprocess.SubprocessError, IndexError):
            report.skip(f"captures of Debian's {package}", "apt-get cannot download it")
            continue
        for path in paths:
            yield f"{package} {os.path.basename(path)}", plain(os.path.join(directory, path))
