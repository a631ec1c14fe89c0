# SPDX-License-Identifier: BSD-2-Clause
"""contrib/quickstart with the programs that are built: the mails go as it says,
and nothing of it is left behind."""
import os
import re
import signal
import subprocess
import unittest

from harness import HERE, WAIT_S, CommandTest, postern
from programs import BUILD

QUICKSTART = os.path.join(HERE, "..", "..", "contrib", "quickstart")


@unittest.skipUnless(os.access(os.path.join(BUILD, "posternd"), os.X_OK), "posternd is not built")
class QuickstartTest(CommandTest):
    """Its temporary folder lies in the test's."""

    def start(self, *options):
        """The script, in a process group of its own as a shell would give it."""
        process = subprocess.Popen(
            [QUICKSTART, "--build", BUILD, *options], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, "TMPDIR": self.folder})
        self.addCleanup(process.wait)
        self.addCleanup(process.stdout.close)
        self.addCleanup(lambda: process.poll() is None and os.killpg(process.pid, signal.SIGKILL))
        return process

    def assert_nothing_is_left(self, process):
        """No process of the group, no file."""
        with self.assertRaises(ProcessLookupError):
            os.killpg(process.pid, 0)
        self.assertEqual(os.listdir(self.folder), [])

    def test_once_shows_nine_mails_and_ends_well(self):
        process = self.start("--once")
        out, _ = process.communicate(timeout=3 * WAIT_S)
        self.assertEqual(process.returncode, 0, out)
        self.assertEqual(re.findall(r"(?m)^(\d)\. ", out), list("123456789"))
        for line in ("S: 550 5.7.1 relaying denied (relay.denied ",
                     "S: 550 5.7.1 we do not write from outside (rule.demo.own-name ",
                     " shadow=rule.demo.own-name ", " tls=TLSv1.3 ", "S: 252 2.0.0 "):
            self.assertIn(line, out)
        self.assertEqual(len(re.findall(r"(?m)^    Delivered-To: ", out)), 5)
        self.assertRegex(out, r"(?m)^    \S+-1 bob@example\.org released: sink ")
        self.assertNotIn("!!", out)
        self.assert_nothing_is_left(process)

    def test_the_gateway_runs_until_ctrl_c(self):
        process = self.start()
        out = ""
        while "Ctrl-C ends" not in out:
            line = process.stdout.readline()
            self.assertNotEqual(line, "", out)
            out += line
        port = re.search(r"listens on 127\.0\.0\.1:(\d+)\.", out).group(1)
        run = postern("send", "--to", f"127.0.0.1:{port}", "--rcpt", "bob@example.org")
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        checked = re.search(r"postern check -c (\S+)", out).group(1)
        run = postern("check", "--strict", "-c", checked)
        self.assertEqual(run.returncode, 0, run.stdout)
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=WAIT_S)
        self.assert_nothing_is_left(process)

    def test_wrong_use_shows_how_it_is_used(self):
        process = self.start("--bogus")
        out, _ = process.communicate(timeout=WAIT_S)
        self.assertEqual(process.returncode, 2)
        self.assertIn("contrib/quickstart [--once] [--build FOLDER]", out)
