# SPDX-License-Identifier: Apache-2.0
"""The recipes of docs/collectors for collectors that are installed, done word by word.

A recipe's code blocks say by the second word of their fence what they are, and are taken in their order:

    conf PATH       the text of a file
    sh collector    commands that run until the flows are in
    sh flowprobe    flowprobe's one line; it meters sample.pcap, which comes in on eth0, and is then stopped
    sh look         commands whose output has the lines of the `text` block behind them, in that order;
                    in those … stands for anything, and one blank for many

All is done in a network namespace of its own, where 192.0.2.1, the recipes' collector, is the machine itself,
and with empty folders in place of those that the files go to. It takes root.
"""

import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from socket import AF_PACKET, SOCK_RAW, socket

from capture_file import read_frames
from exporter import FLOWPROBE, REPOSITORY

FOLDER = pathlib.Path(REPOSITORY) / "docs/collectors"
SAMPLE = os.path.join(REPOSITORY, "Tests/Vectors/sample.pcap")
EMPTIED = ("/run", "/var/cache", "/var/log", "/etc/pmacct")
FENCE = re.compile(r"^```(\w+)[ ]?(.*)\n((?:.*\n)*?)^```$", re.MULTILINE)
SECONDS = 30
UNSHARED = "--unshared"
LISTENING = "0A"        # of TCP, in /proc/net; a UDP socket's state is 07


def recipes():
    """The recipes with something to do here, and the programs that they need."""
    for path in sorted(FOLDER.glob("*.md")):
        blocks = FENCE.findall(path.read_text(encoding="utf-8"))
        if any(kind == "sh" and word == "look" for kind, word, _ in blocks):
            yield path, blocks


def programs(blocks):
    """What the shell is asked to run."""
    for kind, word, text in blocks:
        if kind == "sh" and word in ("collector", "look"):
            for line in text.splitlines():
                words = list(shlex.shlex(line, posix=True, punctuation_chars=True))
                yield from (word for before, word in zip(["|", *words], words) if before in ("|", "&&"))


def check(report):
    for path, blocks in recipes():
        title = f"the recipe of {path.name} gives what it says"
        missing = sorted({name for name in programs(blocks) if not shutil.which(name)})
        if os.geteuid() != 0:
            report.skip(title, "it takes root")
        elif missing:
            report.skip(title, f"{', '.join(missing)} is not installed")
        else:
            output = subprocess.run(
                ["unshare", "--net", "--mount", "--ipc", sys.executable, __file__, str(path), UNSHARED],
                capture_output=True, text=True, check=False)
            report.check(title, output.stdout.splitlines() + output.stderr.splitlines()[-3:])


# Inside the namespaces ---------------------------------------------------------------------------

class Failure(Exception):
    """A step of the recipe did not do what it should."""


def shell(text, **options):
    return subprocess.run(["bash", "-e", "-o", "pipefail", "-c", text], capture_output=True, text=True, check=False,
                          timeout=SECONDS, **options)


def prepare(directory):
    for folder in EMPTIED:
        if os.path.isdir(folder):
            subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)
    for command in ("link set lo up", "address add 192.0.2.1/32 dev lo",
                    "link add eth0 arp off type veth peer name wire arp off"):
        subprocess.run(["ip", *command.split()], check=True)
    for name in ("eth0", "wire"):
        pathlib.Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1", encoding="ascii")
        subprocess.run(["ip", "link", "set", name, "up"], check=True)
    os.symlink(os.path.realpath(FLOWPROBE), os.path.join(directory, "flowprobe"))
    os.environ["PATH"] = f"{directory}:/usr/sbin:/sbin:{os.environ['PATH']}"
    os.environ["TZ"] = "UTC"


def wait_for(condition, complaint):
    end = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > end:
            raise Failure(complaint)
        time.sleep(0.02)


def ports():
    """The local ports of UDP sockets, and what waits in each; those that listen for TCP, too."""
    lines = [line.split() for table in ("udp", "udp6", "tcp", "tcp6")
             for line in pathlib.Path("/proc/net", table).read_text(encoding="ascii").splitlines()[1:]]
    return {int(line[1].split(":")[1], 16): int(line[4].split(":")[1], 16) for line in lines
            if line[3] in ("07", LISTENING)}


