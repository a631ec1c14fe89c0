# SPDX-License-Identifier: BSD-2-Clause
"""Real clients in front: openssl s_client, and nmap's scripts, which must find nothing."""
import os
import re
import subprocess
import threading
import unittest

from backend import Backend, Script
from casefile import Line
from postern_case import PosternCase, require_tool

USERS = "admin administrator bob guest root sysadmin test user web webadmin"
SOFTWARE = re.compile(r"(?i)postern|SecretMTA|backend\.internal|postfix|exim|sendmail|opensmtpd")


def inbound(gateway):
    """(host, port) of its listener."""
    return gateway.addresses["inbound"][0]


class Conversation:
    """openssl s_client as a client that waits for each reply."""

    def __init__(self, address, *words):
        self.process = subprocess.Popen(
            ["openssl", "s_client", "-connect", "%s:%d" % address, "-quiet", "-crlf",
             "-servername", "mx.example.org", *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.alarm = threading.Timer(30, self.process.kill)
        self.alarm.start()

    def read_reply(self):
        """The last line of the next reply."""
        while True:
            line = self.process.stdout.readline().decode()
            if not line or line[3:4] == " ":
                return line.rstrip()

    def say(self, line):
        """A line; gives its reply."""
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        return self.read_reply()

    def end(self):
        """Waits for its end; gives the exit status."""
        self.process.stdin.close()
        status = self.process.wait()
        self.alarm.cancel()
        self.process.stdout.close()
        self.process.stderr.close()
        return status


class ClientsTest(PosternCase):
    """A backend that knows bob and nobody else."""

    def setUp(self):
        lines = [Line("on RCPT TO:<bob@* reply 250 2.1.5 SecretMTA knows bob", "", 0),
                 Line("on RCPT* reply 550 5.1.1 SecretMTA knows no such user", "", 0)]
        self.script = Script(lines, {})
        self.backend = Backend("legacy", self.script, self.certificates)
        self.addCleanup(self.backend.stop)

    def send_mail(self, talk):
        """From EHLO to QUIT."""
        for line, code in (("EHLO client.example.net", "250"), ("MAIL FROM:<a@example.net>", "250"),
                           ("RCPT TO:<bob@example.org>", "250"), ("DATA", "354"),
                           ("Subject: by s_client\n\nhello\n.", "250 2.0.0 accepted"),
                           ("QUIT", "221")):
            reply = talk.say(line)
            self.assertTrue(reply.startswith(code), f"{line}: {reply}")
        self.assertEqual(talk.end(), 0)
        self.assertEqual(len(self.script.received), 1)
        self.assertIn(b"Subject: by s_client\r\n\r\nhello\r\n", self.script.received[0])

    def test_openssl_s_client_with_starttls(self):
        """STARTTLS as OpenSSL does it."""
        gateway = self.start_gateway(self.backend.port)
        talk = Conversation(inbound(gateway), "-starttls", "smtp")
        self.send_mail(talk)
        line = self.await_verdict(gateway, "")
        self.assertEqual((line["verdict"], line["tls"]), ("accept", "TLSv1.3"))

    def test_openssl_s_client_with_tls_from_the_start(self):
        """As on port 465."""
        gateway = self.start_gateway(self.backend.port, "listener inbound { tls implicit; }")
        talk = Conversation(inbound(gateway))
        self.assertEqual(talk.read_reply(), "220 mx.example.org ESMTP")
        self.send_mail(talk)

    def test_swaks_with_pipelining_and_bad_ends_of_data(self):
        """swaks can be told to speak old and new dialects."""
        gateway = self.start_gateway(self.backend.port)
        for words in (["--pipeline"], ["--protocol", "SMTP"], ["--tls", "--pipeline"]):
            status, said = self.swaks(gateway, *words)
            self.assertEqual(status, 0, said)
        self.assertEqual(len(self.script.received), 3)

    # ---- nmap. "+" has a script run whatever the port is. ----

    def nmap(self, address, *words):
        """What nmap says of a port."""
        require_tool("nmap")
        host, port = address
        run = subprocess.run(["nmap", "-Pn", "-n", "-p", str(port), *words, host],
                             capture_output=True, timeout=120, check=False)
        said = run.stdout.decode("utf-8", "replace")
        self.assertEqual(run.returncode, 0, said + run.stderr.decode())
        self.assertRegex(said, rf"{port}/tcp open")
        return said

    def test_nmap_finds_no_open_relay(self):
        """Its 16 forms of recipients."""
        gateway = self.start_gateway(self.backend.port, "listener inbound { max-errors 100; }")
        said = self.nmap(inbound(gateway), "--script", "+smtp-open-relay", "--script-args",
                         "smtp-open-relay.domain=mx.example.org")
        self.assertRegex(said, "Server doesn't seem to be an open relay, all tests failed")
        self.assertEqual(self.script.received, [])

    def test_nmap_reads_no_software_from_commands_and_banner(self):
        """EHLO, HELP and the banner, and the guesses of service detection."""
        gateway = self.start_gateway(self.backend.port)
        said = self.nmap(inbound(gateway), "--script", "+smtp-commands,+banner", "--script-args",
                         "smtp-commands.domain=client.example.net")
        self.assertRegex(said, r"smtp-commands: mx\.example\.org, PIPELINING")
        self.assertIsNone(SOFTWARE.search(said), said)
        said = self.nmap(inbound(gateway), "-sV")
        self.assertIsNone(SOFTWARE.search(said), said)

    def test_nmap_enumerates_no_users(self):
        """By VRFY, EXPN and RCPT, each by itself, with a list that has bob in it."""
        names = os.path.join(self.folder, "names")
        with open(names, "w", encoding="ascii") as file:
            file.write(USERS.replace(" ", "\n") + "\n")

        def enumerate_users(address, methods):
            return self.nmap(address, "--script", "+smtp-enum-users", "--script-args",
                             f"smtp-enum-users.methods={methods},userdb={names},"
                             "smtp-enum-users.domain=elsewhere.example")

        # The script works: the backend behind us gives bob away.
        self.assertRegex(enumerate_users(("127.0.0.1", self.backend.port), "{RCPT}"),
                         r"(?m)^\|.*\bbob\b")
        for vrfy in ("hide", "refuse"):
            gateway = self.start_gateway(self.backend.port, f"listener inbound {{ vrfy {vrfy}; }}")
            for methods in ("{VRFY}", "{EXPN}", "{RCPT}", "{VRFY,EXPN,RCPT}"):
                said = enumerate_users(inbound(gateway), methods)
                for name in USERS.split():
                    self.assertNotRegex(said, rf"(?m)^\|.*\b{name}\b")


if __name__ == "__main__":
    unittest.main()
