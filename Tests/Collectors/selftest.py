# SPDX-License-Identifier: Apache-2.0
"""The tests tested: every reader reads right what is known to be right, and a
wrong value of any field it shows is seen."""

import compare
import expected
import reference
from decode import each_reading

# The expected flows, with what a capture file does not tell, so that it shows as well.
SEEN = {"input": 3, "output": 7, "nexthop": 9, "direction": 1, "physin": 4, "physout": 8}


def good(protocol):
    return [dict(flow, **{field: SEEN[field] for field in SEEN if field in flow})

            for flow in expected.flows(protocol, mac=True)]


def wrong(flow):
    """`flow` with every value changed, but those by which its record is found."""
    changed = {field: value + 1 for field, value in flow.items()
               if field not in ("name", "src", "dst", "proto", "version")
               and (value or field == "tos")}
    # Seconds later: pmacct shows the times of v5 and v9 to the second.
    changed.update(start=flow["start"] + 5000, end=flow["end"] + 5000)
    return dict(flow, **changed)


def unseen(collector, protocol, right, rows):
    """The fields of `right` that were changed before the export and yet show no difference."""
    fields = [field for field in collector.fields(protocol) if field not in compare.SAME_FLOW]
    told = compare.differences([collector.adapt(flow, protocol) for flow in right], rows, fields)
    for flow in right:
        before, after = (collector.adapt(f, protocol) for f in (flow, wrong(flow)))
        for field in fields:
            if before[field] != after[field] and \
                    not any(text.startswith(f"{flow['name']}: {field} is ") for text in told):
                yield f"{flow['name']}: {field}"


def check(report, collectors, protocol):
    right = good(protocol)
    for collector, rows, complaints in each_reading(collectors, reference.export(right, protocol)):
        wanted = [collector.adapt(flow, protocol) for flow in right]
        report.check(f"self-test: {collector.name} reads {protocol} of a reference exporter",
                     complaints + compare.differences(wanted, rows, collector.fields(protocol)))
    changed = reference.export(list(map(wrong, right)), protocol)
    for collector, rows, _ in each_reading(collectors, changed):
        report.check(f"self-test: {collector.name} shows every wrong value in {protocol}",
                     unseen(collector, protocol, right, rows))
