# SPDX-License-Identifier: BSD-2-Clause
"""postern itself: its commands, their help, and how it complains."""
import subprocess

from harness import CommandTest, postern
from programs import POSTERN

COMMANDS = ("check", "diff", "effective", "explain", "send", "sink", "test")


class CommandLineTest(CommandTest):
    """Nothing here needs a configuration."""

    def test_help_names_every_command(self):
        for words in (["help"], ["--help"], ["-h"]):
            run = postern(*words)
            self.assertEqual((run.returncode, run.stderr), (0, ""))
            for command in COMMANDS + ("help", "version"):
                self.assertRegex(run.stdout, rf"(?m)^  {command} +\w")

    def test_every_command_has_a_help(self):
        for command in COMMANDS:
            by_word, by_option = postern("help", command), postern(command, "--help")
            self.assertEqual(by_word.returncode, 0)
            self.assertTrue(by_word.stdout.startswith(f"usage: postern {command} [options]"))
            self.assertEqual(by_word.stdout, by_option.stdout)
            self.assertTrue(all(len(line) < 100 for line in by_word.stdout.split("\n")))

    def test_no_word_at_all_is_wrong_use(self):
        run = postern()
        self.assertEqual((run.returncode, run.stdout), (2, ""))
        self.assertIn("usage: postern COMMAND", run.stderr)

    def test_version_is_told(self):
        for words in (["version"], ["--version"]):
            run = postern(*words)
            self.assertRegex(run.stdout, r"^postern \d+\.\d+\.\d+\n$")
            self.assertEqual(run.returncode, 0)

    def test_mistakes_are_named(self):
        cases = [
            (["report"], 'postern: "report" is no command (postern help lists them)\n'),
            (["help", "nothing"], 'postern: "nothing" is no command (postern help lists them)\n'),
            (["a\x1b[2Jb"], 'postern: "a\\x1b[2Jb" is no command (postern help lists them)\n'),
            (["check", "--bogus"],
             "postern check: unknown option --bogus (see: postern help check)\n"),
            (["check", "--strict=yes"], "postern check: --strict takes no value\n"),
            (["check", "-c"], "postern check: -c needs FILE behind it\n"),
            (["check", "file"],
             'postern check: "file" is one word too many (see: postern help check)\n'),
            (["effective"], "postern effective: DOMAIN is missing (see: postern help effective)\n"),
            (["effective", "a", "b"],
             'postern effective: "b" is one word too many (see: postern help effective)\n'),
        ]
        for words, complaint in cases:
            with self.subTest(words):
                run = postern(*words)
                self.assertEqual((run.returncode, run.stdout, run.stderr), (2, "", complaint))

    def test_output_that_cannot_be_written_is_a_failure(self):
        with open("/dev/full", "wb") as full:
            run = subprocess.run([POSTERN, "help"], stdout=full, stderr=subprocess.PIPE,
                                 check=False)
        self.assertEqual((run.returncode, run.stderr),
                         (2, b"postern: cannot write to standard output\n"))
