# SPDX-License-Identifier: Apache-2.0
#
# What the numbered scripts share: namespaces, traffic, flowprobe, collectors,
# and the one line each of them prints. A script reads like this:
#
#     . "${0%/*}/functions.sh"
#     begin 01 "the rule it tests, in plain words"
#     …                                  # check … || fail "what is wrong"
#     pass
#
# Exit status: 0 passed, 1 failed, 77 skipped.
#
# Every namespace's name begins with $prefix, every file lies in $work; both are gone at the
# end, with the processes. KEEP=1 leaves the files, and names their folder.

set -uo pipefail
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
FLOWPROBE=${FLOWPROBE:-$root/.build/release/flowprobe}
case $FLOWPROBE in */*) FLOWPROBE=$(realpath -m "$FLOWPROBE") ;; *) FLOWPROBE=$(command -v "$FLOWPROBE") ;; esac

# -- the frame of a script ---------------------------------------------------------

begin() { # NUMBER TITLE
    number=$1 title=$2
    [ "$(id -u)" = 0 ] || skip "not root"
    need ip tcpdump tshark jq python3 ss
    [ -x "$FLOWPROBE" ] || fail "cannot run '$FLOWPROBE': no such program; build it, or name it in FLOWPROBE"
    prefix=fp$number-$$
    work=$(mktemp -d)
    began=$(cut -d ' ' -f 1 /proc/uptime)
    trap clean_up EXIT
    trap 'exit 1' INT TERM
}

need() { # TOOL...
    local tool
    for tool in "$@"; do command -v "$tool" >/dev/null || skip "$tool is not installed"; done
}

# Every script shows too that the sandbox refuses flowprobe nothing that it needs.
pass() {
    local refused
    refused=$(refusals)
    [ -z "$refused" ] || fail "the sandbox refused: $refused"
    echo "ok $number $title"
    exit 0
}
# The system calls that the kernel refused FLOWPROBE since the script began, by number, and whose thread made them; nothing
# where the kernel keeps no log of them.
refusals() {
    dmesg 2>/dev/null | awk -v began="$began" -v program="exe=\"$FLOWPROBE\"" '
        index($0, program) && / type=1326 / {
            time = $0; sub(/^\[ */, "", time)
            if (time + 0 < began) next
            match($0, /comm=[^ ]*/); thread = substr($0, RSTART + 5, RLENGTH - 5)
            match($0, / syscall=[0-9]*/); print substr($0, RSTART + 9, RLENGTH - 9), thread
        }' | sort | uniq -c | xargs
}
# Has the line of the script end with figures: those of docs/faults.md.
noted() { title+=" ($*)"; }
fail() { echo "not ok $number $title: $*"; exit 1; }
skip() { echo "skip $number $title: $*"; exit 77; }

clean_up() {
    local child namespace each
    for child in "${children[@]}"; do kill "$child" 2>/dev/null; done
    for child in "${children[@]}"; do gone "$child" 2 || kill -KILL "$child" 2>/dev/null; done
    for namespace in "${namespaces[@]}"; do
        ip netns pids "$namespace" 2>/dev/null | xargs -r kill -KILL 2>/dev/null
        ip netns del "$namespace" 2>/dev/null
        rm -rf "/etc/netns/$namespace"
    done
    rmdir --ignore-fail-on-non-empty /etc/netns 2>/dev/null
    for each in "${mounts[@]}"; do umount "$each" 2>/dev/null; done
    if [ -n "${KEEP:-}" ]; then echo "$work" >&2; else rm -rf "$work"; fi
}

wait_for() { # SECONDS COMMAND... : until it holds; false when the time is over
    local end=$((SECONDS + $1 + 1))
    shift
    until "$@"; do
        ((SECONDS < end)) || return 1
        sleep 0.05
    done
}

running() { kill -0 "$1" 2>/dev/null; }
gone() { # PID SECONDS
    wait_for "$2" eval "! kill -0 $1 2>/dev/null"
}

within() { # VALUE LOW HIGH, decimals allowed
    awk -v v="$1" -v l="$2" -v h="$3" 'BEGIN { exit !(v != "" && v + 0 >= l && v + 0 <= h) }'
}

same() { # WHAT EXPECTED FOUND
    [ "$2" = "$3" ] || fail "$1: expected '$2', found '$3'"
}

