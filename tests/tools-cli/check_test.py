# SPDX-License-Identifier: BSD-2-Clause
"""postern check and postern effective: what they print, word for word.

golden/NAME.expected holds what the commands of GOLDEN print, each behind a line
with the command and its exit status. UPDATE_GOLDEN=1 writes the files anew; read
the difference before it is committed.
"""
import os
import re

from harness import HERE, CommandTest, postern

GOLDEN_FOLDER = os.path.join(HERE, "golden")
GOLDEN = [
    ("good", ["check", "-c", "good.conf", "--strict"]),
    ("good", ["effective", "-c", "good.conf", "example.org"]),
    ("good", ["effective", "-c", "good.conf", "EXAMPLE.eu"]),
    ("good", ["effective", "-c", "good.conf", "a.b.example.org"]),
    ("good", ["effective", "-c", "good.conf", "b.example.eu"]),
    ("good", ["effective", "-c", "good.conf", "example..org"]),
    ("doubtful", ["check", "-c", "doubtful.conf"]),
    ("doubtful", ["check", "-c", "doubtful.conf", "--strict"]),
    ("doubtful", ["effective", "-c", "doubtful.conf", "example.org"]),
    ("broken", ["check", "-c", "broken.conf"]),
    ("broken", ["effective", "-c", "broken.conf", "example.org"]),
    ("broken-policy", ["check", "-c", "broken-policy.conf"]),
    ("broken-policy", ["effective", "-c", "broken-policy.conf", "example.org"]),
]

# (list, columns, a row that must be there)
LISTS = [
    ("settings", 6, ["listener", "vrfy", "hide or refuse", "hide", ""]),
    ("terms", None, ["term", "client"]),
    ("lints", 2, ["lint.relay-wide"]),
    ("reasons", 4, ["relay.denied", "550", "5.7.1"]),
    ("log-fields", 3, ["verdict", "base"]),
]


class CheckTest(CommandTest):
    """Run in the folder of the configurations, so that messages name them shortly."""

    def transcript(self, name):
        """What the commands of one configuration print now."""
        parts = []
        for configuration, words in GOLDEN:
            if configuration == name:
                run = postern(*words, folder=GOLDEN_FOLDER)
                parts.append(f"$ postern {' '.join(words)}\n{run.stdout}{run.stderr}"
                             f"exit status {run.returncode}\n")
        return "\n".join(parts)

    def test_output_is_as_it_was(self):
        self.maxDiff = None
        for name in sorted({name for name, _ in GOLDEN}):
            with self.subTest(name):
                path = os.path.join(GOLDEN_FOLDER, f"{name}.expected")
                got = self.transcript(name)
                if os.environ.get("UPDATE_GOLDEN"):
                    with open(path, "w", encoding="utf-8") as file:
                        file.write(got)
                with open(path, encoding="utf-8") as file:
                    self.assertEqual(got, file.read())

    def test_lists_have_rows_of_one_width_and_no_row_twice(self):
        for name, width, wanted in LISTS:
            with self.subTest(name):
                run = postern("check", f"--list-{name}")
                self.assertEqual((run.returncode, run.stderr), (0, ""))
                rows = [line.split("\t") for line in run.stdout.splitlines()]
                if width is not None:
                    self.assertEqual({len(row) for row in rows}, {width})
                self.assertTrue(any(row[:len(wanted)] == wanted for row in rows), run.stdout)
                keys = [tuple(row[:-1]) if name == "reasons" else tuple(row[:2]) for row in rows]
                self.assertEqual(len(keys), len(set(keys)))

    def test_a_configuration_that_is_not_there(self):
        for command in (["check"], ["effective", "example.org"]):
            run = postern(*command, "-c", "/nonexistent.conf")
            self.assertEqual(run.returncode, 2)
            said = run.stdout + run.stderr
            self.assertIn("cannot read \"/nonexistent.conf\": No such file", said)
            self.assertEqual(said.count("error: "), 1, said)

    def test_one_mistake_hides_no_other(self):
        for name, lines in (("broken", (3, 4, 5)), ("broken-policy", (6, 7, 8, 9, 11))):
            run = postern("check", "-c", f"{name}.conf", folder=GOLDEN_FOLDER)
            for line in lines:
                self.assertIn(f"{name}.conf:{line}:", run.stdout)

    def test_the_log_has_room_for_a_mail_with_all_its_recipients(self):
        text = """
            hostname mx.example.org;
            spool-folder .;
            log {{ ring {ring}; }}
            listener inbound {{ listen 127.0.0.1:2500; tls off; max-recipients {recipients}; }}
            backend legacy {{ address 127.0.0.1:2525; }}
            policy plain {{ otherwise accept; }}
            domain example.org {{ backend legacy; policy plain; }}
            """

        def check(ring, recipients):
            path = self.write("x.conf", text.format(ring=ring, recipients=recipients).encode())
            run = postern("check", "-c", path)
            self.assertEqual(run.returncode, 2 if "log.ring-small" in run.stdout else 0, run.stdout)
            return run.stdout

        self.assertNotIn("log.ring-small", check("64K", 100))
        said = check("64K", 1000)
        self.assertIn("x.conf:5:64: error: the line of a mail with the 1000 recipients", said)
        wanted = int(re.search(r"write in the log block: ring (\d+)K;", said).group(1))
        self.assertIn("log.ring-small", check(f"{wanted - 1}K", 1000))
        self.assertNotIn("log.ring-small", check(f"{wanted}K", 1000))

    def test_an_unreadable_certificate_stops_check_and_not_effective(self):
        path = self.write("x.conf", b"""
            hostname mx.example.org;
            spool-folder .;
            certificate { names mx.example.org; chain none.pem; key none.pem; }
            listener inbound { listen 127.0.0.1:2500; }
            backend legacy { address 127.0.0.1:2525; }
            policy plain { otherwise accept; }
            domain example.org { backend legacy; policy plain; }
            """)
        run = postern("check", "-c", path)
        self.assertEqual(run.returncode, 2)
        self.assertIn("none.pem", run.stdout)
        self.assertEqual(postern("effective", "-c", path, "example.org").returncode, 0)

    def test_a_trust_anchor_that_is_no_record_is_refused(self):
        text = b"""
            hostname mx.example.org;
            spool-folder .;
            resolver { address 127.0.0.1:53; validate on; trust-anchor root.key; }
            listener inbound { listen 127.0.0.1:2500; tls off; }
            backend legacy { address 127.0.0.1:2525; }
            policy plain { otherwise accept; }
            domain example.org { backend legacy; policy plain; }
            """
        good = b"; of no one\n. IN DS 1 8 2 " + b"00" * 32 + b" ; at all\n"
        for anchor, status in ((good, 0), (b"what is this\n", 2)):
            self.write("root.key", anchor)
            run = postern("check", "-c", self.write("x.conf", text))
            self.assertEqual(run.returncode, status, run.stdout)
            self.assertEqual("x.conf:4:13: error: names cannot be looked up" in run.stdout,
                             status == 2, run.stdout)
