# SPDX-License-Identifier: BSD-2-Clause
"""postern explain: it says what the log of a live session says, and why."""
import json
import os
import unittest

from gateway import parse_log_line
from harness import CommandTest, postern
from live_mails import LiveGateway, mails, zone
from programs import POSTERND

# What only a live session has: times, ids, ports, the backend's words.
LIVE = {"ts", "sid", "txn", "client", "gen", "qid", "close", "cipher", "total_ms", "rcpt_ms",
        "data_ms", "check_ms", "backend_ms", "backend_addr", "backend_code", "backend_reply",
        "backend_qid", "backend_reused", "backend_tls", "sni", "tls_resumed"}

SMALL = b"""
hostname mx.example.org;
listener inbound { listen 127.0.0.1:2500; tls off; }
listener closed { listen 127.0.0.1:2501; tls required; }
certificate { names mx.example.org; chain none.pem; key none.pem; }
backend legacy { address 127.0.0.1:2525; }
list friends { friend.example; }
policy p {
    max-size 1M;
    rule forged { when spf fail; except client 192.0.2.1; except dkim-domain in friends;
                  then reject "not by you"; }
    rule later { mode shadow; when size > 10; then tempfail; }
    otherwise accept;
}
domain example.org { backend legacy; policy p; }
"""
SMALL_ZONE = b'example.net. TXT "v=spf1 ip4:198.51.100.1 -all"\n$FAIL lost.example. TXT\n'


def comparable(line):
    """What a trial can say of a line."""
    return {key: value for key, value in line.items() if key not in LIVE}


@unittest.skipUnless(os.access(POSTERND, os.X_OK), "posternd is not built")
class LiveTest(CommandTest):
    """The same mails to a posternd and to the command."""

    maxDiff = None

    def test_it_says_what_the_log_of_a_live_session_says(self):
        live = LiveGateway(self)
        zone_path = self.write("zone", zone().encode())
        seen = set()
        for mail in mails():
            with self.subTest(mail.name):
                line = live.send(mail)
                run = postern("explain", "-c", live.path, "--zone", zone_path, "--json",
                              *mail.options(self.folder))
                self.assertEqual(run.stderr, "")
                said = json.loads(run.stdout)
                logged = parse_log_line(json.dumps(said["log"]))
                self.assertEqual(comparable(logged), comparable(line))
                self.assertEqual(said["verdict"], line["verdict"])
                self.assertEqual(run.returncode, 0 if line["reply"].startswith("2") else 1)
                seen.add((said["verdict"], said["reason"] or said["rule"]))
        self.assertGreater(len(seen), 15, seen)
        self.assertEqual({verdict for verdict, _ in seen},
                         {"accept", "reject", "tempfail", "quarantine", "discard"})

    def test_local_data_of_the_configuration_answers_without_a_zone(self):
        live = LiveGateway(self)
        mail = next(mail for mail in mails() if mail.name == "refused-by-spf")
        line = live.send(mail)
        run = postern("explain", "-c", live.path, "--json", *mail.options(self.folder))
        self.assertEqual(comparable(parse_log_line(json.dumps(json.loads(run.stdout)["log"]))),
                         comparable(line))