# -- namespaces and links ---------------------------------------------------------

# The names scripts use (client, probe, …) are short forms of the real ones.
netns() { echo "$prefix-$1"; }
on() { ip netns exec "$(netns "$1")" "${@:2}"; }

namespace() { # NAME...
    local name
    for name in "$@"; do
        ip netns add "$(netns "$name")" || fail "cannot make network namespace '$(netns "$name")'"
        namespaces+=("$(netns "$name")")
        ip -n "$(netns "$name")" link set lo up
        on "$name" sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.router_solicitations=0
    done
}

# A pair of interfaces. Both are up and quiet: addresses are usable at once.
link() { # NAMESPACE INTERFACE NAMESPACE INTERFACE [MTU]
    ip link add "$2" netns "$(netns "$1")" mtu "${5:-1500}" type veth \
        peer name "$4" netns "$(netns "$3")" mtu "${5:-1500}" || fail "cannot make link $2 - $4"
    ip -n "$(netns "$1")" link set "$2" up
    ip -n "$(netns "$3")" link set "$4" up
}

address() { # NAMESPACE INTERFACE ADDRESS/LENGTH...
    local each
    for each in "${@:3}"; do
        case $each in
        *:*) ip -n "$(netns "$1")" address add "$each" dev "$2" nodad ;;
        *) ip -n "$(netns "$1")" address add "$each" dev "$2" ;;
        esac || fail "cannot set address $each on $2"
    done
}

interface_index() { # NAMESPACE INTERFACE
    ip -n "$(netns "$1")" -json link show dev "$2" 2>/dev/null | jq '.[0].ifindex'
}

# -- processes ------------------------------------------------------------------------

# Starts a program in a namespace: output in $work/NAME.out, messages in $work/NAME.err,
# its process id in $pid and in pid_of[NAME].
declare -A pid_of
declare -a children namespaces mounts
start() { # NAME NAMESPACE COMMAND...
    : >"$work/$1.err"
    ip netns exec "$(netns "$2")" env --default-signal=INT "${@:3}" \
        >"$work/$1.out" 2>"$work/$1.err" &
    pid=$!
    pid_of[$1]=$pid
    children[pid]=$pid
}

# Sends a signal, waits for the end (at most 30 s); the exit status is in $status.
stop() { # NAME [SIGNAL]
    kill -"${2:-TERM}" "${pid_of[$1]}" 2>/dev/null
    ended "$1"
}
ended() { # NAME [SECONDS] : waits for a program to end by itself
    local child=${pid_of[$1]}
    # The shell would say of a child that it was killed.
    { gone "$child" "${2:-30}"; } 2>/dev/null || fail "$1 still runs ${2:-30} s after it should have ended"
    wait "$child" 2>/dev/null
    status=$?
    unset "children[child]"
}

