# SPDX-License-Identifier: Apache-2.0
"""pmacct's nfacctd reads the messages out of a capture file and prints flows."""

import json
import os

from .base import Collector, CollectorFailure, mac, run

CONFIGURATION = """\
pcap_savefile: {capture}
plugins: print
print_output: json
print_output_file: {output}
print_refresh_time: 3600
aggregate: src_host,dst_host,src_port,dst_port,proto,tos,tcpflags,vlan,in_iface,out_iface,\
src_mac,dst_mac,timestamp_start,timestamp_end,flows
timestamps_utc: true
timestamps_since_epoch: true
print_num_protos: true
nfacctd_time_new: false
"""
NAMES = {"src": "ip_src", "dst": "ip_dst", "proto": "ip_proto", "sport": "port_src",
         "dport": "port_dst", "packets": "packets", "octets": "bytes", "flags": "tcp_flags",
         "tos": "tos", "input": "iface_in", "output": "iface_out", "vlan": "vlan"}


PORTS_LEFT_OUT = (33, 132, 136)     # DCCP, SCTP, UDP-Lite: it leaves out their ports in v5


class ToTheSecond(int):
    """Milliseconds of which pmacct shows the second, rounded up or down.

    Of v5 and v9 it takes unix seconds - (sysUptime - first) / 1000, in integers.
    """

    def __eq__(self, shown):
        return abs(int(self) - shown) < 1000

    def __ne__(self, shown):
        return not self == shown

    __hash__ = int.__hash__


class Nfacctd(Collector):
    name = "pmacct"
    programs = ("nfacctd",)
    # The fields it can aggregate on are those of every protocol.
    hidden = ("icmp", "nexthop", "version", "reason", "dot1q", "pcp", "inner", "innerpcp",
              "label", "exthdrs", "tcpopts", "ipopts", "spi", "igmp", "ethertype",
              "direction", "physin", "physout")

    def adapt(self, flow, protocol):
        if flow.get("direction"):
            # Of what goes out it takes the VLAN from element 59 alone, postVlanId.
            flow = dict(flow, vlan=0)
        if protocol == "ipfix":
            return flow
        if protocol == "v5" and flow["proto"] in PORTS_LEFT_OUT:
            flow = dict(flow, sport=0, dport=0)
        return dict(flow, start=ToTheSecond(flow["start"]), end=ToTheSecond(flow["end"]))

    def read(self, export, directory):
        paths = {"capture": os.path.join(directory, "export.pcap"),
                 "output": os.path.join(directory, "flows.json")}
        export.write_pcap(paths["capture"])
        configuration = os.path.join(directory, "nfacctd.conf")
        with open(configuration, "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(**paths))
        log = run(["nfacctd", "-f", configuration], with_errors=True).decode(errors="replace")
        if not os.path.exists(paths["output"]):
            raise CollectorFailure(f"nfacctd printed nothing: {log[-300:]}")
        with open(paths["output"], encoding="utf-8") as file:
            rows = [row(json.loads(line)) for line in file]
        return rows, [line for line in log.splitlines() if line.startswith(("WARN", "ERROR"))]


def row(record):
    flow = {field: record[name] for field, name in NAMES.items()}
    for field in ("proto", "flags"):                    # printed as text
        flow[field] = int(flow[field])
    flow["srcmac"], flow["dstmac"] = mac(record["mac_src"]), mac(record["mac_dst"])
    flow["start"] = milliseconds(record["timestamp_start"])
    flow["end"] = milliseconds(record["timestamp_end"])
    return flow


def milliseconds(text):
    """'1700000000.123000'"""
    seconds, _, fraction = text.partition(".")
    return int(seconds) * 1000 + int(fraction[:3] or 0)
