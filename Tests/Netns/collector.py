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
import struct
import sys
import time


class Stop(Exception):
    pass


def stop(*_):
    raise Stop


def field_specifiers(data, offset, count):
    fields = []
    for _ in range(count):
        element, length = struct.unpack_from("!HH", data, offset)
        offset += 4
        if element & 0x8000:
            offset += 4
        fields.append((element & 0x7FFF, length))
    return fields, offset


def templates_in(data, options):
    offset = 0
    while len(data) - offset >= 4:
        template, count = struct.unpack_from("!HH", data, offset)
        offset += 4
        if options:
            offset += 2  # scope field count
        fields, offset = field_specifiers(data, offset, count)
        yield template, fields, options


def records_in(data, fields):
    shortest = sum(1 if length == 65535 else length for _, length in fields)
    offset = 0
    while len(data) - offset >= shortest:
        record = {}
        for element, length in fields:
            if length == 65535:
                length = data[offset]
                offset += 1
                if length == 255:
                    length, = struct.unpack_from("!H", data, offset)
                    offset += 2
            value = data[offset:offset + length]
            record[element] = int.from_bytes(value, "big") if length <= 8 else value.hex()
            offset += length
        yield record


def decode(message, arrived, source, known):
    version, length, _, sequence, domain = struct.unpack_from("!HHIII", message)
    if version != 10 or length != len(message):
        raise SystemExit(f"not an IPFIX message of {len(message)} octets: version {version}, length {length}")
    result = {"arrived": arrived, "length": length, "sequence": sequence, "domain": domain, "source": source,
              "templates": [], "records": 0, "undecoded": 0, "flows": [], "options": 0}
    offset = 16
    while offset < length:
        set_id, set_length = struct.unpack_from("!HH", message, offset)
        if set_length <= 4 or offset + set_length > length:
            raise SystemExit(f"set {set_id} of length {set_length} at offset {offset} of {length}")
        data = message[offset + 4:offset + set_length]
        offset += set_length
        if set_id in (2, 3):
            for template, fields, options in templates_in(data, set_id == 3):
                known[source, domain, template] = fields, options
                result["templates"].append(template)
        elif (source, domain, set_id) in known:
            fields, options = known[source, domain, set_id]
            for record in records_in(data, fields):
                result["records"] += 1
                if options:
                    result["options"] += 1
                else:
                    result["flows"].append(record)
        else:
            result["undecoded"] += 1
    return result


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
