# SPDX-License-Identifier: Apache-2.0
"""Reads IPFIX messages, for collectors of the tests."""
import struct


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
