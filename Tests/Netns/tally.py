# SPDX-License-Identifier: Apache-2.0
"""Receives IPFIX over UDP and counts it, quickly; or counts what is in IPFIX files.

usage: tally.py ADDRESS PORT STATE [RECEIVE-BUFFER]    until SIGTERM
       tally.py --files STATE FILE...                  each has its templates; its numbers begin anew
       tally.py --parts STATE FILE...                  the same, but the numbers go on from file to file

STATE is one JSON object: messages, records (data records, those of options too), missing (records that the sequence numbers
say were sent and that did not come) and breaks (how often some were), flows and lasting (records of flows that do not last,
and that do), packets, octets, events (NAT, by number), options, undecoded (sets whose template was not known), domains, next
(the sequence number that is to come), starts. Where STATE is there already the counting goes on with it, as that of a
collector that was started again: templates are forgotten. A message without its end is told of on standard error.
"""
import json
import os
import signal
import socket
import struct
import sys

SO_RCVBUFFORCE = 33  # Python has no name for it
TEMPLATES, OPTIONS_TEMPLATES = 2, 3
DESTINATION, PACKETS, OCTETS, EVENT = 12, 2, 1, 230
LASTING = 0xC613  # 198.19.0.0/16: what the generator sends in flows that last


class Stop(Exception):
    pass


def stop(*_):
    raise Stop


class Template:
    """Where the fields that are counted are in a record."""

    def __init__(self, fields, is_options):
        self.is_options = is_options
        self.lengths = [length for _, length in fields]
        self.is_fixed = 65535 not in self.lengths
        self.length, self.at = 0, {}
        for element, length in fields:
            self.at.setdefault(element, (self.length, length))
            self.length += length

    def reader(self, *elements):
        """One struct that reads these elements of a record."""
        places = sorted((self.at[element], element) for element in elements)
        text, position = "!", 0
        for (offset, length), _ in places:
            text += f"{offset - position}x" + {1: "B", 2: "H", 4: "I", 8: "Q"}[length]
            position = offset + length
        order = [element for _, element in places]
        return struct.Struct(text + f"{self.length - position}x"), [order.index(element) for element in elements]


class Counter:
    def __init__(self, path):
        self.path = path
        self.templates, self.readers = {}, {}
        self.state = {"messages": 0, "records": 0, "missing": 0, "breaks": 0, "flows": 0, "lasting": 0, "packets": 0,
                      "octets": 0, "events": {}, "options": 0, "undecoded": 0, "domains": [], "next": None, "starts": 0}
        if os.path.exists(path):
            with open(path) as file:
                self.state = json.load(file)
        self.state["starts"] += 1

    def take(self, message):
        state = self.state
        version, length, _, sequence, domain = struct.unpack_from("!HHIII", message)
        if domain not in state["domains"]:
            state["domains"].append(domain)
        if version != 10 or length != len(message):
            raise SystemExit(f"not an IPFIX message of {len(message)} octets")
        # What an undecoded set had is known by the next message's number: it counts as missing.
        if state["next"] is not None and sequence != state["next"]:
            state["missing"] += (sequence - state["next"]) & 0xFFFFFFFF
            state["breaks"] += 1
        state["messages"] += 1
        count, offset = 0, 16
        while offset < length:
            set_id, set_length = struct.unpack_from("!HH", message, offset)
            data = message[offset + 4:offset + set_length]
            offset += set_length
            if set_id in (TEMPLATES, OPTIONS_TEMPLATES):
                self.learn(data, set_id == OPTIONS_TEMPLATES)
            elif set_id in self.templates:
                count += self.count(set_id, data)
            else:
                state["undecoded"] += 1
        state["records"] += count
        state["next"] = (sequence + count) & 0xFFFFFFFF

    def learn(self, data, is_options):
        offset = 0
        while len(data) - offset >= 4:
            number, fields_left = struct.unpack_from("!HH", data, offset)
            offset += 6 if is_options else 4
            fields = []
            for _ in range(fields_left):
                element, length = struct.unpack_from("!HH", data, offset)
                offset += 8 if element & 0x8000 else 4
                fields.append((element, length))
            template = Template(fields, is_options)
            if not template.is_fixed and not is_options:
                raise SystemExit(f"template {number} has fields of variable length")
            self.templates[number] = template
            wanted = ((EVENT,) if EVENT in template.at else
                      (PACKETS, OCTETS, DESTINATION) if DESTINATION in template.at else (PACKETS, OCTETS))
            self.readers[number] = None if is_options else template.reader(*wanted)

    def count(self, number, data):
        template, state = self.templates[number], self.state
        if template.is_options:
            count = len(data) // template.length if template.is_fixed else count_variable(template.lengths, data)
            state["options"] += count
            return count
        count = len(data) // template.length
        reader, order = self.readers[number]
        records = reader.iter_unpack(data[:count * template.length])
        if EVENT in template.at:
            for (event,) in records:
                state["events"][str(event)] = state["events"].get(str(event), 0) + 1
            return count
        packets, octets, lasting = 0, 0, 0
        for values in records:
            packets += values[order[0]]
            octets += values[order[1]]
            lasting += len(order) > 2 and values[order[2]] >> 16 == LASTING
        state["packets"] += packets
        state["octets"] += octets
        state["flows"] += count - lasting
        state["lasting"] += lasting
        return count

    def write(self):
        with open(self.path + ".new", "w") as file:
            json.dump(self.state, file)
        os.rename(self.path + ".new", self.path)


def count_variable(lengths, data):
    count, offset = 0, 0
    # What is left behind the last record is padding, shorter than any (RFC 7011 section 3.3.1).
    while len(data) - offset >= sum(1 if length == 65535 else length for length in lengths):
        for length in lengths:
            if length == 65535:
                length = data[offset]
                offset += 1
                if length == 255:
                    length, = struct.unpack_from("!H", data, offset)
                    offset += 2
            offset += length
        count += 1
    return count


def read(paths, parts):
    state = paths.pop(0)
    counter = Counter(state)
    for path in paths:
        counter.templates, counter.readers = {}, {}
        if not parts:
            counter.state["next"] = None
        with open(path, "rb") as file:
            while header := file.read(4):
                message = header + file.read(int.from_bytes(header[2:], "big") - 4)
                if len(message) < 16 or len(message) != int.from_bytes(header[2:], "big"):
                    print(f"{path}: its last message has no end", file=sys.stderr)
                    break
                counter.take(message)
    counter.write()


def listen(address, port, path, buffer=16 << 20):
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, int(buffer))
    counter = Counter(path)
    receiver.bind((address, int(port)))
    signal.signal(signal.SIGTERM, stop)
    try:
        while True:
            message = receiver.recv(65535)
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            counter.take(message)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    except Stop:
        # From here on it is nobody's port but the discard port's, so that the host counts what comes; what is in its
        # buffer has come.
        receiver.connect((address, 9))
        receiver.setblocking(False)
        try:
            while True:
                counter.take(receiver.recv(65535))
        except BlockingIOError:
            counter.write()


if sys.argv[1] in ("--files", "--parts"):
    read(sys.argv[2:], sys.argv[1] == "--parts")
else:
    listen(*sys.argv[1:])
