#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Attacks of lib/attacks.py, and beside each of them a client who only wants to send mail.

Its mails are accepted all the while, the worker lives on, and its memory stays small. How fast it
is served is measured elsewhere (contrib/load/run --attacks): here the deadline is generous, so that
a busy machine fails nobody. POSTERN_ATTACK_SECONDS makes each attack last longer,
POSTERN_ATTACKS=NAME,NAME chooses some.
"""
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TESTS, "lib"))
sys.dont_write_bytecode = True

import attacks  # noqa: E402
import configuration  # noqa: E402
from backend import Backend, Script  # noqa: E402
from certificates import Certificates, is_missing  # noqa: E402
from client import SLOWNESS, Client  # noqa: E402
from gateway import Gateway, make_folder  # noqa: E402
from programs import POSTERND, user  # noqa: E402

SECONDS = float(os.environ.get("POSTERN_ATTACK_SECONDS", "0.3"))
MAX_RSS_KIB = 64 * 1024
DEADLINE_S = 20 * SLOWNESS
# The attackers' networks are their own, so the limits for clients stay as they are by default.
GOOD_ADDRESS = "127.255.0.1"
CHANGES = """
listener inbound { max-sessions-per-address 50; max-sessions-per-network 200; }
listener inbounds {
    listen 127.0.0.1:0; tls implicit; max-sessions-per-address 50; max-sessions-per-network 200;
}
backend legacy { max-idle 10; wait 60s; }
policy plain { %s }
""" % attacks.RULES
MAIL = (b"MAIL FROM:<alice@example.net>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n",
        b"Subject: hello\r\n\r\nHello Bob.\r\n.\r\nQUIT\r\n")


def has_sanitizer():
    """Such a build takes many times the memory."""
    with open(POSTERND, "rb") as file:
        return b"__asan_init" in file.read()


def read_status(pid, key):
    """A size of /proc/PID/status, in KiB."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith(key + ":"):
                return int(line.split()[1])
    raise KeyError(key)


def find_workers(master):
    """Pids of the master's workers."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                is_worker = file.read().startswith(b"posternd: worker")
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
            if is_worker and parent == master:
                found.append(int(pid))
    return found


class Attack:
    """One that goes on until its time is over, in a process of its own."""

    def __init__(self, name, port, tls_port):
        self.process = subprocess.Popen(
            [sys.executable, "-B", attacks.__file__, name, str(port), str(tls_port),
             "mallory@example.org", str(SECONDS)], stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()

    def is_over(self):
        return self.process.poll() is not None

    def report(self):
        """What it says of itself in the end."""
        output = self.process.communicate(timeout=60 * SLOWNESS)[0]
        return json.loads(output)

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class AttacksTest(unittest.TestCase):
    """All attacks, one after the other, on one gateway."""

    def setUp(self):
        if is_missing():
            self.skipTest("the certificates need the openssl command")
        folder = tempfile.mkdtemp(prefix="postern-attacks-")
        self.addCleanup(shutil.rmtree, folder, True)
        certificates = Certificates(folder)
        self.backend = Backend("legacy", Script([], {}), certificates)
        self.addCleanup(self.backend.stop)
        self.gateway = Gateway(POSTERND, make_folder(certificates))
        self.addCleanup(shutil.rmtree, self.gateway.folder, True)
        places = {"folder": self.gateway.folder, "port legacy": self.backend.port}
        silent = attacks.listen_in_silence()
        self.addCleanup(silent.close)
        zone = os.path.join(self.gateway.folder, "zone")
        with open(zone, "w", encoding="ascii") as file:
            file.write(attacks.make_zone())
        changes = CHANGES + attacks.make_checks(zone, silent.getsockname()[1])
        self.gateway.write_configuration(configuration.make(changes, places, user()))
        self.addCleanup(self.gateway.stop)
        self.gateway.start()
        self.address = self.gateway.addresses["inbound"][0]
        self.workers = find_workers(self.gateway.process.pid)
        self.has_sanitizer = has_sanitizer()

    def send_mail(self):
        """A whole session; how long it took."""
        begin = time.monotonic()
        client = Client("good", self.address, GOOD_ADDRESS)
        try:
            client.read_reply()
            client.write(b"EHLO good.example.net\r\n")
            client.read_reply(None)
            client.write(MAIL[0])
            codes = [client.read_reply()[0][:3] for _ in range(3)]
            self.assertEqual(codes, [b"250", b"250", b"354"])
            client.write(MAIL[1])
            self.assertEqual(client.read_reply()[0][:3], b"250")
        finally:
            client.close()
        return time.monotonic() - begin

    def check_attack(self, name):
        """See the title."""
        attack = Attack(name, self.address[1], self.gateway.addresses["inbounds"][0][1])
        self.addCleanup(attack.stop)
        times = []
        rss_kib = 0
        while not attack.is_over() or len(times) < 3:
            times.append(self.send_mail())
            rss_kib = max(rss_kib, *(read_status(pid, "VmRSS") for pid in self.workers))
            time.sleep(0.005)
        report = attack.report()
        print(f"{name}: {len(times)} mails, the slowest {1000 * max(times):.0f} ms, "
              f"{rss_kib // 1024} MiB, {report['rounds']} rounds")
        self.assertLess(max(times), DEADLINE_S)
        self.assertEqual(report["in_place"], report["count"], "the attack did not come about")
        if not self.has_sanitizer:
            self.assertLess(rss_kib, MAX_RSS_KIB, "KiB of memory")
        self.assertEqual(find_workers(self.gateway.process.pid), self.workers)

    def test_mail_goes_through_under_every_attack(self):
        """See the title."""
        wanted = os.environ.get("POSTERN_ATTACKS", ",".join(attacks.ATTACKS)).split(",")
        for name in wanted:
            with self.subTest(attack=name):
                self.check_attack(name)
        self.assertEqual(self.gateway.stop(), [])


if __name__ == "__main__":
    unittest.main()
