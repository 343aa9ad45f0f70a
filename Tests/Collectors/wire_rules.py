# SPDX-License-Identifier: Apache-2.0
"""What the templates and records of v9 and IPFIX must keep to.

The rules go beyond the RFCs: each is one that some collector in use needs.
"""

LONGEST_DATAGRAM = 1420

# Logstash's codec discards a whole template for one element it does not know.
HIGHEST_ELEMENT = 433
REVERSE = 29305                     # RFC 5103, the one enterprise number it knows
LABELS = range(70, 80)              # of flows whose MPLS labels are recorded, which an operator asks for
UNKNOWN_IN_V9 = {*LABELS, 87, 88, 90, 91, 100, *range(102, 105)}

LENGTHS = {
    1: 8, 2: 8,                     # counters never wrap
    10: 4, 14: 4,                   # interface indexes exceed 16 bits
    6: 1,                           # pmacct reads two octets of TCP flags as 0
    34: 4, 50: 4,                   # goflow2 reads the sampling rate from four octets only
    4: 1, 5: 1, 7: 2, 8: 4, 11: 2, 12: 4, 15: 4, 21: 4, 22: 4, 27: 16, 28: 16, 58: 2, 62: 16,
    136: 1, 152: 8, 153: 8, 56: 6, 80: 6, 61: 1, 252: 4, 253: 4, 256: 2,
}
IPFIX_ONLY = {136, 152, 153, 243, 244, 245, 246, 139}
V9_ONLY = {21, 22}
ENDED_TOTALS = {85, 86}             # goflow2 and ElastiFlow read total counters as 0


def template_violations(template, protocol, labels=False):
    """What is wrong with a template, in which labels are expected or not; yields texts."""
    if template.identifier < 256:
        yield "identifier below 256"
    if not template.fields or template.least_length == 0:
        yield "no field"
    # In v9 a scope field names a scope type, not an element (RFC 3954 section 6.1).
    elements = template.fields if protocol == "ipfix" else template.fields[template.scopes:]
    seen = set()
    for enterprise, identifier, length in elements:
        name = f"{enterprise}/{identifier}" if enterprise else f"{identifier}"
        if (enterprise, identifier) in seen:
            yield f"element {name} twice"
        seen.add((enterprise, identifier))
        if identifier > HIGHEST_ELEMENT or enterprise not in (0, REVERSE):
            yield f"element {name} is not known to every collector"
        if protocol == "v9" and identifier in UNKNOWN_IN_V9 and not (labels and identifier in LABELS):
            yield f"element {name} in v9"
        if LENGTHS.get(identifier, length) != length:
            yield f"element {name} has {length} octets"
    yield from _flow_template_violations(template, protocol, {i for e, i in seen if not e})


def _flow_template_violations(template, protocol, elements):
    if template.scopes:
        if protocol == "v9":
            for _, scope, _ in template.fields[:template.scopes]:
                if scope not in range(1, 6):
                    yield f"scope type {scope}"
        return
    if any(length == 65535 for _, _, length in template.fields):
        yield "a field of variable length"
    if elements & ENDED_TOTALS:
        yield "total counters"
    if protocol == "v9" and {32, 176} <= elements:
        yield "elements 32 and 176 together"
    foreign = elements & (IPFIX_ONLY if protocol == "v9" else V9_ONLY)
    if foreign:
        yield f"elements {sorted(foreign)} in {protocol}"


def flow_violations(record, protocol):
    """What is wrong with the times of a flow record; yields texts."""
    if protocol == "v9":
        # Filebeat drops the times of a flow that ends after the header's sysUptime.
        first, last, now = record.number(22), record.number(21), record.header["uptime"]
    else:
        first, last = record.number(152), record.number(153)
        now = record.header["time"] * 1000 + 999
    if not first <= last <= now:
        yield f"a flow from {first} to {last} in a message of {now} (ms)"


def sampling_violations(options, rate):
    """The sampling rate must be announced, by both ways that collectors look for it."""
    if not any(record.number(34) == rate for record in options):
        yield f"no options record tells samplingInterval (34) = {rate}"
    if not any(record.octets(48) and record.octets(49) and record.number(50) == rate
               for record in options):
        yield f"no options record tells a sampler (48, 49, 50 = {rate})"
    # goflow2 takes 305, 50 or 34 for the rate, the first of them in a message, of the last message that has one.
    told = [record.number(305) or record.number(50) or record.number(34) for record in options]
    if [number for number in told if number][-1:] != [rate]:
        yield f"the last that goflow2 is told is another rate: {told}"
