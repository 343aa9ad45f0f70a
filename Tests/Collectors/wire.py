# SPDX-License-Identifier: Apache-2.0
"""A strict decoder of NetFlow v9 (RFC 3954) and IPFIX (RFC 7011) messages.

It reads what a collector reads, and notes as a violation whatever a collector
somewhere is known to stumble over, even where the standards would allow it.
NetFlow v5 has its own file, wire5.py.
"""

import struct

import wire_rules

VARIABLE = 65535


class Template:
    """A template as it was announced; `fields` are (enterprise, id, length)."""

    def __init__(self, identifier, fields, scopes):
        self.identifier = identifier
        self.fields = fields            # scope fields first
        self.scopes = scopes            # how many of them are scope fields; 0: a flow template

    @property
    def least_length(self):
        return sum(1 if length == VARIABLE else length for _, _, length in self.fields)

    def layout(self):
        return self.fields, self.scopes

    def decode(self, data, position):
        """One record: {(enterprise, id): octets} and the position after it."""
        record = {}
        for enterprise, identifier, length in self.fields:
            if length == VARIABLE:
                length, position = data[position], position + 1
                if length == 255:
                    length, position = struct.unpack_from(">H", data, position)[0], position + 2
            record[enterprise, identifier] = data[position:position + length]
            position += length
        return record, position


class Record:
    def __init__(self, template, values, header):
        self.template, self.values, self.header = template, values, header

    def octets(self, identifier, enterprise=0):
        return self.values.get((enterprise, identifier))

    def number(self, identifier, default=0):
        value = self.octets(identifier)
        return default if value is None else int.from_bytes(value, "big")


