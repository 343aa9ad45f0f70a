# SPDX-License-Identifier: Apache-2.0
#
# What the scripts about faults share, beside functions.sh: a probe that exports what a client sends, and both ends' counts.
#
#     client c0 ------------- p0 probe e0 ------------- k0 collector
#     192.0.2.1        192.0.2.2    198.51.100.1        198.51.100.2

stat=
destination= # which balance and figures are about, where there are several

export_scene() { # [OPTION...] : of the link to the collector
    namespace client probe collector
    link client c0 probe p0
    link probe e0 collector k0 "$@"
    address client c0 192.0.2.1/24
    address probe p0 192.0.2.2/24
    address probe e0 198.51.100.1/24
    address collector k0 198.51.100.2/24
    # Each datagram by itself, also where nobody takes it.
    on probe ethtool -K e0 tx-udp-segmentation off
    start_server probe udp 9000
}

# flowprobe meters what is sent to port 9000 and up, in records of a second, and has its statistics in $stat.
start_probe() { # OPTION...
    stat=$work/stat
    start_flowprobe probe -i p0 --stat-dir "$stat" --active-timeout 1 --inactive-timeout 1 --timeout-rate 1 "$@" \
        udp dst portrange 9000-9999
}

# Datagrams of 100 octets of IP to 100 ports, until stop_stream; how many it were is then in $sent.
start_stream() { # [RATE [SECONDS]]
    start_traffic stream client udp 192.0.2.2 9000 0 72 --ports 100 --rate "${1:-2000}" --seconds "${2:-60}"
}
stop_stream() {
    stop stream
    sent=$(<"$work/stream.out")
    [ -n "$sent" ] || fail "the sender does not say what it sent: $(tail -n 1 "$work/stream.err")"
}

# -- flowprobe's counts ------------------------------------------------------------------

metric() { # NAME [LABELS] : the sum of the samples that have the labels
    awk -v name="flowprobe_$1" -v labels="${2:-}" '{ at = index($0, "{"); bare = at ? substr($0, 1, at - 1) : $1 }
        bare == name && index($0, labels) { sum += $NF } END { print sum + 0 }' "$stat/flowprobe.prom"
}
told_of() { grep -qE -- "$1" "$work/flowprobe.err"; } # PATTERN

# Nothing is missing at the end: what was sent was metered, or told as dropped; that was exported, or told as lost.
balance() {
    same "packets sent, and metered or told as dropped" "$sent" $(($(metric metered_packets_total) + $(metric dropped_packets_total)))
    same "packets metered, and exported or told as lost" "$(metric metered_packets_total)" \
        $(($(metric export_flow_packets_total $destination) + $(metric export_lost_flow_packets_total $destination)))
}

figures() { # TEXT
    noted "$sent packets: $(metric metered_packets_total) metered, $(metric export_flow_packets_total $destination) exported, $(
        metric export_lost_flow_packets_total $destination) lost on the way; $1"
}

# -- the collector's -----------------------------------------------------------------------

# Counts what comes: see tally.py. A second start goes on with the counts of the first.
start_tally() { # NAME NAMESPACE ADDRESS PORT [RECEIVE-BUFFER]
    start "$1" "$2" python3 "$here/tally.py" "$3" "$4" "$work/$1.json" "${@:5}"
    wait_for 10 port_open "$2" "$4" || fail "the collector $1 does not start: $(tail -n 1 "$work/$1.err")"
}
stop_tally() { # NAME NAMESPACE PORT
    wait_for 10 port_drained "$2" "$3" || fail "the collector $1 does not keep up"
    stop "$1"
    same "exit status of the collector $1 ($(tail -n 1 "$work/$1.err"))" 0 "$status"
}
tallied() { jq -r ".$2" "$work/$1.json"; } # NAME FIELD

# A namespace's counters of UDP, as "NAME NUMBER": NoPorts had no socket, RcvbufErrors no room in it.
datagrams() { # NAMESPACE
    on "$1" awk '/^Udp:/ { if (!names++) split($0, name); else for (i = 2; i <= NF; i++) print name[i], $i }' /proc/net/snmp
}
datagrams_of() { datagrams "$1" | awk -v name="$2" '$1 == name { print $2 }'; } # NAMESPACE NAME
