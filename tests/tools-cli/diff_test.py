# SPDX-License-Identifier: BSD-2-Clause
"""postern diff: what changes under a new configuration, for tests and for a log."""
import json
import os
import re
import unittest

from harness import CommandTest, postern
from live_mails import LiveGateway, mails
from programs import POSTERND

OLD = """
hostname mx.example.org;
listener inbound { listen 127.0.0.1:2500; tls off; }
backend legacy { address 127.0.0.1:2525; }
policy p {
    rule forged { when spf fail; then reject; }
    otherwise accept;
}
domain example.org { backend legacy; policy p; }
"""
TESTS = """
test forged {
    from a@example.net; rcpt b@example.org; ip 192.0.2.1; helo mail.example.net;
    zone "example.net. TXT \\"v=spf1 -all\\"";
    message "From: a@example.net" "" "hello";
    expect reject;
}
test other { from a@example.com; rcpt b@example.org; ip 192.0.2.1; helo mail.example.net;
    message "From: a@example.com" "" "hello"; expect accept; }
"""
LINE = ("ts=2026-11-20T10:00:00.000Z v=1 event=transaction verdict={verdict} "
        "client=192.0.2.1:4000 sid=06b3 txn={txn} listener=inbound helo=mail.example.net "
        "from={sender} rcpts=\"{rcpts}\" rcpt_count=1 {more}reply=250 gen=1")


def line(txn, verdict="accept", sender="a@example.net", rcpts="b@example.org:250", more=""):
    """One of the log."""
    return LINE.format(txn=txn, verdict=verdict, sender=sender, rcpts=rcpts,
                       more=more + " " if more else "")


