# SPDX-License-Identifier: Apache-2.0
"""Captures that other programs are tested with, of the sources of Debian's packages.

Only the sources as their authors publish them are fetched, not what Debian adds;
nothing is built or installed.
"""

import fnmatch
import os
import re
import subprocess
import tarfile

# What of a package's source is taken; dissectors' and printers' tests are full of packets that somebody broke.
SHORT = {
    "tcpdump": ("*/tests/*.pcap", "*/tests/*.pcapng", "*/tests/*.cap"),
    # All of them broken: that a file is refused is what they test.
    "libpcap": ("*/testprogs/*.pcap", "*/tests/*.pcap", "*/tests/*.pcapng"),
    "wireshark": ("*/test/captures/*",),
}
LONG = {
    "ndpi": ("*/tests/*.pcap", "*/tests/*.pcapng", "*/tests/*.cap"),
}


# Of the package debian-archive-keyring, for machines whose apt is told of it in its list of sources alone.
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"


class SourceError(Exception):
    """A package's source cannot be had."""


def options(directory):
    """apt-get's options for sources of the Debian that this machine has packages of, without a change to the machine."""
    os.makedirs(os.path.join(directory, "lists/partial"), exist_ok=True)
    lines = run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)",
                 "Created-By: Packages"]).splitlines()
    keys = f"[signed-by={KEYS}] " if os.path.exists(KEYS) else ""
    path = os.path.join(directory, "sources.list")
    with open(path, "w", encoding="utf-8") as file:
        # In the order of the machine's own: of two archives that have a version the first is asked.
        file.writelines(f"deb-src {keys}{line}\n" for line in dict.fromkeys(lines))
    return ["-o", f"Dir::Etc::SourceList={path}", "-o", "Dir::Etc::SourceParts=/dev/null",
            "-o", f"Dir::State::Lists={directory}/lists", "-o", "APT::Sandbox::User="]


def run(command, directory=None):
    try:
        result = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=300, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        raise SourceError(error) from error
    if result.returncode:
        raise SourceError((result.stderr.strip() or f"{command[0]} fails").splitlines()[-1])
    return result.stdout


class Samples:
    """The captures below a directory, which keeps them for the next time."""

    def __init__(self, directory):
        self.directory = directory
        self.options = None

    def of(self, package, patterns):
        """Paths of a package's captures, sorted."""
        target = os.path.join(self.directory, package)
        if not os.path.isdir(target):
            os.makedirs(self.directory, exist_ok=True)
            if self.options is None:
                found = options(self.directory)
                run(["apt-get", *found, "update", "-qq"])
                self.options = found
            run(["apt-get", *self.options, "source", "-qq", "--download-only", "--tar-only", package], self.directory)
            archives = [name for name in os.listdir(self.directory)
                        if re.match(re.escape(package) + r"_.*\.orig\.tar\.[a-z0-9]+$", name)]
            if not archives:
                raise SourceError(f"apt-get has fetched nothing of {package}")
            self.unpack(os.path.join(self.directory, archives[0]), target, patterns)
            os.unlink(os.path.join(self.directory, archives[0]))
        return sorted(os.path.join(place, name) for place, _, names in os.walk(target) for name in names)

    @staticmethod
    def unpack(archive, target, patterns):
        with tarfile.open(archive) as tar:
            for member in tar:
                if member.isfile() and any(fnmatch.fnmatch(member.name, pattern) for pattern in patterns):
                    path = os.path.join(target + ".new", *[part for part in member.name.split("/") if part != ".."])
                    os.makedirs(os.path.dirname(path), exist_ok=True)
                    with open(path, "wb") as file:
                        file.write(tar.extractfile(member).read())
        os.rename(target + ".new", target)
