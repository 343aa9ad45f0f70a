# SPDX-License-Identifier: Apache-2.0
"""Receives IPFIX over TCP or TLS, each connection into a file of its own; and reads such files.

usage: stream_collector.py listen ADDRESS PORT DIRECTORY [--tls CERTIFICATE KEY] [--clients CA] [--rate OCTETS]
       stream_collector.py read FILE...

listen writes what comes to DIRECTORY/NUMBER.ipfix as it comes; a number stays taken when the program is started again. With
--clients a client must show a certificate that CA has signed; with --rate so many octets a second are read, at most. At
SIGTERM it takes no more connections, says on those that there are that it says no more, and reads them to their end.

read prints one JSON object a message, as collector.py does, with the file's name as its source; a message without its end
is told of on standard error, and each file has templates of its own.
"""
import argparse
import json
import os
import signal
import socket
import ssl
import struct
import sys
import threading
import time

from ipfix_messages import decode

stopping = threading.Event()


def receive(connection, path, rate):
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                octets = connection.recv(min(65536, rate // 20) if rate else 65536)
                if not octets:
                    break
                file.write(octets)
                if rate:
                    time.sleep(len(octets) / rate)
        except (OSError, ssl.SSLError) as error:
            print(f"{path}: {error}", file=sys.stderr, flush=True)
    connection.close()


def farewell(connection):
    """Says that nothing more is said; what still comes is read."""
    stopping.wait()
    try:
        connection.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def listen(options):
    context = None
    if options.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*options.tls)
        if options.clients:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(options.clients)
    os.makedirs(options.directory, exist_ok=True)
    family = socket.AF_INET6 if ":" in options.address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if options.rate:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    listener.bind((options.address, options.port))
    listener.listen()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    threads = []
    listener.settimeout(0.05)
    while not stopping.is_set():
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        connection.settimeout(None)
        if context:
            try:
                connection = context.wrap_socket(connection, server_side=True)
            except (OSError, ssl.SSLError) as error:
                print(f"handshake: {error}", file=sys.stderr, flush=True)
                continue
        number = len(os.listdir(options.directory)) + 1
        path = os.path.join(options.directory, f"{number:03}.ipfix")
        threads.append(threading.Thread(target=receive, args=(connection, path, options.rate)))
        threads[-1].start()
        threading.Thread(target=farewell, args=(connection,), daemon=True).start()
    listener.close()
    for thread in threads:
        thread.join(10)
    os._exit(0)


def read(options):
    for path in options.files:
        with open(path, "rb") as file:
            octets = file.read()
        known, offset = {}, 0
        while offset < len(octets):
            length = struct.unpack_from("!H", octets, offset + 2)[0] if len(octets) - offset >= 16 else 16
            if length < 16 or offset + length > len(octets):
                print(f"{path}: {len(octets) - offset} octets are no message", file=sys.stderr)
                break
            print(json.dumps(decode(octets[offset:offset + length], 0, os.path.basename(path), known)))
            offset += length


parser = argparse.ArgumentParser()
commands = parser.add_subparsers(required=True)
command = commands.add_parser("listen")
command.add_argument("address")
command.add_argument("port", type=int)
command.add_argument("directory")
command.add_argument("--tls", nargs=2)
command.add_argument("--clients")
command.add_argument("--rate", type=int, default=0)
command.set_defaults(run=listen)
command = commands.add_parser("read")
command.add_argument("files", nargs="*")
command.set_defaults(run=read)
arguments = parser.parse_args()
arguments.run(arguments)
