# SPDX-License-Identifier: Apache-2.0
"""What is really in a capture: packets and octets per 5-tuple.

A plain reading of the headers, independent of the program under test. Totals are
[packets, octets, first, last], times in Unix milliseconds. The key is (source,
destination, source port, destination port, protocol), addresses packed;
ICMP has type * 256 + code as destination port. Outer headers count, tunnels are
not opened. Frames that are not IP, or whose IP header is wrong, do not count.
"""

from capture_file import read_frames

ETHERTYPES = {b"\x08\x00": 4, b"\x86\xdd": 6}
TAGS = (b"\x81\x00", b"\x88\xa8", b"\x91\x00")
WITH_PORTS = frozenset((6, 17, 33, 132, 136))
ICMP = frozenset((1, 58))

# IPv6 extension headers that have a next header: in units of 8 octets, but for 51 of 4.
HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION, MOBILITY = 0, 43, 44, 51, 60, 135
WALKED = frozenset((HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION, MOBILITY))


def add(totals, key, packets, octets, first, last):
    """Adds to the total of a key."""
    total = totals.get(key)
    if total is None:
        totals[key] = [packets, octets, first, last]
        return
    total[0] += packets
    total[1] += octets
    if first < total[2]:
        total[2] = first
    if last > total[3]:
        total[3] = last


def ip_header(linktype, frame):
    """The IP version and where the header begins in a frame; None if it carries no IP."""
    offset, version = 0, None
    if linktype == 1:                                       # Ethernet
        offset = 12
        while frame[offset:offset + 2] in TAGS:
            offset += 4
        version, offset = ETHERTYPES.get(frame[offset:offset + 2], 0), offset + 2
    elif linktype == 113:                                   # Linux cooked
        version, offset = ETHERTYPES.get(frame[14:16], 0), 16
    elif linktype == 276:                                   # Linux cooked, version 2
        version, offset = ETHERTYPES.get(frame[0:2], 0), 20
    elif linktype in (0, 108):                              # BSD loopback
        offset = 4
    elif linktype not in (12, 14, 101, 228, 229):           # raw IP
        return None
    if len(frame) <= offset or version not in (None, frame[offset] >> 4):
        return None                                         # not the version announced
    return frame[offset] >> 4, offset


class Truth:
    """Counts packets into `totals`."""

    def __init__(self, track_fragments=True):
        self.totals = {}
        self.track_fragments = track_fragments
        self.first_fragments = {}       # (addresses, identification, protocol): what follows
        self.fragments = 0

    @property
    def packets(self):
        return sum(total[0] for total in self.totals.values())

    @property
    def octets(self):
        return sum(total[1] for total in self.totals.values())

    @property
    def milliseconds(self):
        """From the first packet to the last."""
        return max((total[3] for total in self.totals.values()), default=0) \
            - min((total[2] for total in self.totals.values()), default=0)

    def count(self, linktype, time, frame):
        header = ip_header(linktype, frame)
        if header is None:
            return
        version, offset = header
        flow = self.ipv4(frame, offset) if version == 4 else \
            self.ipv6(frame, offset) if version == 6 else None
        if flow is None:
            return
        key, octets = flow
        add(self.totals, key, 1, octets, time // 10**6, time // 10**6)

    def ipv4(self, frame, offset):
        header = (frame[offset] & 15) * 4
        if header < 20 or len(frame) < offset + 20:
            return None
        length = frame[offset + 2] << 8 | frame[offset + 3]
        if length < header:
            return None
        protocol, position = frame[offset + 9], offset + header
        source, destination = frame[offset + 12:offset + 16], frame[offset + 16:offset + 20]
        fragment = (frame[offset + 6] << 8 | frame[offset + 7]) & 0x3FFF
        end = min(len(frame), offset + length)
        if not fragment:
            sport, dport = transport(frame, position, end, protocol)
        else:
            identity = (source, destination, frame[offset + 4:offset + 6], protocol)
            _, sport, dport = self.fragment(
                identity, fragment & 0x1FFF,
                lambda: (protocol, *transport(frame, position, end, protocol)), protocol)
        return (source, destination, sport, dport, protocol), length

    def ipv6(self, frame, offset):
        if len(frame) < offset + 40:
            return None
        length = (frame[offset + 4] << 8 | frame[offset + 5]) + 40
        source, destination = frame[offset + 8:offset + 24], frame[offset + 24:offset + 40]
        end = min(len(frame), offset + length)
        protocol, position = frame[offset + 6], offset + 40
        # Most packets have no extension header: `walk` is only for those that do.
        fragment = None
        if protocol in WALKED:
            protocol, position, fragment = walk(frame, position, end, protocol)
        if fragment is None:
            sport, dport = transport(frame, position, end, protocol)
        else:
            place, identification = fragment
            protocol, sport, dport = self.fragment(
                (source, destination, identification), place,
                lambda: (protocol, *transport(frame, position, end, protocol)), protocol)
        return (source, destination, sport, dport, protocol), length

    def fragment(self, identity, place, read, protocol):
        """Protocol and ports of a fragment: those of its first, if that came before."""
        self.fragments += 1
        if place == 0:
            self.first_fragments[identity] = found = read()
            return found
        if self.track_fragments and identity in self.first_fragments:
            return self.first_fragments[identity]
        return protocol, 0, 0


def walk(frame, position, end, protocol):
    """Past the extension headers: (protocol, position, fragment or None)."""
    fragment = None
    while protocol in WALKED:
        if end < position + 8:
            return protocol, end, fragment                  # cut short: its own number
        following = frame[position]
        if protocol == FRAGMENT:
            place = (frame[position + 2] << 8 | frame[position + 3]) & 0xFFF9
            if place:                                       # an atomic fragment is none
                fragment = place & 0xFFF8, frame[position + 4:position + 8]
            size = 8
        elif protocol == AUTHENTICATION:
            size = (frame[position + 1] + 2) * 4
        else:
            size = (frame[position + 1] + 1) * 8
        protocol, position = following, position + size
        if fragment and fragment[0]:
            break                                           # what follows is no header
    return protocol, position, fragment


def transport(frame, position, end, protocol):
    """Source and destination port; 0 where there are none or they are cut off."""
    if protocol in WITH_PORTS:
        if end >= position + 4:
            return (frame[position] << 8 | frame[position + 1],
                    frame[position + 2] << 8 | frame[position + 3])
    elif protocol in ICMP and end >= position + 2:
        return 0, frame[position] << 8 | frame[position + 1]
    return 0, 0


def read(path, track_fragments=True):
    truth = Truth(track_fragments)
    for linktype, time, frame in read_frames(path):
        truth.count(linktype, time, frame)
    return truth
