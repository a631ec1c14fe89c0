# SPDX-License-Identifier: BSD-2-Clause
"""postern test: files of mails with the verdict they are to get."""
import json
import os

from harness import HERE, CommandTest, postern

POLICIES = os.path.join(HERE, "..", "..", "policies")

CONFIGURATION = b"""
hostname mx.example.org;
listener inbound { listen 127.0.0.1:2500; tls off; }
backend legacy { address 127.0.0.1:2525; }
policy p {
    rule forged { when spf fail; then reject; }
    rule unsigned { when dkim none; then tag unsigned; }
    rule old { when tls 1.0; then tag old; }
    rule noted { mode shadow; when header Subject contains "x"; then reject; }
    otherwise accept;
}
domain example.org { backend legacy; policy p; }
"""

MAIL = "from a@example.net; rcpt b@example.org; ip 192.0.2.1; helo mail.example.net;"
MESSAGE = 'message "From: a@example.net" "Subject: x" "" "hello";'


class CasesTest(CommandTest):
    """Each with a configuration of its own."""

    def run_tests(self, text, *words, name="x.tests"):
        self.write("gw.conf", CONFIGURATION)
        self.write(name, text.encode())
        return postern("test", *words, name, folder=self.folder)

    def test_shipped_policies_do_what_their_tests_say(self):
        folder = os.path.join(POLICIES, "tests")
        names = sorted(name for name in os.listdir(folder) if name.endswith(".tests"))
        policies = sorted(name for name in os.listdir(POLICIES) if name.endswith(".policy"))
        self.assertEqual([name.partition(".")[0] for name in names],
                         [name.partition(".")[0] for name in policies])
        for name in names:
            with self.subTest(name):
                run = postern("test", os.path.join(folder, name))
                self.assertEqual((run.returncode, run.stderr), (0, ""), run.stdout)
                self.assertRegex(run.stdout, r"(?m)^\d\d passed, 0 failed$")

    def test_every_rule_of_a_shipped_policy_decides_in_a_test(self):
        for name in ("standard", "strict", "observe"):
            with open(os.path.join(POLICIES, f"{name}.policy"), encoding="utf-8") as file:
                rules = [line.split()[1] for line in file if line.startswith("    rule ")]
            with open(os.path.join(POLICIES, "tests", f"{name}.tests"), encoding="utf-8") as file:
                text = file.read()
            for rule in rules:
                self.assertTrue(f"rule.{name}.{rule};" in text or f"tags {rule};" in text,
                                f"{name}: {rule}")

    def test_passed_and_failed_with_got_and_want(self):
        run = self.run_tests(f"""
            configuration gw.conf;
            test good {{ {MAIL} {MESSAGE} expect accept; tags unsigned; shadow rule.p.noted;
                        reason rule.p.otherwise; phase message; }}
            test bad {{
                {MAIL} {MESSAGE}
                zone "example.net. TXT \\"v=spf1 -all\\"";
                expect accept; tags none; shadow none;
            }}
            """)
        self.assertEqual((run.returncode, run.stderr), (1, ""))
        self.assertEqual(run.stdout, """\
passed  good
FAILED  bad (x.tests:5)
    got  reject by rule.p.forged at rcpt
    want accept, tags none, shadow none
1 passed, 1 failed
""")

    def test_json(self):
        run = self.run_tests(f"configuration gw.conf; test one {{ {MAIL} expect reject; }}",
                             "--json")
        self.assertEqual(run.returncode, 1)
        said = json.loads(run.stdout)
        self.assertEqual((said["passed"], said["failed"]), (0, 1))
        self.assertEqual(said["tests"][0]["got"]["verdict"], "undecided")
        self.assertEqual((said["tests"][0]["name"], said["tests"][0]["line"]), ("one", 1))

    def test_the_envelope_alone_is_undecided(self):
        self.assertEqual(self.run_tests(f"configuration gw.conf; test a {{ {MAIL} "
                                        "expect undecided; }").returncode, 0)

    def test_files_are_read_beside_the_tests(self):
        self.write("m", b"From: a@example.net\n\nhello\n")
        self.write("z", b'example.net. TXT "v=spf1 ip4:192.0.2.1 -all"\n')
        run = self.run_tests(f"configuration gw.conf; test a {{ {MAIL} message m; zone z; tls 1.0; "
                             "expect accept; tags unsigned, old; }")
        self.assertEqual(run.returncode, 0, run.stdout)

    def test_the_command_line_names_another_configuration(self):
        self.write("other.conf", CONFIGURATION.replace(b"when spf fail", b"when spf none"))
        run = self.run_tests(f"configuration gw.conf; test a {{ {MAIL} {MESSAGE} "
                             "expect reject; reason rule.p.forged; }", "-c", "other.conf")
        self.assertEqual(run.returncode, 0, run.stdout)

    def test_mistakes_have_a_place(self):
        for text, wanted in (
                ("test a { from b@c.example; }", "x.tests:1:1: error: the setting rcpt is missing"),
                (f"test a {{ {MAIL} expect refuse; }}", "expect takes accept, quarantine, reject"),
                (f"test a {{ {MAIL} expect accept; colour red; }}",
                 "a test block has no setting \"colour\""),
                (f"tset a {{ {MAIL} expect accept; }}", "did you mean \"test\"?"),
                (f"test {{ {MAIL} expect accept; }}", "a test is written so: test NAME {"),
                (f"test a {{ {MAIL} expect accept; }}\ntest a {{ {MAIL} expect accept; }}",
                 "x.tests:2:6: error: there is a test \"a\" already, on line 1"),
                (f"test a {{ {MAIL} expect accept; message none; }}", "cannot read \"none\""),
                (f"test a {{ {MAIL} expect accept; tls 9; }}", "tls takes 1.0, 1.1, 1.2 or 1.3"),
                (f"test a {{ {MAIL} expect accept;\n  zone \"a. A 192.0.2.1\"\n   \"a. A x\"; }}",
                 "x.tests:3:4: error: "),
                (f"test a {{ {MAIL.replace('192.0.2.1', 'home')} expect accept; }}",
                 "ip takes an IP address, not \"home\"")):
            run = self.run_tests(text, "-c", "gw.conf")
            self.assertEqual(run.returncode, 2, text)
            self.assertIn(wanted, run.stderr)

    def test_a_test_that_cannot_be_run_is_no_success(self):
        run = self.run_tests(f"configuration gw.conf; test a {{ {MAIL} listener no; expect accept; "
                             "}")
        self.assertEqual(run.returncode, 2)
        self.assertIn("x.tests:1: there is no listener \"no\"", run.stderr)
        for words in (("absent.tests",), ("-c", "absent.conf", "x.tests"), ()):
            self.assertEqual(postern("test", *words, folder=self.folder).returncode, 2)
