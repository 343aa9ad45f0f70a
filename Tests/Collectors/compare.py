# SPDX-License-Identifier: Apache-2.0
"""Holds the flows a collector shows against those expected, field by field."""

from collections import defaultdict

SAME_FLOW = ("src", "dst", "proto")     # tells the flows of vectors.pcap apart
IN_ORDER = ("start", "end", "packets")  # and the records of one flow


def by_flow(rows):
    groups = defaultdict(list)
    for row in rows:
        groups[tuple(row[field] for field in SAME_FLOW)].append(row)
    for group in groups.values():
        group.sort(key=lambda row: [row.get(field, 0) for field in IN_ORDER])
    return groups


def differences(expected, shown, fields):
    """What differs in `fields`; an empty list when all flows are as expected."""
    wanted, found = by_flow(expected), by_flow(shown)
    problems = []
    for key, group in wanted.items():
        others = found.pop(key, [])
        for row, other in zip(group, others):
            problems += row_differences(row, other, fields)
        problems += [f"{row['name']} is missing" for row in group[len(others):]]
        problems += [f"one record too many of {describe(row)}" for row in others[len(group):]]
    problems += [f"not expected: {describe(row)}" for group in found.values() for row in group]
    return problems


def row_differences(expected, shown, fields):
    return [f"{expected['name']}: {field} is {shown.get(field)}, expected {expected[field]}"
            for field in fields if expected[field] != shown.get(field)]


def describe(row):
    return f"{row['src']} > {row['dst']} protocol {row['proto']}, {row['packets']} packets"