def captures():
    """How many packet sockets there are."""
    return len(pathlib.Path("/proc/net/packet").read_text(encoding="ascii").splitlines()) - 1


def replay():
    with socket(AF_PACKET, SOCK_RAW) as wire:
        wire.bind(("wire", 0))
        for _, _, frame in read_frames(SAMPLE):
            wire.send(frame)


class Running:
    """Commands that run until they are told to stop."""

    def __init__(self, text, log):
        self.text, self.log = text, open(log, "w+b")
        # Who runs the tests in the background has SIGINT ignored, and so would they.
        self.process = subprocess.Popen(["env", "--default-signal=INT", "bash", "-e", "-c", text], stdout=self.log,
                                        stderr=self.log, start_new_session=True)

    def is_running(self):
        """Whether any of the commands is."""
        self.process.poll()
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def stop(self, every=SECONDS):
        """Interrupts them once, or every so many seconds: nfcapd may miss a signal."""
        next_signal, end = 0, time.monotonic() + SECONDS
        while self.is_running():
            if time.monotonic() > next_signal:
                os.killpg(self.process.pid, signal.SIGINT)
                next_signal = time.monotonic() + every
            if time.monotonic() > end:
                os.killpg(self.process.pid, signal.SIGKILL)
                raise Failure(f"'{self.text.strip()}' does not end")
            time.sleep(0.02)

    def said(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")


def collector_port(line):
    return int(re.search(r"192\.0\.2\.1:(\d+)", line).group(1))


def meter(text, collector, directory):
    """flowprobe's line, over the sample; without a collector it goes to files."""
    port = collector_port(text) if collector else None
    watches = collector and "tcpdump" in collector.text
    if collector:
        ready = (lambda: captures() > 0) if watches else (lambda: port in ports())
        wait_for(lambda: ready() or not collector.is_running(), "the collector does not listen")
        if not collector.is_running():
            raise Failure(f"the collector has ended: {collector.said()}")
    before = captures()
    probe = Running(text, os.path.join(directory, "flowprobe.log"))
    wait_for(lambda: captures() > before or not probe.is_running(), "flowprobe does not capture")
    time.sleep(0.3)         # from the socket's making to its filter
    replay()
    probe.stop()
    if "metered 332 packets" not in probe.said():
        raise Failure(f"flowprobe said: {probe.said()}")
    if collector and not watches:
        wait_for(lambda: ports().get(port, 0) == 0, "the collector does not read")
    time.sleep(0.3)         # from the reading to the storing


def differences(expected, output):
    lines = [" ".join(line.split()) for line in output.splitlines()]
    at = 0
    for line in expected.splitlines():
        pattern = re.compile(".*".join(map(re.escape, " ".join(line.split()).split("…"))))
        while at < len(lines) and not pattern.fullmatch(lines[at]):
            at += 1
        if at == len(lines):
            yield f"the output has no line '{line}'; it is: {output[:1500]}"
            return
        at += 1


def perform(path, directory):
    collector, looked = None, None
    for kind, word, text in FENCE.findall(path.read_text(encoding="utf-8")):
        if kind == "conf":
            pathlib.Path(word).parent.mkdir(parents=True, exist_ok=True)
            pathlib.Path(word).write_text(text, encoding="utf-8")
        elif (kind, word) == ("sh", "collector"):
            collector = Running(text, os.path.join(directory, "collector.log"))
        elif (kind, word) == ("sh", "flowprobe"):
            meter(text, collector, directory)
            if collector:
                collector.stop(every=1)
        elif (kind, word) == ("sh", "look"):
            looked = shell(text)
            if looked.returncode != 0:
                yield f"'{text.strip()}' failed: {looked.stderr or looked.stdout}"
                if collector:
                    yield collector.said()[-500:]
        elif kind == "text" and looked:
            yield from differences(text, looked.stdout)
            looked = None


def main(path):
    with tempfile.TemporaryDirectory() as directory:
        prepare(directory)
        try:
            for problem in perform(path, directory):
                print(problem)
        except Failure as failure:
            print(failure)


if __name__ == "__main__":
    # What is mounted and set here is for namespaces of its own, which run() makes.
    if sys.argv[2:] != [UNSHARED]:
        sys.exit("recipes.py is started by Tests/Collectors/run alone")
    main(pathlib.Path(sys.argv[1]))
