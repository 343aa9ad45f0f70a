# SPDX-License-Identifier: Apache-2.0
"""A strict decoder of NetFlow v5 messages.

      0                   1                   2                   3
     |          version 5            |            count              |
     |                          sysUptime (ms)                       |
     |                          unix seconds                         |
     |                      residual nanoseconds                     |
     |                  sequence: flows sent before                  |
     | engine type   |   engine id   |mode| sampling interval        |

and 48 octets a record: addresses 0 and 4, next hop 8, interfaces 12 and 14,
packets 16, octets 20, first 24, last 28, ports 32 and 34, flags 37, protocol
38, ToS 39, systems 40 and 42, masks 44 and 45.
"""

import struct

HEADER = struct.Struct(">HHIIIIBBH")
RECORD = struct.Struct(">4s4s4sHHIIIIHHBBBBHHBBH")
MOST_RECORDS = 30


class Decoder:
    def __init__(self):
        self.flows, self.violations = [], []
        self.messages, self.next_sequence = 0, None

    def violation(self, text):
        self.violations.append(f"message {self.messages}: {text}")

    def decode(self, datagram):
        self.messages += 1
        if len(datagram) < HEADER.size:
            self.violation(f"{len(datagram)} octets")
            return
        version, count, uptime, seconds, nanoseconds, sequence, *_ = HEADER.unpack_from(datagram)
        if version != 5:
            self.violation(f"version {version}")
        if not 1 <= count <= MOST_RECORDS:
            self.violation(f"count {count}")
        if len(datagram) != HEADER.size + count * RECORD.size:
            self.violation(f"{len(datagram)} octets for {count} records")
            return
        if nanoseconds >= 10**9:
            self.violation(f"{nanoseconds} residual nanoseconds")
        if sequence != (self.next_sequence or 0):
            self.violation(f"sequence {sequence}, expected {self.next_sequence or 0}")
        self.next_sequence = sequence + count & 0xFFFFFFFF
        header = {"uptime": uptime, "time_ms": seconds * 1000 + nanoseconds // 10**6}
        for index in range(count):
            self._record(RECORD.unpack_from(datagram, HEADER.size + index * RECORD.size), header)

    def _record(self, fields, header):
        names = ("src", "dst", "nexthop", "input", "output", "packets", "octets", "first", "last",
                 "sport", "dport", "pad1", "flags", "proto", "tos", "src_as", "dst_as",
                 "src_mask", "dst_mask", "pad2")
        record = dict(zip(names, fields))
        if not record["first"] <= record["last"] <= header["uptime"]:
            self.violation(f"a flow from {record['first']} to {record['last']} at uptime "
                           f"{header['uptime']} (ms)")
        if record["pad1"] or record["pad2"]:
            self.violation("padding not zero")
        # `first` and `last` count from the start of the exporter, as sysUptime does.
        boot = header["time_ms"] - header["uptime"]
        record["start"], record["end"] = boot + record["first"], boot + record["last"]
        self.flows.append(record)


def decode(datagrams):
    decoder = Decoder()
    for datagram in datagrams:
        decoder.decode(datagram)
    return decoder
