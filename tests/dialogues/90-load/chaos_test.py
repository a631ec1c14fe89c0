#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A few seconds of clients and a backend that do what they like, and then the sums.

No mail is lost that a client was told is accepted, none is delivered twice,
none whose client left before its end, and none is changed. The log counts as
many accepted mails as the backend took. POSTERN_CHAOS_SECONDS and
POSTERN_CHAOS_SEED make it longer, and another one.
"""
import os
import random
import re
import shutil
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TESTS, "lib"))
sys.dont_write_bytecode = True

import configuration  # noqa: E402
from backend import Backend  # noqa: E402
from certificates import Certificates, is_missing  # noqa: E402
from gateway import Gateway, make_folder  # noqa: E402
from programs import POSTERND, user  # noqa: E402
from weather import BadWeather, Wanderer  # noqa: E402

SECONDS = float(os.environ.get("POSTERN_CHAOS_SECONDS", "4"))
SEED = int(os.environ.get("POSTERN_CHAOS_SEED", "1"))
CLIENTS = 6
CHANGES = """
workers 2;
max-spool-memory 1M;
listener inbound { max-errors 50; idle-timeout 3s; data-timeout 3s; }
backend legacy {
    tls optional; max-idle 5; max-connections 6; hold 25ms; wait 5s; retry 20ms;
    dot-timeout 2s; command-timeout 2s;
}
policy plain {
    rule refused { when header Subject contains "refuse"; then reject; }
    rule dropped { when header Subject contains "discard"; then discard; }
    rule plain   { when tls none; then tag plain; }
}
"""


class ChaosTest(unittest.TestCase):
    """One run, and what must be true of it."""

    def setUp(self):
        if is_missing():
            self.skipTest("the certificates need the openssl command")
        folder = tempfile.mkdtemp(prefix="postern-chaos-")
        self.addCleanup(shutil.rmtree, folder, True)
        self.certificates = Certificates(folder)
        self.script = BadWeather(SEED)
        self.backend = Backend("legacy", self.script, self.certificates)
        self.addCleanup(self.backend.stop)
        self.gateway = Gateway(POSTERND, make_folder(self.certificates))
        self.addCleanup(shutil.rmtree, self.gateway.folder, True)
        places = {"folder": self.gateway.folder, "port legacy": self.backend.port}
        self.gateway.write_configuration(configuration.make(CHANGES, places, user()))
        self.addCleanup(self.gateway.stop)
        self.gateway.start()
        self.mails, self.surprises = [], []

    def wander(self, number):
        """Session after session of one thread."""
        address, until, count = self.gateway.addresses["inbound"][0], time.monotonic() + SECONDS, 0
        while time.monotonic() < until:
            count += 1
            wanderer = Wanderer(f"n{number}x{count}", random.Random(f"{SEED} {number} {count}"),
                                address, self.certificates)
            surprise = wanderer.wander()
            self.mails += wanderer.mails
            if surprise:
                self.surprises.append(surprise)

    def delivered(self):
        """name -> the messages of that name that the backend took."""
        found = {}
        for message in self.script.received:
            name = re.search(rb"\r\nSubject: \w+ ([nx\d-]+)\r\n", message).group(1).decode()
            found.setdefault(name, []).append(message)
        return found

    def test_sums_are_right_whatever_happens(self):
        """See the title."""
        threads = [threading.Thread(target=self.wander, args=(number,))
                   for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.gateway.stop(), [])
        self.assertEqual(self.surprises, [])
        self.assertEqual(self.script.broken, [])
        delivered = self.delivered()
        for mail in self.mails:
            with self.subTest(mail=mail.name, code=mail.code, seed=SEED):
                self.check_mail(mail, delivered.get(mail.name, []))
        lines = [line for line in self.gateway.lines() if line["event"] == "transaction"]
        accepted = sum(line["verdict"] == "accept" for line in lines)
        unknown = sum(line["verdict"] == "unknown" for line in lines)
        self.assertTrue(accepted <= len(self.script.received) <= accepted + unknown)
        self.assertGreater(accepted, 20)
        print(f"{len(self.mails)} mails, {accepted} accepted, {unknown} with an unknown end")

    def check_mail(self, mail, messages):
        """What the client heard against what was delivered."""
        self.assertLessEqual(len(messages), 1, "delivered twice")
        if mail.has_left:
            self.assertEqual(messages, [], "delivered, though the client had left")
        if mail.code == 250 and mail.subject == "plain":
            self.assertEqual(len(messages), 1, "accepted and lost")
        if mail.code is not None and mail.code != 250:
            # 451 4.4.2 says that nobody knows, but this backend never takes it then.
            self.assertEqual(messages, [], "delivered, though it was refused")
        if mail.subject != "plain":
            self.assertEqual(messages, [], "delivered, though a rule says otherwise")
        if messages and not mail.is_bad:
            self.assertTrue(messages[0].endswith(b"\r\n" + mail.content), "changed on the way")


if __name__ == "__main__":
    unittest.main()
