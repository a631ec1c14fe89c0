# SPDX-License-Identifier: BSD-2-Clause
"""
The measurements: loads sent through a gateway, idle sessions held open on it,
one big mail passed through it. Each returns numbers by measure name; what does
not add up (a mail lost, a resumed handshake) goes to `problems`.
"""
import json
import os
import re
import select
import signal
import socket
import statistics
import subprocess
import time
from dataclasses import dataclass

from .gateways import Place
from .processes import Failure, read_kib

MESSAGE_BYTES = 4096
BIG_BYTES = 50 * 1000 * 1000
FIRST_IDLE = 10          # sessions open at load-gen's first stop
RUN_SECONDS = 12         # after which a load takes no further mail
SAMPLE_SECONDS = 0.01


@dataclass
class Scenario:
    """One kind of load."""
    key: str
    title: str
    sessions: int
    per_connection: int  # 0: one connection per session, for all of its mails
    messages: int        # in a full run
    tls: str = "none"
    size: int = MESSAGE_BYTES
    options: tuple = ()  # more of load-gen's


SCENARIOS = (
    Scenario("one-10", "one mail per connection, 10 sessions", 10, 1, 3000),
    Scenario("one-100", "one mail per connection, 100 sessions", 100, 1, 3000),
    Scenario("many-10", "many per connection, 10 sessions", 10, 0, 10000),
    Scenario("many-100", "many per connection, 100 sessions", 100, 0, 10000),
    Scenario("tls-10", "TLS 1.3 handshake and one mail, 10 sessions", 10, 1, 600, "implicit"),
    Scenario("starttls-10", "the same by STARTTLS, 10 sessions", 10, 1, 600, "starttls"),
)


def free_ports(count):
    """Ports of 127.0.0.1 that nobody listened on a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Talker:
    """A program that answers in lines of JSON: load-sink and load-gen."""

    def __init__(self, command):
        self.name = os.path.basename(command[0])
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.unread = b""

    def read_line(self, seconds):
        """The next line; Failure when none comes in time."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self.unread:
            left = max(0, deadline - time.monotonic())
            if not select.select([self.process.stdout], [], [], left)[0]:
                raise Failure(f"{self.name} said nothing for {seconds:.0f} s")
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                raise Failure(f"{self.name} ended early, status {self.process.wait()}")
            self.unread += data
        line, _, self.unread = self.unread.partition(b"\n")
        return line.decode("ascii")

    def read_json(self, seconds):
        return json.loads(self.read_line(seconds))

    def nudge(self, word=""):
        self.process.stdin.write(word.encode("ascii") + b"\n")
        self.process.stdin.flush()

    def close(self):
        """Ends it whatever it does; the pipes too."""
        for pipe in (self.process.stdin, self.process.stdout):
            try:
                pipe.close()
            except OSError:
                pass
        try:
            self.process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()


