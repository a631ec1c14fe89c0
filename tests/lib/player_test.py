# SPDX-License-Identifier: BSD-2-Clause
"""Tests of the dialogue player itself: a player that finds no fault is worth nothing."""
import os
import re
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import client  # noqa: E402
import configuration  # noqa: E402
from backend import Backend, Script  # noqa: E402
from casefile import File, Line  # noqa: E402
from gateway import parse_log_line  # noqa: E402
from player import Player, fits, parse_expected  # noqa: E402
from texts import Mistake, to_bytes, to_regex  # noqa: E402

GREETING = "    S: 220 backend.internal ESMTP *\n"


class NoGateway:
    """Stands where posternd would: the client speaks to the scripted backend itself."""

    def __init__(self, port, log=()):
        self.addresses, self.log = {"inbound": [("127.0.0.1", port)]}, list(log)

    def lines(self):
        """No log but what the test gives."""
        return self.log

    def raw_log(self):
        """Likewise."""
        return ""


class TextsTest(unittest.TestCase):
    """Escapes, braces and patterns."""

    def test_bytes_of_a_line(self):
        """Table: what is written, what is sent."""
        for text, values, want in (
                ("plain", {}, b"plain"), (r"a\r\n\t\0\s\xff\\ \{\*", {}, b"a\r\n\t\0 \xff\\ {*"),
                ("{3*ab}", {}, b"ababab"), ("{2*{2*a}b}", {}, b"aabaab"), ("a*b", {}, b"a*b"),
                ("{x}-{n}", {"x": "{2*y}", "n": 7}, b"yy-7"), ("ü", {}, "ü".encode())):
            self.assertEqual(to_bytes(text, values), want, text)

    def test_mistakes_are_told(self):
        """An unknown name, an unknown escape, an open brace."""
        for text in ("{nobody}", r"\q", "{2*a"):
            self.assertRaises(Mistake, to_bytes, text, {})

    def test_patterns(self):
        """A star stands for anything, an escaped one for itself."""
        for text, data, want in (("250 *", b"250 ok", True), ("250 *", b"251 ok", False),
                                 (r"a\*b", b"a*b", True), (r"a\*b", b"axb", False),
                                 ("a.b", b"axb", False), ("*", b"", True)):
            self.assertEqual(bool(to_regex(text, {}).fullmatch(data)), want, text)

    def test_log_lines(self):
        """Both forms; a missing key is not an empty one."""
        for line in ('ts=1 v=1 a="x \\"y\\" \\x1b" b=c:1',
                     '{"ts":"1","a":"x \\"y\\" \\u001b","b":"c:1"}'):
            found = parse_log_line(line)
            self.assertEqual((found["a"], found["b"]), ('x "y" \x1b', "c:1"))
            wanted = parse_expected("b=c:* !z", Line("", "", 0), {})
            self.assertTrue(fits(wanted, found))
            self.assertFalse(fits(parse_expected("!b", Line("", "", 0), {}), found))
            self.assertFalse(fits(parse_expected("z=*", Line("", "", 0), {}), found))
        self.assertIsNone(parse_log_line("some words"))


class ConfigurationTest(unittest.TestCase):
    """What a case changes in the common configuration."""

    def make(self, changes):
        """As one line."""
        places = {"folder": "/f", "port legacy": "25"}
        return re.sub(r"\s+", " ", configuration.make(changes, places, "nobody"))

    def test_settings_replace_and_blocks_merge(self):
        """A rule goes before otherwise, certificates are added, drop drops."""
        text = self.make('listener inbound { tls off; } policy plain { rule a { when tls none; '
                         'then reject "no; {never}"; } } certificate { names x.example; } '
                         "drop domain example.org example.eu; workers 3;")
        for want in ("max-sessions-per-network 1000; tls off; }", "workers 3;",
                     '} } otherwise accept; }'.replace("} }", "}"), 'reject "no; {never}";',
                     "certificate { names x.example; }", "user nobody;"):
            self.assertIn(want, text)
        self.assertNotIn("workers 1;", text)
        self.assertNotIn("domain example.org", text)
        self.assertLess(text.index("rule a"), text.index("otherwise"))


