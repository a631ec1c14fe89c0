# SPDX-License-Identifier: BSD-2-Clause
"""A real NSD with zones of its own, signed and not, and those who ask it."""
import os
import re
import signal
import socket
import subprocess
import time

from ports import hold_port
from programs import BUILD

WAIT_S = 20
TYPES = {"A": 1, "CNAME": 5, "MX": 15, "TXT": 16, "AAAA": 28, "TLSA": 52}

HEAD = """$ORIGIN {zone}.
$TTL 3600
@ IN SOA ns hostmaster 1 3600 600 86400 2
@ IN NS ns
ns IN A 127.0.0.1
"""
CONFIG = """server:
    {addresses}
    username: ""
    zonesdir: "{folder}"
    pidfile: "{folder}/pid"
    database: ""
    zonelistfile: "{folder}/zone.list"
    xfrdfile: "{folder}/xfrd.state"
    server-count: 1
remote-control:
    control-enable: no
"""


def hold_name_port():
    """One that nobody has for datagrams either."""
    while True:
        held = hold_port()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            try:
                datagrams.bind(held.getsockname())
                return held
            except OSError:
                held.close()


class NameServer:
    """Serves zones: {name: text behind the SOA record}; those in `signed` by DNSSEC."""

    def __init__(self, environment, folder):
        self.environment, self.folder = environment, folder
        self.root = environment["NSD"]
        self.held_port = hold_name_port()
        self.port = self.held_port.getsockname()[1]
        self.process, self.zones = None, []

    def tool(self, name, *words):
        """Runs one of ldns' programs in the folder; gives what it says."""
        run = subprocess.run([os.path.join(self.root, "usr/bin", name), *words], cwd=self.folder,
                             env={**os.environ, **self.environment}, capture_output=True,
                             check=False)
        if run.returncode:
            raise RuntimeError(f"{name} failed: {run.stdout} {run.stderr}")
        return run.stdout.decode().strip()

    def add_zone(self, zone, text):
        """Not signed."""
        with open(os.path.join(self.folder, zone), "w", encoding="ascii") as file:
            file.write(HEAD.format(zone=zone) + text)
        self.zones.append((zone, zone))

    def add_signed_zone(self, zone, text, change=lambda signed: signed):
        """`change` is made to the zone after it was signed. Gives the DS record."""
        self.add_zone(zone, text)
        key = self.tool("ldns-keygen", "-a", "ECDSAP256SHA256", "-k", zone)
        anchor = self.tool("ldns-key2ds", "-n", "-2", key + ".key")
        self.tool("ldns-signzone", "-f", zone + ".signed", zone, key)
        path = os.path.join(self.folder, zone + ".signed")
        with open(path, encoding="ascii") as file:
            signed = file.read()
        with open(path, "w", encoding="ascii") as file:
            file.write(change(signed))
        self.zones[-1] = (zone, zone + ".signed")
        return anchor + "\n"

    def start(self):
        """Until it answers."""
        addresses = f"ip-address: 127.0.0.1@{self.port}"
        text = CONFIG.format(addresses=addresses, folder=self.folder)
        for zone, path in self.zones:
            text += f'zone:\n    name: "{zone}"\n    zonefile: "{path}"\n'
        path = os.path.join(self.folder, "nsd.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        with open(os.path.join(self.folder, "stderr"), "wb") as log:
            self.process = subprocess.Popen(
                [os.path.join(self.root, "usr/sbin/nsd"), "-d", "-c", path],
                env={**os.environ, **self.environment}, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True)
        until = time.monotonic() + WAIT_S
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > until:
                with open(os.path.join(self.folder, "stderr"), encoding="utf-8") as file:
                    raise RuntimeError(f"NSD does not answer: {file.read()}")
            time.sleep(0.05)

    def answers(self):
        """Does it answer anything?"""
        question = b"\x12\x34\x01\0\0\1\0\0\0\0\0\0\0\0\2\0\1"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            asker.settimeout(0.5)
            try:
                asker.connect(("127.0.0.1", self.port))
                asker.send(question)
                return len(asker.recv(1000)) > 0
            except OSError:
                return False

    def pause(self, is_paused):
        """All its processes stand still; what comes meanwhile waits in its sockets."""
        os.killpg(self.process.pid, signal.SIGSTOP if is_paused else signal.SIGCONT)

    def stop(self):
        """Ends it and its children: they are a process group of their own."""
        self.held_port.close()
        if self.process is None:
            return
        for number in (signal.SIGCONT, signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                pass
            if number != signal.SIGCONT:
                try:
                    self.process.wait(5)
                except subprocess.TimeoutExpired:
                    continue


class Answer:
    """A line of ask-names."""

    def __init__(self, line):
        self.line = line
        match = re.fullmatch(r"(\w+) (-|[\w ]+?) (bogus|secure|plain) (\d+) (\d+)(?: (.*))?", line)
        self.result, self.problem, self.dnssec = match.group(1, 2, 3)
        self.ttl, self.ms = int(match.group(4)), int(match.group(5))
        self.records = (match.group(6) or "").split(" ") if match.group(6) else []

    def __str__(self):
        return self.line


class Asker:
    """The resolver, with a cache that lives as long as this."""

    def __init__(self, ports, timeout_ms=5000, anchors="-"):
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "ask-names"), str(timeout_ms), anchors,
             *(f"127.0.0.1:{port}" for port in ports)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def begin(self, name, kind="A"):
        """The answer is for `finish`."""
        self.process.stdin.write(f"{name} {TYPES[kind]}\n".encode())
        self.process.stdin.flush()

    def finish(self):
        """The answer to what was begun."""
        return Answer(self.process.stdout.readline().decode().strip())

    def ask(self, name, kind="A"):
        """Both."""
        self.begin(name, kind)
        return self.finish()

    def stop(self):
        """Ends it, which must be in order."""
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(20)
