# SPDX-License-Identifier: Apache-2.0
"""Traffic for the scripts in this folder, counted to the packet.

udp TO PORT COUNT SIZE [--from-port N] [--ports N] [--rate PER_SECOND] [--seconds S]
    Sends COUNT datagrams of SIZE octets of payload. With --ports N the destination port
    goes round PORT ... PORT+N-1. With --seconds S it sends until the time is over
    and COUNT is not looked at. SIGTERM ends it early. Says on standard output how many it sent.
udp-server PORT [--echo], tcp-server PORT
    Take what comes, over IPv4 and IPv6; the TCP server answers with as much as it got, the
    UDP server with the same if it is told to.
tcp TO PORT OCTETS
    One TCP connection: OCTETS there, the same number back, closed in good order.
exchange
    For each line "tcp|udp|icmp FROM PORT TO PORT" of standard input one connection with an
    answer; of ICMP, an echo request with the first port as its identifier.
capture FILE COUNT
    Writes a capture of COUNT UDP flows of one packet each, 56 IP octets a packet, 5000 a second.
"""
import argparse
import signal
import socket
import struct
import sys
import threading
import time


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def udp(arguments):
    sender = socket.socket(family_of(arguments.to), socket.SOCK_DGRAM)
    if arguments.from_port:
        sender.bind(("", arguments.from_port))
    payload = bytes(arguments.size)
    start = time.monotonic()
    sent, stopped = 0, []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    while not stopped and (
            sent < arguments.count if arguments.seconds is None else time.monotonic() < start + arguments.seconds):
        if arguments.rate:
            time.sleep(max(0, start + sent / arguments.rate - time.monotonic()))
        try:
            sender.sendto(payload, (arguments.to, arguments.port + sent % arguments.ports))
        except ConnectionRefusedError:
            continue
        sent += 1
    print(sent)


def dual_stack(kind, port):
    server = socket.socket(socket.AF_INET6, kind)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    server.bind(("::", port))
    return server


def udp_server(arguments):
    server = dual_stack(socket.SOCK_DGRAM, arguments.port)
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    while True:
        data, addressed_to, _, sender = server.recvmsg(65535, 64)
        if arguments.echo:
            server.sendmsg([data], addressed_to, 0, sender)


def serve(connection):
    received = 0
    while data := connection.recv(65536):
        received += len(data)
    connection.sendall(bytes(received))
    connection.close()


def tcp_server(arguments):
    server = dual_stack(socket.SOCK_STREAM, arguments.port)
    server.listen()
    while True:
        threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()


def tcp(arguments):
    connection = socket.create_connection((arguments.to, arguments.port), timeout=20)
    connection.sendall(bytes(arguments.octets))
    connection.shutdown(socket.SHUT_WR)
    received = 0
    while data := connection.recv(65536):
        received += len(data)
    connection.close()
    if received != arguments.octets:
        raise SystemExit(f"{arguments.octets} octets sent, {received} came back")


def exchange(arguments):
    del arguments
    for line in sys.stdin:
        protocol, source, source_port, to, port = line.split()
        try:
            ways[protocol](family_of(to), (source, int(source_port)), (to, int(port)))
        except OSError as error:
            raise SystemExit(f"{line.strip()}: {error}")


def exchange_tcp(family, source, to):
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        connection.settimeout(5)
        connection.bind(source)
        connection.connect(to)
        connection.sendall(bytes(500))
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass


def exchange_udp(family, source, to):
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sender.settimeout(5)
        sender.bind(source)
        sender.connect(to)
        sender.send(bytes(100))
        sender.recv(65536)


def exchange_icmp(family, source, to):
    six = family == socket.AF_INET6
    kind = socket.getprotobyname("ipv6-icmp" if six else "icmp")
    request, reply = (128, 129) if six else (8, 0)
    with socket.socket(family, socket.SOCK_RAW, kind) as sender:
        sender.settimeout(5)
        sender.bind((source[0], 0))
        sender.connect((to[0], 0))
        body = struct.pack("!HH", source[1], 1) + bytes(56)
        checksum = internet_checksum(struct.pack("!BBH", request, 0, 0) + body)
        sender.send(struct.pack("!BBH", request, 0, checksum) + body)
        while True:
            answer = sender.recv(65536)
            message = answer if six else answer[(answer[0] & 15) * 4:]
            if message[0] == reply and message[4:6] == body[:2]:
                return


ways = {"tcp": exchange_tcp, "udp": exchange_udp, "icmp": exchange_icmp}


def internet_checksum(header):
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def capture(arguments):
    frame_length = 14 + 56
    ethernet = bytes.fromhex("020000000002" "020000000001" "0800")
    payload = bytes(28)
    second = 1_700_000_000
    with open(arguments.file, "wb", buffering=1 << 20) as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number in range(arguments.count):
            source = struct.pack("!I", 0x0A000001 + number // 50_000)
            fixed = struct.pack("!BBHHHBB", 0x45, 0, 56, 0, 0, 64, 17)
            to = source + b"\xc0\x00\x02\x01"
            header = fixed + struct.pack("!H", internet_checksum(fixed + b"\0\0" + to)) + to
            ports = struct.pack("!HHHH", 10_000 + number % 50_000, 53, 36, 0)
            microseconds = number * 200
            file.write(struct.pack("<IIII", second + microseconds // 1_000_000, microseconds % 1_000_000,
                                   frame_length, frame_length))
            file.write(ethernet + header + ports + payload)


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
commands = parser.add_subparsers(required=True)
command = commands.add_parser("udp")
command.add_argument("to")
command.add_argument("port", type=int)
command.add_argument("count", type=int)
command.add_argument("size", type=int)
command.add_argument("--from-port", type=int)
command.add_argument("--ports", type=int, default=1)
command.add_argument("--rate", type=float)
command.add_argument("--seconds", type=float)
command.set_defaults(run=udp)
for name, run in ("udp-server", udp_server), ("tcp-server", tcp_server):
    command = commands.add_parser(name)
    command.add_argument("port", type=int)
    command.add_argument("--echo", action="store_true")
    command.set_defaults(run=run)
command = commands.add_parser("exchange")
command.set_defaults(run=exchange)
command = commands.add_parser("tcp")
command.add_argument("to")
command.add_argument("port", type=int)
command.add_argument("octets", type=int)
command.set_defaults(run=tcp)
command = commands.add_parser("capture")
command.add_argument("file")
command.add_argument("count", type=int)
command.set_defaults(run=capture)
chosen = parser.parse_args()
chosen.run(chosen)
