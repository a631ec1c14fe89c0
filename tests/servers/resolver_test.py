# SPDX-License-Identifier: BSD-2-Clause
"""The resolver and a real NSD: times, TCP, DNSSEC, and servers that are slow or gone."""
import os
import shutil
import tempfile
import time
import unittest

from name_server import Asker, NameServer, hold_name_port
from postern_case import servers_environment

PLAIN = """
a 60 A 192.0.2.1
brief 2 A 192.0.2.2
six AAAA 2001:db8::1
@ MX 10 mx
alias 30 CNAME a
stars TXT "v=spf1 " "-all"
*.wild A 192.0.2.3
""" + "".join(f'big TXT "{number:03d}{"x" * 200}"\n' for number in range(30))

SIGNED = """
a A 192.0.2.1
_25._tcp.a TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
alias CNAME a
forged A 192.0.2.66
"""


def forge(signed):
    """Another address than was signed."""
    assert "192.0.2.66" in signed
    return signed.replace("192.0.2.66", "192.0.2.67")


class ResolverTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        environment = servers_environment()
        cls.folder = tempfile.mkdtemp(prefix="postern-names-")
        cls.server = NameServer(environment, cls.folder)
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        cls.addClassCleanup(cls.server.stop)
        cls.server.add_zone("plain.example", PLAIN)
        cls.anchors = os.path.join(cls.folder, "anchors")
        with open(cls.anchors, "w", encoding="ascii") as file:
            file.write(cls.server.add_signed_zone("signed.example", SIGNED, forge))
        cls.server.start()

    def asker(self, **settings):
        """One that asks the server; ended with the test, in order."""
        asker = Asker(settings.pop("ports", [self.server.port]), **settings)
        self.addCleanup(lambda: self.assertEqual(asker.stop(), 0))
        return asker

    def test_answers_of_all_types_are_read(self):
        asker = self.asker()
        for name, kind, want in (("a", "A", "192.0.2.1"), ("six", "AAAA", "2001:db8::1"),
                                 ("stars", "TXT", "v=spf1"), ("x.wild", "A", "192.0.2.3"),
                                 ("alias", "A", "192.0.2.1"),
                                 ("alias", "CNAME", "a.plain.example")):
            answer = asker.ask(f"{name}.plain.example", kind)
            self.assertEqual((answer.result, answer.records[0]), ("found", want), answer)
        self.assertEqual(asker.ask("plain.example", "MX").records, ["10/mx.plain.example"])
        self.assertEqual(asker.ask("a.plain.example", "MX").result, "nodata")
        self.assertEqual(asker.ask("nowhere.plain.example").result, "noname")
        self.assertEqual(asker.ask("elsewhere.example").result, "failed")

    def test_an_answer_is_kept_for_its_time(self):
        asker = self.asker(timeout_ms=1000)
        self.assertIn(asker.ask("a.plain.example").ttl, (59, 60))
        self.assertEqual(asker.ask("alias.plain.example").ttl, 30)
        for name, result in (("brief.plain.example", "found"), ("nowhere.plain.example", "noname")):
            self.assertEqual(asker.ask(name).ttl, 2)
            self.server.pause(True)
            try:
                self.assertEqual(asker.ask(name).result, result)
                time.sleep(3.1)
                self.assertEqual(asker.ask(name).problem, "timeout")
            finally:
                self.server.pause(False)

    def test_a_long_answer_comes_by_tcp_and_whole(self):
        answer = self.asker().ask("big.plain.example", "TXT")
        self.assertEqual(answer.result, "found", answer)
        self.assertEqual(sorted(record[:3] for record in answer.records),
                         [f"{number:03d}" for number in range(30)])

    def test_signatures_are_checked_where_there_is_an_anchor(self):
        asker = self.asker(anchors=self.anchors)
        for name, kind, result in (("a", "A", "found"), ("_25._tcp.a", "TLSA", "found"),
                                   ("alias", "A", "found"), ("a", "MX", "nodata"),
                                   ("nowhere", "A", "noname")):
            answer = asker.ask(f"{name}.signed.example", kind)
            self.assertEqual((answer.result, answer.dnssec), (result, "secure"), answer)
        answer = asker.ask("forged.signed.example")
        self.assertEqual((answer.result, answer.problem, answer.dnssec, answer.records),
                         ("failed", "bogus", "bogus", []))
        self.assertEqual(asker.ask("a.plain.example").dnssec, "plain")

    def test_nothing_is_checked_without_an_anchor(self):
        asker = self.asker()
        answer = asker.ask("forged.signed.example")
        self.assertEqual((answer.records, answer.dnssec), (["192.0.2.67"], "plain"))

    def test_a_dead_server_is_a_failure_in_time_and_another_one_is_asked(self):
        with hold_name_port() as held:
            dead = held.getsockname()[1]
            answer = self.asker(ports=[dead], timeout_ms=2000).ask("a.plain.example")
            self.assertEqual(answer.result, "failed")
            self.assertLess(answer.ms, 4000)
            asker = self.asker(ports=[dead, self.server.port])
            for name in ("a", "brief", "x.wild", "y.wild"):
                self.assertEqual(asker.ask(f"{name}.plain.example").result, "found")

    def test_a_slow_server_is_waited_for_and_a_silent_one_is_not(self):
        slow, hasty = self.asker(), self.asker(timeout_ms=300)
        self.server.pause(True)
        try:
            slow.begin("a.plain.example")
            answer = hasty.ask("a.plain.example")
            self.assertEqual((answer.result, answer.problem), ("failed", "timeout"))
            self.assertGreaterEqual(answer.ms, 250)  # counted from the turn of a loop
            self.assertLess(answer.ms, 2000)
        finally:
            self.server.pause(False)
        answer = slow.finish()
        self.assertEqual(answer.result, "found", answer)
        self.assertGreaterEqual(answer.ms, 250)
        # What was given up has come into the cache, or is asked for again.
        time.sleep(0.5)
        self.assertEqual(hasty.ask("a.plain.example").result, "found")


if __name__ == "__main__":
    unittest.main()