# The inodes of a process's sockets, on one line.
sockets_of() { # NAME
    readlink /proc/"${pid_of[$1]}"/fd/* 2>/dev/null | sed -n 's/^socket:\[\(.*\)\]$/\1/p' | xargs
}

# True once the process has COUNT packet sockets on the interface with that index.
listens_to() { # NAME NAMESPACE INTERFACE [COUNT]
    local index sockets count=0 inode
    index=$(interface_index "$2" "$3")
    sockets=" $(sockets_of "$1") "
    while read -r inode; do
        case $sockets in *" $inode "*) ((count++)) ;; esac
    done < <(on "$2" awk -v index_wanted="$index" '$5 == index_wanted && $6 == 1 { print $NF }' /proc/net/packet)
    ((count >= ${4:-1}))
}

port_open() { # NAMESPACE PORT [PROTOCOL]
    local letter=u
    [ "${3:-udp}" = tcp ] && letter=t
    on "$1" ss -Hln"$letter" "sport = :$2" | grep -q .
}
port_drained() { # NAMESPACE PORT : nothing waits in its UDP receive queue
    on "$1" ss -Hlnu "sport = :$2" | awk '$2 > 0 { waiting = 1 } END { exit waiting }'
}

# -- flowprobe -------------------------------------------------------------------------

# Starts flowprobe and waits until it captures on every -i, listens to every --nflog group and hears conntrack if it is to;
# names: flowprobe.out, flowprobe.err, or NAME.out, NAME.err. It writes no statistics files but to a --stat-dir, and has no
# control socket but a --control.
start_flowprobe() { # NAMESPACE OPTION...
    start_flowprobe_as flowprobe "$@"
}
start_flowprobe_as() { # NAME NAMESPACE OPTION...
    local name=$1 namespace=$2 without=()
    shift 2
    case " $* " in *" --stat-dir "*) ;; *) without+=(--no-stat) ;; esac
    case " $* " in *" --control "*) ;; *) without+=(--no-control) ;; esac
    start "$name" "$namespace" "$FLOWPROBE" "${without[@]}" "$@"
    while (($# > 0)); do
        case $1 in
        -i) ready "$name" "captures on $2" listens_to "$name" "$namespace" "$2" ;;
        --nflog) ready "$name" "listens to group $2" groups_bound "$namespace" "$2" ;;
        --natevents) ready "$name" "hears conntrack" hears_conntrack "$name" "$namespace" ;;
        esac
        shift
    done
    sleep 0.3 # from the socket's making to its filter
}
ready() { # NAME WHAT COMMAND...
    wait_for 10 ready_or_ended "$1" "${@:3}"
    running "${pid_of[$1]}" || fail "flowprobe ended early: $(told "$1")"
    "${@:3}" || fail "it is not so within 10 s that flowprobe $2: $(told "$1")"
}
ready_or_ended() { ! running "${pid_of[$1]}" || "${@:2}"; }

stop_flowprobe() { # [SIGNAL]
    stop_flowprobe_as flowprobe "$@"
}
stop_flowprobe_as() { # NAME [SIGNAL]
    running "${pid_of[$1]}" || fail "flowprobe ended before it was stopped: $(told "$1")"
    stop "$1" "${2:-TERM}"
    same "exit status after SIG${2:-TERM} ($(told "$1"))" 0 "$status"
}

# Runs flowprobe to its end; exit status in $status.
run_flowprobe() { # NAMESPACE OPTION...
    start flowprobe "$1" "$FLOWPROBE" "${@:2}"
    ended flowprobe 60
}

told() { # [NAME]
    tr '\n' '|' <"$work/${1:-flowprobe}.err" | cut -c1-300
}

# Packets, octets, flows of the summary on standard error.
summary() {
    sed -n 's/^flowprobe: metered \([0-9]*\) packets, \([0-9]*\) octets in \([0-9]*\) flows.*/\1 \2 \3/p' \
        "$work/flowprobe.err" | head -n 1
}

# Packets, octets, records of the JSON that a jq condition selects.
json_sums() { # [CONDITION]
    jq -rs "map(select(${1:-true})) | \"\(map(.packetDeltaCount) | add // 0) \(map(.octetDeltaCount) | add // 0) \(length)\"" \
        "$work/flowprobe.out" 2>&1
}

# -- rules, NAT, and who listens to them ------------------------------------------------

# A router between a client and a server, both families; $inside and $outside are the ifIndexes of r0 and r1.
#
#     client c0 ---------------- r0 router r1 ----------------- s0 server
#     192.0.2.1        192.0.2.254         198.51.100.254       198.51.100.2
#     2001:db8:1::1    2001:db8:1::fe      2001:db8:2::fe       2001:db8:2::2
router_scene() {
    namespace client router server
    link client c0 router r0
    link router r1 server s0
    address client c0 192.0.2.1/24 2001:db8:1::1/64
    address router r0 192.0.2.254/24 2001:db8:1::fe/64
    address router r1 198.51.100.254/24 2001:db8:2::fe/64
    address server s0 198.51.100.2/24 2001:db8:2::2/64
    on router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    ip -n "$(netns client)" route add default via 192.0.2.254
    ip -n "$(netns client)" route add default via 2001:db8:1::fe
    ip -n "$(netns server)" route add default via 198.51.100.254
    ip -n "$(netns server)" route add default via 2001:db8:2::fe
    inside=$(interface_index router r0)
    outside=$(interface_index router r1)
}

