# SPDX-License-Identifier: Apache-2.0
"""NAT events as several programs tell them, one a line, to be compared.

truth FILE          of what `conntrack -E -o timestamp,id` or `conntrack -L -o id` printed, the
                    translated connections
json FILE           of what flowprobe --json printed
traffic-truth FILE, traffic-json FILE
                    the packets and octets of both directions that delete events tell
tshark FILE PORT    of the IPFIX or v9 messages to a UDP port in a capture, as tshark decodes them
v5 FILE PORT        of the v5 messages to a UDP port, as tshark decodes them
nfdump FOLDER       of what nfcapd stored
v5-truth FILE       what ipt_NETFLOW's v5 pseudo-records must hold, from conntrack's words
flows-truth FILE POINT
                    of conntrack's listing, the flows that are seen at a point of the router with what
                    they must tell of the translation. Points: arriving (PREROUTING), between (FORWARD,
                    POSTROUTING's mangle), inside (r0), outside (r1)
flows-json FILE     the same of what flowprobe --json printed
flows-nfdump FOLDER the same of what nfcapd stored
far FILE FILE MS    of the events in both (as printed before), those whose times differ by more
                    than MS milliseconds

A line is "create|delete|OTHER PROTOCOL SOURCE PORT DESTINATION PORT POST-SOURCE PORT
POST-DESTINATION PORT", a tab, and the time in seconds since 1970. The port of ICMP's source is the
identifier, that of its destination is 0. v5: "FLAGS PROTOCOL SOURCE PORT DESTINATION PORT NEXT-HOP AS AS".
Flows: as an event with "flow" in front, without time; ICMP's ports are 0; "same" instead of the translation
where there is none.
"""
import datetime
import ipaddress
import json
import re
import subprocess
import sys

ICMP = (1, 58)
CLIENT = ("192.0.2.", "2001:db8:1:")
KINDS = {4: "create", 5: "delete"}


def line(kind, protocol, ends, time):
    words = [kind, protocol] + [str(ipaddress.ip_address(end)) if at % 2 == 0 else end for at, end in enumerate(ends)]
    return " ".join(map(str, words)) + f"\t{time:.6f}"


def connections(path):
    """(time, "NEW" or "DESTROY", protocol, original, reply) of every event; a tuple is (source, port, destination, port).

    What conntrack -L lists is told as "NEW" at 0."""
    with open(path, encoding="ascii") as file:
        for text in file:
            found = re.match(r"(?:\[(\d+\.\d+)\]\s+\[(NEW|DESTROY)\]\s+)?\w+\s+(\d+) (.*)", text)
            if not found:
                continue
            time, what, protocol, rest = found.groups()
            words = {}
            for key, value in re.findall(r"(\w+)=(\S+)", rest):
                words.setdefault(key, []).append(value)
            tuples = []
            for way in range(2):
                if int(protocol) in ICMP:
                    identifier = int(words["id"][way])
                    # The reply of an echo request goes to the identifier's end.
                    ports = (identifier, 0) if way == 0 else (0, identifier)
                else:
                    ports = int(words["sport"][way]), int(words["dport"][way])
                tuples.append((words["src"][way], ports[0], words["dst"][way], ports[1]))
            yield float(time or 0), what or "NEW", int(protocol), *tuples


def translated(path):
    """(time, what, protocol, original, the same after translation), of translated connections."""
    for time, what, protocol, original, reply in connections(path):
        after = reply[2:] + reply[:2]
        if after != original:
            yield time, what, protocol, original, after


def truth(path):
    for time, what, protocol, original, after in translated(path):
        yield line({"NEW": "create", "DESTROY": "delete"}[what], protocol, original + after, time)


def v5_truth(path):
    for time, what, protocol, original, after in translated(path):
        flags = {"NEW": "0x12", "DESTROY": "0x05"}[what]
        common = f"{flags} {protocol} {original[0]} {original[1]} {after[2]} {after[3]}"
        if ":" in original[0]:
            continue
        if original[:2] != after[:2]:
            yield f"{common} {after[0]} {after[1]} 0\t{time:.6f}"
        if original[2:] != after[2:]:
            yield f"{common} {original[2]} 0 {original[3]}\t{time:.6f}"


def traffic_truth(path):
    with open(path, encoding="ascii") as file:
        for text in file:
            if "[DESTROY]" in text:
                words = dict(reversed(re.findall(r"(\w+)=(\S+)", text)))
                counters = re.findall(r"(?:packets|bytes)=(\d+)", text)
                yield " ".join([words["src"], words["dst"], words.get("sport", "-"), *counters])


