# SPDX-License-Identifier: BSD-2-Clause
"""
What a gateway's processes cost: CPU time and memory of a whole process tree.

CPU. Each gateway runs under a warden (warden.py), to which the kernel hands
every orphan of the tree. So a process of the gateway is at any time in one of
three places, and all three are counted:
  - alive, or ended and not waited for: its own clock, read in nanoseconds;
  - ended and waited for by a living parent: in the parent's children's time;
  - orphaned, ended and waited for: in the warden's children's time.
The warden's own clock is left out. Children's times are cut to ticks of 10 ms,
user and system time each, once per parent and not once per child. A parent that
ignores SIGCHLD would lose its children's times; no gateway measured here does.

Memory. Pss (shared pages divided among those who map them) and Uss (pages
nobody else has) from smaps_rollup, summed over the tree without the warden.
Socket buffers in the kernel are not in it.
"""
import os
import signal
import subprocess
import sys
import time

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
WARDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "warden.py")


class Failure(Exception):
    """Something of the bench could not be started or broke; the text says what."""


def read_stat(pid):
    """The fields of /proc/PID/stat from the state on; None when there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def children_seconds(pid):
    """CPU seconds of the children that `pid` has waited for."""
    stat = read_stat(pid)
    return 0.0 if stat is None else (int(stat[13]) + int(stat[14])) / TICKS_PER_SECOND


def own_seconds(pid):
    """CPU seconds of all threads of `pid`, those that ended included."""
    process_clock = (~pid << 3) | 2  # what clock_getcpuclockid(3) makes of a pid
    try:
        return time.clock_gettime_ns(process_clock) / 1e9
    except OSError:
        return 0.0


def descendants(root):
    """The pids below `root`, sorted, without itself."""
    parents = {}
    for name in os.listdir("/proc"):
        stat = read_stat(name) if name.isdigit() else None
        if stat is not None:
            parents.setdefault(int(stat[1]), []).append(int(name))
    found, heads = [], [root]
    while heads:
        below = parents.get(heads.pop(), [])
        found += below
        heads += below
    return sorted(found)


def tree_seconds(warden):
    """CPU seconds that the tree below `warden` has used so far, its dead included."""
    for _ in range(50):
        before = descendants(warden)
        total = children_seconds(warden)
        total += sum(own_seconds(pid) + children_seconds(pid) for pid in before)
        if descendants(warden) == before:  # nobody moved from one place to another meanwhile
            return total
    raise Failure("the gateway's processes come and go too fast to be counted")


def settled_seconds(warden, patience=2.0):
    """tree_seconds() once the tree has come to rest, or after `patience` seconds."""
    deadline = time.monotonic() + patience
    last = tree_seconds(warden)
    while time.monotonic() < deadline:
        time.sleep(0.05)
        now = tree_seconds(warden)
        if now - last < 0.0005:
            return now
        last = now
    return last


def read_kib(path, names):
    """The sum of the KiB values of the lines `names`, in a file such as smaps_rollup."""
    total = 0
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            for line in file:
                name, _, rest = line.partition(":")
                if name in names:
                    total += int(rest.split()[0])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return total


def tree_memory(pids):
    """(Pss, Uss) of these processes in KiB."""
    rollups = [f"/proc/{pid}/smaps_rollup" for pid in pids]
    return (sum(read_kib(path, ("Pss",)) for path in rollups),
            sum(read_kib(path, ("Private_Clean", "Private_Dirty")) for path in rollups))


class Supervised:
    """A command that runs under a warden of its own, with its output in a file."""

    def __init__(self, command, output, environment=None):
        self.output = output
        with open(output, "ab") as file:
            self.warden = subprocess.Popen(
                [sys.executable, "-S", WARDEN] + command, stdin=subprocess.DEVNULL, stdout=file,
                stderr=file, env=environment, start_new_session=True)

    def is_running(self):
        return self.warden.poll() is None

    def pids(self):
        return descendants(self.warden.pid)

    def cpu_seconds(self):
        return settled_seconds(self.warden.pid)

    def memory_kib(self):
        return tree_memory(self.pids())

    def last_words(self):
        with open(self.output, encoding="utf-8", errors="replace") as file:
            return " | ".join(file.read().strip().splitlines()[-4:])

    def stop(self):
        """Ends the tree: SIGTERM, and the warden kills what is left after a few seconds."""
        if self.is_running():
            self.warden.send_signal(signal.SIGTERM)
        try:
            self.warden.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.warden.kill()  # cannot be: it kills its tree after three seconds
            self.warden.wait()