class Decoder:
    """Decodes the datagrams of one exporter in order.

    `flows` and `options` hold its data records, `violations` what is wrong.
    """

    def __init__(self, protocol, labels=False):
        self.protocol = protocol
        self.labels = labels            # whether those of MPLS are asked for
        self.ipfix = protocol == "ipfix"
        self.templates, self.flows, self.options, self.violations = {}, [], [], []
        self.messages = 0
        self.next_sequence = None
        self.domain = None

    def violation(self, text):
        self.violations.append(f"message {self.messages}: {text}")

    def decode(self, datagram):
        self.messages += 1
        if len(datagram) > wire_rules.LONGEST_DATAGRAM:
            self.violation(f"{len(datagram)} octets")
        try:
            header, position = self._header(datagram)
            counted = self._sets(datagram, position, header)
        except (struct.error, IndexError) as error:
            self.violation(f"cut short: {error}")
            return
        self._check_header(header, counted)

    # Headers

    def _header(self, datagram):
        if self.ipfix:
            version, length, time, sequence, domain = struct.unpack_from(">HHIII", datagram)
            if length != len(datagram):
                self.violation(f"length {length}, datagram {len(datagram)}")
            header, size = {"time": time, "sequence": sequence, "domain": domain}, 16
        else:
            version, count, uptime, time, sequence, domain = struct.unpack_from(">HHIIII", datagram)
            header, size = {"count": count, "uptime": uptime, "time": time,
                            "sequence": sequence, "domain": domain}, 20
        if version != (10 if self.ipfix else 9):
            self.violation(f"version {version}")
        return header, size

    def _check_header(self, header, counted):
        templates, records = counted
        if self.domain not in (None, header["domain"]):
            self.violation(f"observation domain {self.domain} became {header['domain']}")
        self.domain = header["domain"]
        if self.ipfix:
            # RFC 7011 section 3.1: data records sent before this message, from 0.
            expected, step = self.next_sequence or 0, records
        else:
            # RFC 3954 section 5.1: messages; where it begins is left open.
            expected, step = self.next_sequence, 1
            if header["count"] != templates + records:
                self.violation(f"count {header['count']}, records {templates + records}")
        if expected not in (None, header["sequence"]):
            self.violation(f"sequence {header['sequence']}, expected {expected}")
        self.next_sequence = header["sequence"] + step & 0xFFFFFFFF
        if templates + records == 0:
            self.violation("no record")

    # Sets

    def _sets(self, datagram, position, header):
        """Decodes the sets; returns how many templates and how many data records."""
        templates = records = 0
        while position < len(datagram):
            identifier, length = struct.unpack_from(">HH", datagram, position)
            if length <= 4 or position + length > len(datagram):
                self.violation(f"set {identifier} has length {length}")
                break
            body = datagram[position + 4:position + length]
            if identifier == (2 if self.ipfix else 0):
                templates += self._template_set(body)
            elif identifier == (3 if self.ipfix else 1):
                templates += self._options_template_set(body)
            elif identifier >= 256:
                records += self._data_set(identifier, body, header)
            else:
                self.violation(f"reserved set {identifier}")
            position += length
        return templates, records

    def _fields(self, body, position, count):
        fields = []
        for _ in range(count):
            identifier, length = struct.unpack_from(">HH", body, position)
            position, enterprise = position + 4, 0
            if self.ipfix and identifier & 0x8000:
                enterprise, = struct.unpack_from(">I", body, position)
                identifier, position = identifier & 0x7FFF, position + 4
            fields.append((enterprise, identifier, length))
        return tuple(fields), position

    def _template_set(self, body):
        position, count = 0, 0
        while position + 4 <= len(body):
            identifier, fields = struct.unpack_from(">HH", body, position)
            fields, position = self._fields(body, position + 4, fields)
            self._announce(Template(identifier, fields, scopes=0))
            count += 1
        if position != len(body):
            self.violation("template set padded")
        return count

    def _options_template_set(self, body):
        identifier, first, second = struct.unpack_from(">HHH", body)
        if self.ipfix:                   # field count, scope field count
            count, scopes = first, second
        else:                            # octets of scopes, octets of options
            count, scopes = (first + second) // 4, first // 4
        fields, position = self._fields(body, 6, count)
        if scopes < 1:
            self.violation(f"options template {identifier} without scope")
        self._announce(Template(identifier, fields, scopes))
        padding = body[position:]
        # RFC 3954 section 6.1 lets v9 pad it to 4 octets.
        if any(padding) or len(padding) not in ((0,) if self.ipfix else (0, -position % 4)):
            self.violation(f"options template {identifier} is not alone in its set")
        return 1

    def _announce(self, template):
        known = self.templates.setdefault(template.identifier, template)
        if known.layout() != template.layout():
            self.violation(f"template {template.identifier} changed its layout")
        if known is template:
            for text in wire_rules.template_violations(template, self.protocol, self.labels):
                self.violation(f"template {template.identifier}: {text}")

    def _data_set(self, identifier, body, header):
        template = self.templates.get(identifier)
        if template is None:
            self.violation(f"data set {identifier} before its template")
            return 0
        position, count = 0, 0
        while len(body) - position >= template.least_length:
            values, position = template.decode(body, position)
            self.take(Record(template, values, header))
            count += 1
        padding = body[position:]
        # RFC 3954 section 5.3 pads to 4 octets; RFC 7011 leaves it open, and one Python
        # consumer stops on padding.
        if any(padding) or len(padding) != (0 if self.ipfix else -position % 4):
            self.violation(f"data set {identifier} ends in {len(padding)} octets of padding")
        return count

    def take(self, record):
        """Keeps a data record."""
        if record.template.scopes:
            self.options.append(record)
            return
        self.flows.append(record)
        for text in wire_rules.flow_violations(record, self.protocol):
            self.violation(text)


def decode(datagrams, protocol, decoder=None, rate=1):
    """A Decoder that has read all datagrams of an exporter, which samples one in `rate`."""
    decoder = decoder or Decoder(protocol)
    for datagram in datagrams:
        decoder.decode(datagram)
    decoder.violations += wire_rules.sampling_violations(decoder.options, rate)
    return decoder