class DiffTest(CommandTest):
    """Two configurations that differ in a few words."""

    def diff(self, change, *words, log=None, tests=None):
        self.write("old.conf", OLD.encode())
        new = OLD
        for before, after in change:
            self.assertIn(before, new)
            new = new.replace(before, after)
        self.write("new.conf", new.encode())
        if log is not None:
            self.write("log", "\n".join(log).encode() + b"\n")
            words += ("--log", "log")
        if tests is not None:
            self.write("x.tests", tests.encode())
            words += ("--tests", "x.tests")
        return postern("diff", "old.conf", "new.conf", *words, folder=self.folder)

    def test_tests_that_change(self):
        run = self.diff([], tests=TESTS)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertEqual(run.stdout, "tests: 2 tried, 0 with another verdict, 0 with another "
                                     "reason, phase, tags or shadow, 0 not known\n")
        run = self.diff([("then reject;", "then tempfail;")], tests=TESTS)
        self.assertEqual(run.returncode, 1)
        self.assertEqual(run.stdout, """\
x.tests:2: test forged: changes
    old  reject by rule.p.forged at rcpt
    new  tempfail by rule.p.forged at rcpt
tests: 2 tried, 1 with another verdict, 0 with another reason, phase, tags or shadow, 0 not known
""")
        run = self.diff([("rule forged", "rule fake")], "--json", tests=TESTS)
        self.assertEqual(run.returncode, 1)
        said = json.loads(run.stdout)
        self.assertEqual([change["change"] for change in said["changes"]], ["detail"])
        self.assertEqual(said["tests"]["detail"], 1)

    def test_lines_of_a_log_with_their_findings(self):
        log = [line("t-1", more='size=400 spf=fail spf_dom=example.net'),
               line("t-2", more='size=400 spf=pass spf_dom=example.net'),
               line("t-3", verdict="abort"),
               "ts=2026-11-20T10:00:00.000Z v=1 event=session client=192.0.2.1:4000",
               "what is this?"]
        run = self.diff([("when spf fail", "when spf pass")], "--json", log=log)
        self.assertEqual((run.returncode, run.stderr), (1, ""))
        said = json.loads(run.stdout)
        self.assertEqual([(change["name"], change["line"], change["old"]["verdict"],
                           change["new"]["verdict"]) for change in said["changes"]],
                         [("t-1", 1, "reject", "accept"), ("t-2", 2, "accept", "reject")])
        self.assertEqual((said["mails"]["tried"], said["other_lines"]), (2, 3))
        self.assertEqual(said["logged_otherwise"], 1)  # t-1 was accepted

    def test_what_the_line_does_not_say_is_not_known(self):
        for rule, words in (("header Subject present", "size=400 spf=none"),
                            ("dkim none", "size=400 spf=none"),
                            ("header-from multiple", "size=400 spf=none header_from=a@b.example")):
            run = self.diff([("otherwise", f"rule new {{ when {rule}; then reject; }} otherwise")],
                            log=[line("t-1", more=words)])
            self.assertEqual(run.returncode, 0, run.stdout)
            self.assertIn("log:1: mail t-1: not known", run.stdout)
            self.assertIn("new  undecided, rule.p.new is not known", run.stdout)
            self.assertIn("1 tried, 0 with another verdict", run.stdout)
            self.assertIn("1 not known", run.stdout)

    def test_what_the_line_says_is_known(self):
        cases = [("size > 300", "size=400 spf=none"), ("dkim none", "size=4 spf=none dkim=none"),
                 ("dkim-domain b.example",
                  "size=4 spf=none dkim=pass dkim_dom=a.example,b.example"),
                 ("header-from c.example", "size=4 spf=none header_from=a@c.example"),
                 ("dmarc fail and dmarc-policy reject",
                  "size=4 spf=none dkim=none dmarc=fail dmarc_p=reject"),
                 ("spf-helo pass", "size=4 spf=none spf_helo=pass"),
                 ("recipient b@example.org", "size=4 spf=none"),
                 ("client 192.0.2.0/24 and sender a@example.net", "size=4 spf=none"),
                 ("dns-temperror dkim", "size=4 spf=none spf_helo=none dkim=temperror dmarc=none")]
        for rule, words in cases:
            run = self.diff([("otherwise", f"rule new {{ when {rule}; then reject; }} otherwise")],
                            "--json", log=[line("t-1", more=words)])
            self.assertEqual(run.returncode, 1, (rule, run.stdout))
            self.assertEqual(json.loads(run.stdout)["changes"][0]["new"]["reason"], "rule.p.new")

    def test_a_refusal_at_rcpt_that_goes_is_a_change(self):
        run = self.diff([("when spf fail", "when spf softfail")],
                        log=[line("t-1", verdict="reject", more="spf=fail",
                                  rcpts="b@example.org:550:rule.p.forged")])
        self.assertEqual(run.returncode, 1)
        self.assertIn("old  reject by rule.p.forged at rcpt", run.stdout)
        self.assertIn("new  undecided", run.stdout)

    def test_lines_without_addresses_are_counted(self):
        run = self.diff([], log=[line("t-1", sender="@example.net", rcpts="@example.org:250")])
        self.assertEqual(run.returncode, 0)
        self.assertIn("1 lines have no addresses (log-addresses)", run.stdout)

    def test_hostile_lines_do_no_harm(self):
        run = self.diff([], log=[
            "{", '{"event":', '{"event":"transaction","rcpts":["', "event=", 'event="', "=" * 5000,
            '{"event":"transaction","verdict":"accept","client":"x","from":"","rcpts":[],'
            '"helo":""}',
            '{"event":"transaction","verdict":"accept","client":"192.0.2.1:1","from":"<>",'
            '"rcpts":["\\u0041@example.org:250"],"helo":"x","size":3,"spf":"none"}',
            line("t-9", rcpts='\\"a,b\\"@example.org:250,postmaster:250', more="size=4 spf=none")])
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertIn("mails of the log: 2 tried", run.stdout)

    def test_wrong_use(self):
        for words, sentence in (((), "nothing to compare by"),
                                (("--log", "absent"), "cannot read absent"),
                                (("--tests", "absent"), "cannot read \"absent\"")):
            run = self.diff([], *words)
            self.assertEqual(run.returncode, 2)
            self.assertIn(sentence, run.stderr)
        self.assertEqual(postern("diff", "old.conf", "absent.conf", "--log", "log",
                                 folder=self.folder).returncode, 2)


@unittest.skipUnless(os.access(POSTERND, os.X_OK), "posternd is not built")
class LiveLogTest(CommandTest):
    """The log of a posternd, read back."""

    def test_a_live_log_of_either_form_is_understood(self):
        counts = {}
        for form in ("json", "logfmt"):
            with self.subTest(form):
                live = LiveGateway(self, form)
                for mail in mails():
                    live.send(mail)
                log = live.gateway.log_path
                run = postern("diff", live.path, live.path, "--log", log, "--json")
                self.assertEqual((run.returncode, run.stderr), (0, ""), run.stdout)
                said = json.loads(run.stdout)
                self.assertEqual({change["change"] for change in said["changes"]}, {"unknown"})
                self.assertEqual(said["logged_otherwise"], 0)
                self.assertEqual(said["mails"]["tried"], len(mails()) - 2)  # MAIL was refused
                counts[form] = said["mails"]
                new = live.write("new.conf", re.sub(r"(?m)^ *rule cheap.*\n", "",
                                                    live.configuration(form, temperror="ignore")))
                said = json.loads(postern("diff", new, live.path, "--log", log, "--json").stdout)
                self.assertIn(("accept", "tempfail"),
                              [(change["old"]["verdict"], change["new"]["verdict"])
                               for change in said["changes"]])
        self.assertEqual(counts["json"], counts["logfmt"])
