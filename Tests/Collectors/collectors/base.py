# SPDX-License-Identifier: Apache-2.0
"""What every collector here offers."""

import os
import shutil
import subprocess

import expected


class CollectorFailure(Exception):
    """The collector could not be run, or left nothing to read."""


class Collector:
    name = ""
    programs = ()                           # executables it needs
    protocols = ("ipfix", "v9", "v5")
    hidden = ()                             # fields it does not show

    def is_installed(self):
        return all(map(shutil.which, self.programs))

    def fields(self, protocol):
        """The fields it shows of those that `protocol` carries."""
        return tuple(f for f in expected.carried(protocol) if f not in self.hidden)

    def adapt(self, flow, protocol):
        """`flow` as this collector shows it: its known quirks, each named there."""
        return flow

    def read(self, export, directory):
        """The flows it makes of an Export, and its complaints about the messages."""
        raise NotImplementedError


def mac(text):
    """'02:00:00:00:00:01' as a number."""
    return int(text.replace(":", ""), 16)


def run(command, with_errors=False):
    """What a command that must succeed prints; with its standard error if wanted."""
    environment = dict(os.environ, TZ="UTC", LC_ALL="C.UTF-8")
    errors = subprocess.STDOUT if with_errors else subprocess.PIPE
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=errors, env=environment, timeout=600)
    if ended.returncode != 0:
        said = (ended.stderr or ended.stdout).decode(errors="replace")
        raise CollectorFailure(f"{command[0]}: exit {ended.returncode}: {said[-300:]}")
    return ended.stdout