class ExplainTest(CommandTest):
    """Without a posternd."""

    def setUp(self):
        super().setUp()
        self.config = self.write("x.conf", SMALL)
        self.zone = self.write("zone", SMALL_ZONE)
        self.message = self.write("m", b"From: a@example.net\nSubject: x\n\nhello\n")

    def explain(self, *words, ip="203.0.113.9", sender="a@example.net", rcpt="b@example.org"):
        return postern("explain", "-c", "x.conf", "--zone", "zone", "--from", sender, "--rcpt",
                       rcpt, "--ip", ip, "--helo", "mail.example.net", *words,
                       folder=self.folder)

    def test_it_tells_rules_terms_facts_and_places(self):
        run = self.explain()
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        for part in ("rule forged (x.conf:10)", "spf fail   [fail for example.net, by -all]",
                     "except client 192.0.2.1   [203.0.113.9]", "max-size 1M (x.conf:9)",
                     "policy p (x.conf:15)", "not known yet"):
            self.assertIn(part, run.stdout)

    def test_the_envelope_alone_may_be_too_little(self):
        run = self.explain(ip="198.51.100.1")
        self.assertEqual(run.returncode, 0)
        self.assertIn("verdict   none yet", run.stdout)
        self.assertIn("--message", run.stdout)
        self.assertIsNone(json.loads(self.explain("--json", ip="198.51.100.1").stdout)["verdict"])

    def test_the_whole_mail(self):
        run = self.explain("--message", "m")
        self.assertEqual(run.returncode, 1)
        self.assertIn("verdict   reject by rule.p.forged at message\n"
                      "reason    rule.p.forged\n"
                      "reply     550 5.7.1 not by you (rule.p.forged)\n", run.stdout)
        run = self.explain("--message", "m", ip="198.51.100.1")
        self.assertEqual(run.returncode, 0)
        self.assertIn("shadow    rule.p.later would have said tempfail at message", run.stdout)
        self.assertIn("size > 10   [42 bytes]", run.stdout)

    def test_what_the_dns_left_open_is_said(self):
        run = self.explain("--message", "m", sender="a@lost.example")
        self.assertIn("left open by the DNS  rule forged (x.conf:10): on dns-temperror tempfail",
                      run.stdout)
        self.assertIn("verdict   tempfail by dns.temperror at message", run.stdout)

    def test_no_network_is_asked_with_a_zone(self):
        run = self.explain("--message", "m", sender="a@elsewhere.test", ip="192.0.2.1")
        self.assertEqual(run.returncode, 0)
        self.assertIn("spf       none  domain elsewhere.test", run.stdout)

    def test_tls_and_listener_are_those_of_the_options(self):
        run = self.explain("--listener", "closed")
        self.assertIn("reply     530 5.7.0 ", run.stdout)
        self.assertEqual(run.returncode, 1)
        run = self.explain("--listener", "closed", "--tls", "1.3", "--message", "m",
                           ip="198.51.100.1")
        self.assertIn("at listener closed, TLSv1.3", run.stdout)
        self.assertEqual(run.returncode, 0)

    def test_spf_is_that_of_the_native_engine(self):
        """There is no process of libspf2 to ask, and nobody waits for one."""
        self.write("x.conf", SMALL + b"checks { spf-engine libspf2; }\n")
        run = self.explain()
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertIn("spf fail   [fail for example.net, by -all]", run.stdout)

    def test_organizations_are_those_of_the_list(self):
        """By the tree walk it would be example.net with either list."""
        self.write("zone", b'_dmarc.example.net. TXT "v=DMARC1; p=reject"\n')
        self.write("m", b"From: a@x.mail.example.net\n\nhello\n")
        rule = b"rule owner { when dmarc fail; then reject; }\n    otherwise accept;\n}\n"
        small = SMALL.replace(b"otherwise accept;\n}\n", rule)
        for suffixes, verdict in ((b"com\nnet\n", "reject"), (b"com\nexample.net\n", "accept")):
            self.write("suffixes", suffixes)
            self.write("x.conf", small + b"checks { dmarc-discovery suffix; "
                                         b"suffix-list suffixes; }\n")
            run = self.explain("--message", "m", "--json", ip="198.51.100.1")
            self.assertEqual(run.stderr, "")
            self.assertEqual(json.loads(run.stdout)["verdict"], verdict, run.stdout)

    def test_others_domains_are_relaying(self):
        run = self.explain(rcpt="b@elsewhere.example")
        self.assertIn("no domain block covers it", run.stdout)
        self.assertIn("reason    relay.denied", run.stdout)

    def test_foreign_bytes_never_reach_the_terminal(self):
        path = self.write("evil", b"From: a@example.net\nSubject: \x1b[31m\n\nx\n")
        for words in ((), ("--json",)):
            run = self.explain("--message", path, *words)
            self.assertNotIn("\x1b", run.stdout)

    def test_what_is_missing_or_wrong_is_said(self):
        base = {"--from": "a@b.example", "--rcpt": "b@example.org", "--ip": "192.0.2.1",
                "--helo": "x"}
        for change, sentence in (
                ({"--from": None}, "--from ADDRESS is missing"),
                ({"--rcpt": None}, "--rcpt ADDRESS is missing"),
                ({"--ip": None}, "--ip ADDRESS of the client is missing"),
                ({"--helo": None}, "--helo NAME of the client is missing"),
                ({"--ip": "home"}, "--ip takes an IP address, and \"home\" is none"),
                ({"--tls": "9"}, "--tls takes 1.0, 1.1, 1.2 or 1.3, not \"9\""),
                ({"--listener": "none"}, "there is no listener \"none\""),
                ({"--helo": "x\r\nDATA"}, "has a line end in it"),
                ({"--message": "absent"}, "cannot read absent"),
                ({"--zone": "x.conf"}, "x.conf:2:")):
            options = {**base, "--zone": "zone", **change}
            words = [word for pair in options.items() if pair[1] is not None for word in pair]
            run = postern("explain", "-c", "x.conf", *words, folder=self.folder)
            self.assertEqual((run.returncode, run.stdout), (2, ""), change)
            self.assertIn(sentence, run.stderr)

    def test_other_engines_and_lists_are_those_of_the_configuration(self):
        self.write("suffixes", b"// ===BEGIN ICANN DOMAINS===\ncom\nnet\norg\n"
                               b"// ===END ICANN DOMAINS===\n")
        checks = b"""checks { spf-engine %s; dmarc-discovery suffix; suffix-list suffixes;
                            authentication-results all; }"""
        for engine in (b"native", b"both", b"libspf2"):
            self.write("x.conf", SMALL + checks % engine)
            run = self.explain("--message", "m")
            self.assertIn("spf       fail  domain example.net  by -all", run.stdout, run.stderr)
            self.assertIn("arc       none", run.stdout)
            self.assertEqual(run.returncode, 1)

    def test_a_broken_configuration_is_said_as_the_daemon_says_it(self):
        self.write("x.conf", SMALL.replace(b"spf fail", b"spf bad"))
        run = self.explain()
        self.assertEqual(run.returncode, 2)
        self.assertIn("x.conf:10:", run.stderr)
        self.assertIn("error:", run.stderr)