# The router translates, every way there is; translations lists connections that use each. The client has 192.0.2.1 to
# .5, 2001:db8:1::1 to ::5: .1 is masqueraded, .2 gets another source address, .3 (TCP and UDP) another port too, .4 and
# .5 keep theirs. 203.0.113.80 and 2001:db8:80::80 stand for the server; ports 8080 and 8053 of the router's outside lead
# to the client.
translate() {
    local last
    for last in 2 3 4 5; do address client c0 "192.0.2.$last/24" "2001:db8:1::$last/64"; done
    address router r1 198.51.100.77/24 198.51.100.78/24 2001:db8:2::77/64 2001:db8:2::78/64
    translate_family iptables 192.0.2. 198.51.100. 203.0.113.80 '' ''
    translate_family ip6tables 2001:db8:1:: 2001:db8:2:: 2001:db8:80::80 '[' ']'
}
translate_family() { # COMMAND CLIENT SERVER VIRTUAL BRACKET BRACKET
    local nat=(on router "$1" -t nat) self=254 port
    [ "$1" = ip6tables ] && self=fe
    {
        "${nat[@]}" -A POSTROUTING -o r1 -s "${2}1" -j MASQUERADE
        "${nat[@]}" -A POSTROUTING -o r1 -s "${2}2" -j SNAT --to-source "${3}77"
        for port in tcp udp; do
            "${nat[@]}" -A POSTROUTING -o r1 -s "${2}3" -p $port -j SNAT --to-source "$5${3}78$6:20000-20099"
        done
        "${nat[@]}" -A PREROUTING -i r0 -d "$4" -j DNAT --to-destination "${3}2"
        "${nat[@]}" -A PREROUTING -i r1 -d "$3$self" -p tcp --dport 8080 -j DNAT --to-destination "$5${2}1$6:5002"
        "${nat[@]}" -A PREROUTING -i r1 -d "$3$self" -p udp --dport 8053 -j DNAT --to-destination "$5${2}1$6:5001"
    } 2>/dev/null || fail "cannot make the NAT rules with $1"
}
# Ports go up from FIRST; `exchange client < <(translations client FIRST)`.
translations() { # client|server FIRST
    local port=$2 protocol client server virtual self each
    for each in "192.0.2. 198.51.100. 203.0.113.80 254" "2001:db8:1:: 2001:db8:2:: 2001:db8:80::80 fe"; do
        read -r client server virtual self <<<"$each"
        if [ "$1" = server ]; then
            echo "tcp ${server}2 $((port++)) $server$self 8080"
            echo "udp ${server}2 $((port++)) $server$self 8053"
            continue
        fi
        for protocol in "tcp 5002" "udp 5001" "icmp 0"; do
            echo "${protocol% *} ${client}1 $((port++)) ${server}2 ${protocol#* }"  # MASQUERADE
            echo "${protocol% *} ${client}2 $((port++)) ${server}2 ${protocol#* }"  # SNAT
            echo "${protocol% *} ${client}4 $((port++)) $virtual ${protocol#* }"    # DNAT
            echo "${protocol% *} ${client}1 $((port++)) $virtual ${protocol#* }"    # both
            echo "${protocol% *} ${client}5 $((port++)) ${server}2 ${protocol#* }"  # neither
            [ "${protocol% *}" = icmp ] ||
                echo "${protocol% *} ${client}3 $((port++)) ${server}2 ${protocol#* }" # SNAT with ports
        done
    done
}

# conntrack's own words, by which NAT events are measured: $work/conntrack.out, as nat_events.py reads them.
start_conntrack() { # NAMESPACE
    start conntrack "$1" stdbuf -oL conntrack -E -e NEW,DESTROY -o timestamp,id -b 8388608
    wait_for 10 hears_conntrack conntrack "$1" || fail "conntrack does not listen: $(head -n 1 "$work/conntrack.err")"
}
list_conntrack() { # NAMESPACE : the connections that there are, as nat_events.py reads them
    on "$1" conntrack -L -o id 2>/dev/null | grep -v src=127.0.0.1
}
nat_events() { # WAY FILE...
    python3 "$here/nat_events.py" "$@" || fail "nat_events.py $* went wrong"
}

# For each line "tcp|udp|icmp FROM PORT TO PORT" one connection with an answer.
exchange() { # NAMESPACE <LINES
    on "$1" python3 "$here/traffic.py" exchange || fail "an exchange went wrong"
}