class PlayerTest(unittest.TestCase):
    """Cases played to the scripted backend, and whether their faults are found."""

    def setUp(self):
        wait_s, client.WAIT_S = client.WAIT_S, 0.5
        self.addCleanup(setattr, client, "WAIT_S", wait_s)

    def play(self, sections, log=()):
        """One case; Unexpected comes out."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "x.cases")
            with open(path, "w", encoding="utf-8") as file:
                file.write("# x\n\n== one_case\nwhy: because\n" + sections)
            case = File(path, folder).cases[0]
        backend = Backend("legacy", Script([], {}), None)
        self.addCleanup(backend.stop)
        player = Player(case, {}, {}, NoGateway(backend.port, log), {"legacy": backend}, None, None)
        player.has_all_lines = lambda lines: True
        player.check_everywhere = lambda: None
        player.play()
        self.assertIn("S: 220", player.report())
        return player

    def test_good_case_passes(self):
        """Greeting, a mail and its bytes."""
        self.play("client:\n" + GREETING + "    C: EHLO x\n    S: 250 ...\n"
                  "    offers PIPELINING, DSN\n    C: MAIL FROM:<>\n    C: RCPT TO:<b@c.test>\n"
                  "    C: DATA\n    S*2: 250 *\n    S: 354 *\n    C: ..dot\n    C*2: {n}\n"
                  "    C: .\n    S: 250 *\n    C: QUIT\n    S: 221 *\n    S: (closed)\n"
                  "seen:\n    connect\n    EHLO x\n    MAIL FROM:<>\n    RCPT TO:*\n    DATA\n"
                  "    .\n"
                  "received:\n    .dot\n    1\n    2\n")

    def test_faults_are_found(self):
        """Each section that says something else than what happens."""
        for sections, words in (
                ("client:\n    S: 221 *\n", "expected 221"),
                ("client:\n" + GREETING + "    S: 250 x\n", "closed|nothing"),
                ("client:\n" + GREETING + "    C: QUIT\n    S: 221 *\n    S: 250 *\n", "closed"),
                ("client:\n" + GREETING + "    C: EHLO x\n    S: (silence 50ms)\n", "silence"),
                ("client:\n" + GREETING + "    C: EHLO x\n    S: 250 ...\n    offers AUTH\n",
                 "expected among"),
                ("client:\n" + GREETING + "seen:\n    NOOP\n", "was to see"),
                ("client:\n" + GREETING + "received:\n    x\n", "1 messages expected"),
                ("client:\n" + GREETING + "log:\n    a=b\n", "1 lines expected"),
                ("backend:\n    on EHLO* close\nclient:\n" + GREETING + "    C: EHLO x\n"
                 "    S: 250 ...\n", "closed"),
                ("backend:\n    on EHLO* say hello\\r\\n\nclient:\n" + GREETING + "    C: EHLO x\n"
                 "    S: 250 ...\n", "no line of an SMTP reply"),
                ("backend:\n    on EHLO* reply 250 5.0.0 x\nclient:\n" + GREETING +
                 "    C: EHLO x\n    S: 250 ...\n", "differ in class")):
            with self.assertRaisesRegex(client.Unexpected, words, msg=sections):
                self.play(sections)

    def test_mistaken_cases_are_told_with_their_place(self):
        """A section, a step and a rule that do not exist."""
        for sections in ("clients:\n    S: 1\n", "client:\n    dance\n", "why: x\n",
                         "backend:\n    on EHLO* dance\nclient:\n    S: 220 *\n",
                         "client:\n    do nobody\n"):
            with self.assertRaisesRegex(Mistake, r"x\.cases:\d+", msg=sections):
                self.play(sections)

    def test_rules_by_number_and_order(self):
        """The first rule that fits; an ordinal counts over all connections."""
        lines = [Line("on second RCPT* reply 451 later", "x", 1),
                 Line("on . wait 1ms then reply 250 one|two then close", "x", 2)]
        script = Script(lines, {})
        self.assertIsNone(script.find(b"RCPT TO:<a>"))
        self.assertEqual(script.find(b"rcpt to:<b>"), ["reply 451 later"])
        self.assertIsNone(script.find(b"RCPT TO:<c>"))
        self.assertEqual(script.find(b"."), ["wait 1ms", "reply 250 one|two", "close"])


if __name__ == "__main__":
    unittest.main(verbosity=1)