class Bench:
    """The sink, the programs, and what was found wrong."""

    def __init__(self, programs, folder, certificate):
        self.generator = os.path.join(programs, "load-gen")
        self.folder = folder
        self.certificate = certificate
        self.problems = []
        self.instances = 0
        self.sink = Talker([os.path.join(programs, "load-sink")])
        self.sink_port = int(self.sink.read_line(5).split()[1])

    def close(self):
        self.sink.close()

    def sink_counts(self):
        self.sink.nudge()
        return self.sink.read_json(10)

    def sink_says(self, word):
        """What load-sink answers to "ends" or "head"."""
        self.sink.nudge(word)
        return self.sink.read_json(10)

    def place(self, name):
        """A new folder and new ports for one instance of a gateway."""
        self.instances += 1
        folder = os.path.join(self.folder, f"{self.instances}-{name}")
        os.mkdir(folder, 0o755)
        port, tls_port = free_ports(2)
        return Place(folder, port, tls_port, self.sink_port, **self.certificate)

    def start_load(self, gateway, sessions, tls="none", *options):
        return Talker([self.generator, "--port", str(gateway.port(tls)), "--sessions",
                       str(sessions), "--tls", tls] + [str(option) for option in options])

    def send(self, gateway, sessions, messages, per_connection, size, tls="none", watch=None,
             options=()):
        """Sends mails and returns load-gen's report; `watch` is called while it waits."""
        before = self.sink_counts()
        load = self.start_load(gateway, sessions, tls, "--messages", messages, "--per-connection",
                               per_connection, "--size", size, "--seconds", RUN_SECONDS, *options)
        try:
            while watch and not select.select([load.process.stdout], [], [], SAMPLE_SECONDS)[0]:
                watch()
            report = load.read_json(RUN_SECONDS + 15)
        finally:
            load.close()
        self.await_arrival(gateway, before["messages"] + report["messages"])
        self.check(gateway, report, before, messages, size, tls)
        return report

    def await_arrival(self, gateway, messages):
        """Until the sink has so many, where the gateway has a queue."""
        deadline = time.monotonic() + gateway.settle_seconds
        while self.sink_counts()["messages"] < messages and time.monotonic() < deadline:
            time.sleep(0.02)

    def check(self, gateway, report, before, messages, size, tls):
        """What the client was told must be what the sink got."""
        after = self.sink_counts()
        arrived = after["messages"] - before["messages"]
        missing = report["messages"] * size - (after["bytes"] - before["bytes"])
        load = f"{gateway.name}, {messages} mails of {size} octets, TLS {tls}"
        if report["errors"] > 0:
            self.problems.append(f"{load}: {report['errors']} errors, the first one: "
                                 f"{report['first_error']}")
        if report["messages"] + report["errors"] < messages:
            self.problems.append(f"{load}: only {report['messages']} in {RUN_SECONDS} s")
        if arrived < report["messages"] or (report["errors"] == 0
                                            and arrived > report["messages"]):
            self.problems.append(f"{load}: {report['messages']} were answered with 250, "
                                 f"{arrived} arrived")
        if missing > 0:
            self.problems.append(f"{load}: {missing} octets of the mails did not arrive")
        is_full = report["tls"].startswith("TLSv1.3") and not report["resumed"]
        if tls != "none" and report["messages"] and not is_full:
            self.problems.append(f"{load}: not full TLS 1.3 handshakes ({report['tls']}, "
                                 f"{report['resumed']} resumed)")

    def measure_load(self, gateway, scenario, messages):
        """CPU, throughput and latency of one run of a scenario."""
        before = gateway.cpu_seconds() if gateway.is_measured else 0
        report = self.send(gateway, scenario.sessions, messages, scenario.per_connection,
                           scenario.size, scenario.tls, options=scenario.options)
        if report["messages"] == 0:
            return {}
        result = {"rate": report["per_second"], "median": report["median_ms"],
                  "p99": report["p99_ms"]}
        if gateway.is_measured:
            result["cpu"] = (gateway.cpu_seconds() - before) * 1000 / report["messages"]
        return result

    def warm_up(self, gateway, scenario):
        """So that processes are there, pages are touched and caches are filled."""
        self.send(gateway, scenario.sessions, 3 * scenario.sessions + 100,
                  min(scenario.per_connection, 1), scenario.size, scenario.tls,
                  options=scenario.options)

    def prove(self, gateway, patterns, size, options=()):
        """Sends one mail; what the sink has of its head must have each of these in it."""
        self.send(gateway, 1, 1, 1, size, options=options)
        head = " ".join(self.sink_says("head").split()).lower()
        for pattern in patterns:
            if not re.search(pattern, head):
                self.problems.append(f"{gateway.name}: what came through does not say "
                                     f"\"{pattern}\": {head[:600]}")
        return {}

    def measure_way(self, gateway, messages, pause_ms, options=()):
        """Mails one at a time: from the last octet of each here to its end at the sink, in ms."""
        path = os.path.join(self.folder, "dots")
        before = self.sink_counts()["messages"]
        self.sink_says("ends")
        load = self.start_load(gateway, 1, "none", "--messages", messages, "--per-connection", 1,
                               "--pause-ms", pause_ms, "--seconds", RUN_SECONDS, "--dots", path,
                               *options)
        try:
            report = load.read_json(RUN_SECONDS + 15)
        finally:
            load.close()
        self.await_arrival(gateway, before + report["messages"])
        with open(path, encoding="ascii") as file:
            dots = [int(line) for line in file]
        ends = self.sink_says("ends")
        if report["errors"] or len(dots) != len(ends) or not dots:
            raise Failure(f"{len(dots)} mails were sent and {len(ends)} arrived, "
                          f"{report['errors']} errors: {report['first_error']}")
        ways = sorted((end - dot) / 1000 for dot, end in zip(dots, ends))
        return {"way": statistics.median(ways), "way99": ways[int(len(ways) * 0.99)]}

    def measure_idle(self, gateway, sessions, tls):
        """Memory of one session after EHLO, in KiB: (Pss, Uss)."""
        load = self.start_load(gateway, sessions, tls, "--idle", "--seconds", 2 * RUN_SECONDS)
        stops = []
        try:
            for _ in range(2):
                idle = load.read_json(2 * RUN_SECONDS + 5)["idle"]
                time.sleep(0.3)
                stops.append((idle,) + gateway.memory_kib())
                load.nudge()
            report = load.read_json(30)
        finally:
            load.close()
        added = stops[1][0] - stops[0][0]
        if report["errors"] > 0 or added != sessions - FIRST_IDLE:
            self.problems.append(f"{gateway.name}: {stops[1][0]} of {sessions} idle sessions "
                                 f"(TLS {tls}): {report['first_error']}")
        if added <= 0:
            return {}
        return {"pss": (stops[1][1] - stops[0][1]) / added,
                "uss": (stops[1][2] - stops[0][2]) / added}

    def measure_big(self, gateway):
        """Peak growth of the gateway's memory in MiB while a big mail passes."""
        self.send(gateway, 1, 20, 0, MESSAGE_BYTES)
        peak = PeakMemory(gateway)
        report = self.send(gateway, 1, 1, 1, BIG_BYTES, watch=peak.sample)
        return {"growth": peak.growth_mib()} if report["messages"] else {}