# Packets and octets that the NFLOG rules of a namespace counted.
rules_sums() { # NAMESPACE [iptables|iptables-legacy|ip6tables|…|nft]
    case $2 in
    nft) on "$1" nft list ruleset | sed -n 's/.*counter packets \([0-9]*\) bytes \([0-9]*\) log group.*/\1 \2/p' ;;
    *) on "$1" "$2-save" -c 2>/dev/null | sed -n 's/^\[\([0-9]*\):\([0-9]*\)\] .*-j NFLOG.*/\1 \2/p' ;;
    esac | awk '{ packets += $1; octets += $2 } END { print packets + 0, octets + 0 }'
}

# True once a program listens to every group of a list such as "1-3,5".
groups_bound() { # NAMESPACE GROUPS
    on "$1" awk -v list="$2" '{ bound[$1] = 1 }
        END {
            ranges = split(list, range, ",")
            for (at = 1; at <= ranges; at++) {
                ends = split(range[at], end, "-")
                for (group = end[1]; group <= end[ends]; group++) if (!bound[group]) exit 1
            }
        }' /proc/net/netfilter/nfnetlink_log
}

# True once the process has a socket that gets conntrack's events.
hears_conntrack() { # NAME NAMESPACE
    local sockets inode
    sockets=" $(sockets_of "$1") "
    while read -r inode; do
        case $sockets in *" $inode "*) return 0 ;; esac
    done < <(on "$2" awk '$2 == 12 && $4 != "00000000" { print $NF }' /proc/net/netlink)
    return 1
}

# -- what tcpdump saw ---------------------------------------------------------------

start_tcpdump() { # NAME NAMESPACE INTERFACE [FILTER...]
    start "$1" "$2" tcpdump -i "$3" -w "$work/$1.pcap" -U --immediate-mode -s 200 -B 16384 "${@:4}"
    wait_for 10 grep -q 'listening on' "$work/$1.err" || fail "tcpdump does not start: $(head -n 1 "$work/$1.err")"
}

stop_tcpdump() { # NAME : once it has written all that it saw
    local previous=-1 size=0
    while [ "$size" != "$previous" ]; do
        sleep 0.4
        previous=$size
        size=$(stat -c %s "$work/$1.pcap")
    done
    stop "$1"
    grep -q '^0 packets dropped by kernel' "$work/$1.err" || fail "tcpdump itself lost packets: $(grep dropped "$work/$1.err")"
}

# Packets and IP octets in a capture, as tshark reads them.
capture_sums() { # FILE [DISPLAY FILTER]
    tshark -r "$1" -Y "(ip || ipv6)${2:+ && ($2)}" -T fields -E occurrence=f -e ip.len -e ipv6.plen 2>/dev/null |
        awk -F '\t' '{ packets++; octets += $1 != "" ? $1 : $2 + 40 } END { print packets + 0, octets + 0 }'
}

# -- traffic and collectors ---------------------------------------------------------

traffic() { # NAMESPACE SUBCOMMAND... : see traffic.py
    on "$1" python3 "$here/traffic.py" "${@:2}" || fail "traffic ${*:2} went wrong"
}
start_traffic() { # NAME NAMESPACE SUBCOMMAND...
    start "$1" "$2" python3 "$here/traffic.py" "${@:3}"
}
start_server() { # NAMESPACE udp|tcp PORT [--echo] : takes what comes
    start_traffic "$1-$2-server-$3" "$1" "$2-server" "${@:3}"
    wait_for 10 port_open "$1" "$3" "$2" || fail "the $2 server on port $3 does not start"
}

# nfcapd with its default receive buffer; files in $work/NAME.
start_nfcapd() { # NAME NAMESPACE ADDRESS PORT [OPTION...]
    local family=-4
    case $3 in *:*) family=-6 ;; esac
    mkdir -p "$work/$1"
    start "$1" "$2" nfcapd $family -b "$3" -p "$4" -w "$work/$1" "${@:5}"
    wait_for 10 port_open "$2" "$4" || fail "nfcapd does not start: $(head -n 1 "$work/$1.err")"
}
stop_nfcapd() { # NAME NAMESPACE PORT : once it has read all that waits
    wait_for 10 port_drained "$2" "$3" || fail "nfcapd does not keep up"
    sleep 0.3
    stop "$1"
}
collected() { # NAME [NFDUMP FILTER] : one line a flow, "PACKETS OCTETS SOURCE-PORT DESTINATION-PORT"
    nfdump -R "$work/$1" -q -N -o 'fmt:%pkt %byt %sp %dp' "${2:-any}" 2>/dev/null | grep '[0-9]'
}
collected_sums() { # NAME [NFDUMP FILTER]
    collected "$@" | awk '{ packets += $1; octets += $2; flows++ } END { print packets + 0, octets + 0, flows + 0 }'
}
sequence_failures() { # NAME
    nfdump -R "$work/$1" -I 2>/dev/null | sed -n 's/^Sequence failures: //p'
}