def traffic_json(path):
    with open(path, encoding="utf-8") as file:
        for text in file:
            record = json.loads(text)
            if record.get("natEvent") == 5:
                port = "-" if record["protocolIdentifier"] in ICMP else record["sourceTransportPort"]
                yield " ".join(map(str, (
                    either(record, "sourceIPv4Address", "sourceIPv6Address"),
                    either(record, "destinationIPv4Address", "destinationIPv6Address"), port,
                    record.get("initiatorPackets"), record.get("initiatorOctets"),
                    record.get("responderPackets"), record.get("responderOctets"))))


def seconds(text):
    """Of '2026-11-21T18:10:22.320Z', or as tshark writes it: 'Nov 21, 2026 18:10:22.320000000 UTC'."""
    text = text.removesuffix("Z").removesuffix(" UTC")
    whole, _, fraction = text.partition(".")
    form = "%Y-%m-%dT%H:%M:%S" if "T" in whole[:12] else "%b %d, %Y %H:%M:%S"
    moment = datetime.datetime.strptime(whole, form).replace(tzinfo=datetime.timezone.utc)
    return moment.timestamp() + float("0." + (fraction or "0"))


def either(record, *names):
    for name in names:
        if name in record:
            return record[name]
    return 0


def from_json(path):
    with open(path, encoding="utf-8") as file:
        for text in file:
            record = json.loads(text)
            if "natEvent" in record:
                ends = [either(record, *names) for names in (
                    ("sourceIPv4Address", "sourceIPv6Address"), ("sourceTransportPort",),
                    ("destinationIPv4Address", "destinationIPv6Address"), ("destinationTransportPort",),
                    ("postNATSourceIPv4Address", "postNATSourceIPv6Address"), ("postNAPTSourceTransportPort",),
                    ("postNATDestinationIPv4Address", "postNATDestinationIPv6Address"),
                    ("postNAPTDestinationTransportPort",))]
                kind = KINDS.get(record["natEvent"], record["natEvent"])
                yield line(kind, record["protocolIdentifier"], ends, seconds(record["observationTimeMilliseconds"]))


def trees(path, port):
    """The tree of each record in the messages to a port, and its message's, as tshark has them."""
    output = subprocess.run(
        ["tshark", "-r", path, "-d", f"udp.port=={port},cflow", "-Y", f"udp.dstport=={port} && cflow", "-T", "json",
         "-J", "cflow"], capture_output=True, check=True).stdout
    for packet in json.loads(output or "[]"):
        message = packet["_source"]["layers"]["cflow"]
        for name, tree in message.items():
            if name.startswith("pdu "):
                yield tree, message
            if isinstance(tree, dict) and int(tree.get("cflow.flowset_id", 0)) >= 256:
                yield from ((flow, message) for title, flow in tree.items() if title.startswith("Flow "))


def from_tshark(path, port):
    for tree, _ in trees(path, port):
        words = {name.removeprefix("cflow."): value for name, value in tree.items()}
        if "nat_event" not in words:
            continue
        ends = [either(words, *names) for names in (
            ("srcaddr", "srcaddrv6"), ("srcport",), ("dstaddr", "dstaddrv6"), ("dstport",),
            ("post_natsource_ipv4_address", "post_nat_source_ipv6_address"), ("post_naptsource_transport_port",),
            ("post_natdestination_ipv4_address", "post_nat_destination_ipv6_address"),
            ("post_naptdestination_transport_port",))]
        kind = int(words["nat_event"])
        yield line(KINDS.get(kind, kind), words["protocol"], ends, seconds(words["observation_time_milliseconds"]))


def from_v5(path, port):
    for tree, message in trees(path, port):
        words = {name.removeprefix("cflow."): value for name, value in tree.items()}
        if int(words["packets"]) or int(words["octets"]):
            continue
        header = message["cflow.timestamp_tree"]
        now = int(header["cflow.unix_secs"]) + int(header["cflow.unix_nsecs"]) / 1e9
        ago = float(message["cflow.sysuptime"]) - float(words["timedelta_tree"]["cflow.timeend"])
        yield f"{int(words['tcpflags'], 16):#04x} {words['protocol']} {words['srcaddr']} {words['srcport']} " \
            f"{words['dstaddr']} {words['dstport']} {words['nexthop']} {words['srcas']} {words['dstas']}\t{now - ago:.6f}"


