# SPDX-License-Identifier: Apache-2.0
"""Holds what Tests/Soak/run has noted against each other; prints tables, and "wrong: ..." for what does not hold.

usage: verdict.py FOLDER RESTARTS ASKED FAILED
"""
import json
import re
import statistics
import sys

folder, restarts, asked, failed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
wrong = []


def lines(name):
    with open(f"{folder}/{name}") as file:
        return file.read().splitlines()


def expect(what, wanted, found):
    print(f"{what:<80} {wanted:>14} {found:>14}{'' if wanted == found else '  <--'}")
    if wanted != found:
        wrong.append(f"{what}: {wanted} expected, {found} found")


metrics = {}
for line in lines("stat/flowprobe.prom"):
    if not line.startswith("#"):
        name, value = line.rsplit(" ", 1)
        metrics[name] = float(value)


def metric(name, *labels):
    """The sum over the samples that have the labels."""
    pattern = re.compile(r"flowprobe_" + name + r"(\{|$)")
    return int(sum(value for key, value in metrics.items() if pattern.match(key) and all(label in key for label in labels)))


def nat_events(collector):
    return collector["events"].get("4", 0) + collector["events"].get("5", 0)


packets, octets, flows, connections = map(int, lines("generator.out")[-1].split())
datagrams = {name: int(value) for name, value in (line.split() for line in lines("datagrams"))}
steady, restarted, stream, files = (
    json.loads("".join(lines(f"{name}.json"))) for name in ("steady", "restarted", "stream", "files"))

# -- counts --------------------------------------------------------------------------------------

print(f"{'':<80} {'wanted':>14} {'found':>14}")
dropped = metric("dropped_packets_total")
expect("packets: sent = metered + told as dropped by kernel and interface", packets - datagrams["tx_dropped"],
       metric("metered_packets_total") + dropped)
if not dropped:
    expect("octets: sent = metered", octets, metric("metered_bytes_total"))
expect("packets: metered = exported to the collector that stays", metric("metered_packets_total"),
       metric("export_flow_packets_total", ":2056"))
for name, port, collector in ("stays", ":2056", steady), ("is restarted", ":2055", restarted):
    at = f"the collector that {name}"
    expect(f"messages: exported = collected + not taken at {at}", metric("export_messages_total", port),
           collector["messages"] + (datagrams["NoPorts"] + datagrams["RcvbufErrors"] if port == ":2055" else 0))
    expect(f"flows lost by flowprobe on the way to {at}", 0, metric("export_lost_flows_total", port))
for name, label, found in ("steady", ":2056", steady), ("files", "file://", files):
    expect(f"flow records: exported = collected, {name}", metric("export_flows_total", label), found["flows"] + found["lasting"])
    expect(f"packets: exported = collected, {name}", metric("export_flow_packets_total", label), found["packets"])
    expect(f"octets: exported = collected, {name}", metric("export_flow_bytes_total", label), found["octets"])
    if not dropped:
        expect(f"flows: begun by the generator = collected, {name}", flows, found["flows"])
    expect(f"records missing by their numbers, and sets without template, {name}", 0, found["missing"] + found["undecoded"])
    expect(f"NAT events, create and delete: connections = collected, {name}", 2 * connections, nat_events(found))
expect("packets: metered = exported to files", metric("metered_packets_total"), metric("export_flow_packets_total", "file://"))
expect("files that are not whole", 0, sum(name.startswith(".") for name in lines("files.list")))

# Over TCP every record comes, at least once.
over_tcp = "tcp://"
expect("packets: metered = acknowledged over TCP", metric("metered_packets_total"),
       metric("export_flow_packets_total", over_tcp))
expect("NAT events: connections = acknowledged over TCP", 2 * connections, metric("export_nat_events_total", over_tcp))
expect("flows lost by flowprobe on the way over TCP, or left in the spool", 0,
       metric("export_lost_flows_total", over_tcp) + metric("export_pending_flows", over_tcp) + len(lines("spool.list")))
expect("records missing within a connection, and sets without template, TCP", 0, stream["missing"] + stream["undecoded"])
again = (stream["flows"] + stream["lasting"] + nat_events(stream)
         - metric("export_flows_total", over_tcp) - metric("export_nat_events_total", over_tcp))
resent = metric("export_resent_messages_total", over_tcp)
print(f"{'TCP: connections, messages sent again':<80} {metric('export_connections_total', over_tcp):>14} {resent:>14}")
print(f"{'TCP: packets that came, records that came again':<80} {stream['packets']:>14} {again:>14}")
if again < 0 or stream["packets"] < metric("export_flow_packets_total", over_tcp):
    wrong.append(f"{-again} records did not come over TCP")
if again and not resent:
    wrong.append(f"{again} records came twice over TCP and none was sent again")
spooled = metric("export_spool_written_flows_total", over_tcp)
print(f"{'TCP: restarts of the collector, flows that were in the spool':<80} {(restarts + 1) // 2:>14} {spooled:>14}")
if restarts and not spooled:
    wrong.append("nothing was in the spool while the collector was away")

# Both over UDP got the same records, but for options records, of which each has its own (a few a minute).
exported = metric("export_flows_total", ":2055") + metric("export_nat_events_total", ":2055")
collected = restarted["flows"] + restarted["lasting"] + sum(restarted["events"].values())
missing_options = restarted["missing"] - (exported - collected)
print(f"{'records: exported - collected, missing by number; restarted':<80} {exported - collected:>14} {restarted['missing']:>14}")
if not 0 <= missing_options <= 4 * restarts:
    wrong.append(f"{exported - collected} records did not come, {restarted['missing']} are missing by their numbers")
# A start has one gap, or with sets without template two or more, until the template has come: all lie near a start.
print(f"{'restarts of the collector; gaps in the numbers it saw':<80} {restarts:>14} {restarted['breaks']:>14}")
if restarts and not restarts <= restarted["breaks"]:
    wrong.append("a collector that was away misses nothing")
expect("datagrams that a full receive buffer lost", 0, datagrams["RcvbufErrors"])
expect("requests (scrapes, ctl) that failed", 0, failed)
print(f"dropped before metering: {dropped} packets; requests answered: {asked - failed}")

# -- what it uses ----------------------------------------------------------------------------------

notes = [[float(field) for field in line.split()] for line in lines("notes")]
quarter = len(notes) // 4
# The first quarter is for growing: tables, buffers, collectors that are seen for the first time.
second, last = notes[quarter:2 * quarter], notes[3 * quarter:]
print(f"\n{'median of':<26} {'second quarter':>16} {'last quarter':>16} {'least':>10} {'most':>10}")
# A leak of a descriptor or thread is one too many; memory may breathe by 2 % and 1 MiB.
for name, column, slack in ("resident memory, KiB", 1, None), ("descriptors", 2, 0), ("threads", 3, 0):
    before, after = (statistics.median(note[column] for note in part) for part in (second, last))
    everything = [note[column] for note in notes]
    slack = before * 0.02 + 1024 if slack is None else slack
    grown = after > before + slack
    print(f"{name:<26} {before:>16.0f} {after:>16.0f} {min(everything):>10.0f} {max(everything):>10.0f}{'  <--' if grown else ''}")
    if grown:
        wrong.append(f"{name} grew from {before:.0f} to {after:.0f}")


def load(part):
    return 100 * (part[-1][4] - part[0][4]) / max(part[-1][0] - part[0][0], 1)


print(f"{'CPU, % of one processor':<26} {load(second):>16.1f} {load(last):>16.1f}")
for text in wrong:
    print(f"wrong: {text}")
sys.exit(bool(wrong))