class PeakMemory:
    """
    The growth of a gateway's memory from now on, at its highest. Samples of the
    tree's Pss may miss a short peak; the kernel's own high-water mark of each
    process does not, but says nothing of processes that came or went. The
    greater of the two is taken. Memory files (memfd, tmpfs) that nobody maps are
    in neither, so the growth of the machine's shared memory counts as well.
    """

    def __init__(self, gateway):
        self.gateway = gateway
        self.resident = {}
        for pid in gateway.pids():
            try:
                with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as file:
                    file.write("5")  # forget the high-water mark
            except OSError:
                continue
            self.resident[pid] = read_kib(f"/proc/{pid}/status", ("VmRSS",))
        self.pss_before = self.pss_peak = gateway.memory_kib()[0]
        self.shared_before = self.shared_peak = self.read_shared()

    @staticmethod
    def read_shared():
        return read_kib("/proc/meminfo", ("Shmem",))

    def sample(self):
        self.pss_peak = max(self.pss_peak, self.gateway.memory_kib()[0])
        self.shared_peak = max(self.shared_peak, self.read_shared())

    def growth_mib(self):
        self.sample()
        marks = 0
        for pid, resident in self.resident.items():
            mark = read_kib(f"/proc/{pid}/status", ("VmHWM",))
            marks += max(0, mark - resident)
        shared = self.shared_peak - self.shared_before
        return max(self.pss_peak - self.pss_before, marks, shared) / 1024
