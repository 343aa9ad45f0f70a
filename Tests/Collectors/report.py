# SPDX-License-Identifier: Apache-2.0
"""One line a check on standard output, and the count of them at the end."""

import os

IN_CI = os.environ.get("CI") == "true"


class Report:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def check(self, title, problems):
        """Passes when `problems` is empty; tells the first few otherwise."""
        problems = list(problems)
        if not problems:
            self.passed += 1
            print(f"ok {title}", flush=True)
            return
        self.failed += 1
        more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
        print(f"not ok {title}: {'; '.join(map(str, problems[:5]))}{more}", flush=True)

    def skip(self, title, reason):
        """Something these tests need is not there: in CI that is a failure."""
        if IN_CI:
            self.check(title, [reason])
            return
        self.skipped += 1
        print(f"skipped {title}: {reason}", flush=True)

    def close(self):
        """Prints the closing line; the exit status."""
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped")
        return 1 if self.failed or not self.passed else 0