def from_nfdump(folder):
    output = subprocess.run(["nfdump", "-R", folder, "-o", "json"], capture_output=True, check=True).stdout
    for record in json.loads(output or "[]"):
        if "nat_event_id" not in record:
            continue
        ends = [either(record, *names) for names in (
            ("src4_addr", "src6_addr"), ("src_port",), ("dst4_addr", "dst6_addr"), ("dst_port",),
            ("src4_xlt_ip", "src6_xlt_ip"), ("src_xlt_port",), ("dst4_xlt_ip", "dst6_xlt_ip"), ("dst_xlt_port",))]
        if record["proto"] in ICMP:
            # It keeps no ports of ICMP but the translated ones.
            ends[1] = ends[5]
        kind = int(record["nat_event_id"])
        # It writes milliseconds as a number: .27 are 27 of them.
        whole, _, milliseconds = record["t_event"].partition(".")
        yield line(KINDS.get(kind, kind), record["proto"], ends, seconds(f"{whole}.{milliseconds:>03}"))


def flow_line(protocol, ends, post):
    words = ["flow", protocol] + [str(ipaddress.ip_address(end)) if at % 2 == 0 else end
                                  for at, end in enumerate(ends)]
    if post is None:
        return " ".join(map(str, words + ["same"]))
    return " ".join(map(str, words + [str(ipaddress.ip_address(end)) if at % 2 == 0 else end
                                      for at, end in enumerate(post)]))


def flows_truth(path, point):
    for _, _, protocol, original, reply in connections(path):
        if protocol in ICMP:
            original, reply = ((way[0], 0, way[2], 0) for way in (original, reply))
        after = reply[2:] + reply[:2]
        between = original[:2] + after[2:]
        # The two links see a connection from outside the other way round, and one that turns back in the router twice.
        from_client, to_client = (ends[at].startswith(CLIENT) for ends, at in ((original, 0), (after, 2)))
        links = {"inside": [original] * from_client + [after] * to_client,
                 "outside": [original] * (not from_client) + [after] * (not to_client)}
        there = {"arriving": [original], "between": [between], **links}[point]
        # PREROUTING has the answers as they come, all others have them as the packets before, turned round.
        back = [reply] if point == "arriving" else [inverse(ends) for ends in there]
        translation = (after, inverse(original)) if after != original else (None, None)
        yield from (flow_line(protocol, ends, translation[0]) for ends in there)
        yield from (flow_line(protocol, ends, translation[1]) for ends in back)


def inverse(ends):
    return ends[2:] + ends[:2]


def flows_json(path):
    with open(path, encoding="utf-8") as file:
        for text in file:
            record = json.loads(text)
            if "packetDeltaCount" not in record or is_noise(record):
                continue
            ends = [either(record, *names) for names in (
                ("sourceIPv4Address", "sourceIPv6Address"), ("sourceTransportPort",),
                ("destinationIPv4Address", "destinationIPv6Address"), ("destinationTransportPort",))]
            post = [either(record, *names) for names in (
                ("postNATSourceIPv4Address", "postNATSourceIPv6Address"), ("postNAPTSourceTransportPort",),
                ("postNATDestinationIPv4Address", "postNATDestinationIPv6Address"),
                ("postNAPTDestinationTransportPort",))]
            yield flow_line(record["protocolIdentifier"], ends, post if any(post) else None)


def is_noise(record):
    """flowprobe's own export, neighbour discovery, multicast reports: none of the connections that are compared."""
    return record.get("sourceIPv4Address") == "127.0.0.1" or record.get("icmpTypeCodeIPv6", 0) // 256 > 129


def flows_nfdump(folder):
    output = subprocess.run(["nfdump", "-R", folder, "-o", "json"], capture_output=True, check=True).stdout
    for record in json.loads(output or "[]"):
        ends = [either(record, *names) for names in (
            ("src4_addr", "src6_addr"), ("src_port",), ("dst4_addr", "dst6_addr"), ("dst_port",))]
        post = [either(record, *names) for names in (
            ("src4_xlt_ip", "src6_xlt_ip"), ("src_xlt_port",), ("dst4_xlt_ip", "dst6_xlt_ip"), ("dst_xlt_port",))]
        if record["proto"] in ICMP:
            ends[1] = ends[3] = 0
        yield flow_line(record["proto"], ends, post if any(post) else None)


def far(first, second, most):
    times = []
    for path in first, second:
        with open(path, encoding="ascii") as file:
            times.append(dict(text.rstrip("\n").split("\t") for text in file))
    for event, time in times[0].items():
        if event in times[1] and abs(float(time) - float(times[1][event])) > float(most) / 1000:
            yield f"{event}: {time}, not {times[1][event]}"


WAYS = {"truth": truth, "json": from_json, "tshark": from_tshark, "v5": from_v5, "nfdump": from_nfdump,
        "v5-truth": v5_truth, "traffic-truth": traffic_truth, "traffic-json": traffic_json, "far": far, "flows-truth": flows_truth, "flows-json": flows_json,
        "flows-nfdump": flows_nfdump}
for answer in WAYS[sys.argv[1]](*sys.argv[2:]):
    print(answer)