# A file system in memory, gone at the end; before a program is started that shall see it.
disk() { # DIRECTORY [OPTIONS]
    mkdir -p "$1"
    mount -t tmpfs ${2:+-o "$2"} none "$1" || skip "no file system can be mounted"
    mounts+=("$1")
}
# What there is in IPFIX files, "PACKETS OCTETS FLOWS", as libfixbuf reads each by itself; what it has to say is in
# $work/fixbuf.err.
file_sums() { # FILE...
    local file
    : >"$work/fixbuf.err"
    for file in "$@"; do
        ipfixDump --in "$file" --data 2>>"$work/fixbuf.err" || echo "ipfixDump cannot read $file" >>"$work/fixbuf.err"
    done | awk '$2 == "packetDeltaCount" { packets += $NF; flows++ } $2 == "octetDeltaCount" { octets += $NF }
        END { print packets + 0, octets + 0, flows + 0 }'
}
# The same as tshark reads them; what is malformed, or without its template, is no flow.
file_sums_tshark() { # FILE...
    local file
    for file in "$@"; do tshark -r "$file" -V 2>/dev/null; done |
        awk '/^ +Packets: / { packets += $2; flows++ } /^ +Octets: / { octets += $2 }
            END { print packets + 0, octets + 0, flows + 0 }'
}

# A collector that notes when each IPFIX message came: see collector.py.
start_collector() { # NAME NAMESPACE ADDRESS PORT
    start "$1" "$2" python3 "$here/collector.py" "$3" "$4" "$work/$1.json"
    wait_for 10 port_open "$2" "$4" || fail "the collector does not start: $(tail -n 1 "$work/$1.err")"
}
stop_collector() { # NAME NAMESPACE PORT : writes $work/NAME.json
    wait_for 10 port_drained "$2" "$3" || fail "the collector does not keep up"
    sleep 0.3
    stop "$1"
    same "exit status of the collector ($(tail -n 1 "$work/$1.err"))" 0 "$status"
}

# The first message whose sequence number is not the count of records before it, the
# first message's being 0 (RFC 7011 section 3.1); nothing when all are right.
sequence_break() { # FILE
    jq -rs 'foreach .[] as $m ({ next: 0 }; { expected: .next, found: $m.sequence, next: (.next + $m.records) };
        select(.expected != .found) | "\(.found), not \(.expected)")' "$1" | head -n 1
}

# A collector over TCP or TLS, each connection in a file of its own: see stream_collector.py.
start_stream_collector() { # NAME NAMESPACE ADDRESS PORT [OPTION...] : files in $work/NAME
    start "$1" "$2" python3 "$here/stream_collector.py" listen "$3" "$4" "$work/$1" "${@:5}"
    wait_for 10 port_open "$2" "$4" tcp || fail "the collector does not start: $(tail -n 1 "$work/$1.err")"
}
stream_messages() { # NAME : a JSON object a message, a file behind the other
    python3 "$here/stream_collector.py" read "$work/$1"/*.ipfix 2>"$work/$1.read"
}
# Records, and how many different destination ports they have.
stream_ports() { # NAME
    stream_messages "$1" | jq -r '.flows[]["11"] // empty' | sort -n | uniq -c |
        awk '{ records += $1; ports++ } END { print records + 0, ports + 0 }'
}
# What does not hold for a connection: that sequence numbers go on without a gap from whatever the first is, and that each
# set's template came before it.
stream_faults() { # NAME
    stream_messages "$1" | jq -rs 'group_by(.source)[] | . as $all | foreach .[] as $m ({ next: $all[0].sequence };
        { expected: .next, found: $m.sequence, undecoded: $m.undecoded, source: $m.source,
          next: (($m.sequence + $m.records) % 4294967296) };
        select(.expected != .found or .undecoded > 0) | "\(.source): \(.found), not \(.expected)")' | head -n 3
}
