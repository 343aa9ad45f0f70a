# SPDX-License-Identifier: Apache-2.0
"""Receives IPFIX over UDP with the default receive buffer and, at SIGTERM, writes what came.

usage: collector.py ADDRESS PORT FILE

FILE gets one JSON object a message, in the order of arrival: arrived (seconds since 1970),
length, sequence, domain, source (address and port of the sender), templates (ids of the
templates in it), records (data records and options data records, as RFC 7011 section 3.1 counts
them), undecoded (sets whose template was not known then), flows (the data records, element
numbers as names), options (number of options data records).
Templates are kept per sender and Observation Domain (RFC 7011 section 8).
"""
import json
import signal
import socket
import sys
import time

from ipfix_messages import decode


class Stop(Exception):
    pass


def stop(*_):
    raise Stop


address, port, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
receiver = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
receiver.bind((address, port))
signal.signal(signal.SIGTERM, stop)
arrivals = []
try:
    while True:
        message, sender = receiver.recvfrom(65535)
        arrivals.append((message, time.time(), f"{sender[0]} {sender[1]}"))
except Stop:
    pass
known_templates = {}
with open(path, "w") as file:
    for message, arrived, source in arrivals:
        print(json.dumps(decode(message, arrived, source, known_templates)), file=file)
