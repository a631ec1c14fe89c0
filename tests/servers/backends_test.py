# SPDX-License-Identifier: BSD-2-Clause
"""Each real mail server as backend: mail goes through and is read in its mailbox."""
import os
import re
import subprocess
import unittest

import mail_servers
from ports import hold_port
from postern_case import PosternCase, servers_environment
from programs import POSTERN

# Dots, an empty line, an 8-bit byte, a line of blanks, one that is long, and no end but CRLF.
BODY = b".\r\n..two\r\n\r\n\xe4\xf6\r\n   \r\n" + 900 * b"x" + b"\r\nFrom here on\r\nlast\r\n"


class Backends:
    """The tests, for the class of a server that is set below."""

    server_class = None

    @classmethod
    def setUpClass(cls):
        environment = servers_environment()
        super().setUpClass()
        cls.server = cls.server_class(environment, cls.folder, cls.certificates)
        try:
            cls.server.start()
        except BaseException:
            cls.server.stop()
            super().tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        super().tearDownClass()

    def write_message(self, name, body=BODY):
        """A file for swaks; its Message-ID has the name in it."""
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(b"From: Alice <alice@example.net>\r\nTo: bob@example.org\r\n"
                       b"Subject: " + name.encode() + b"\r\nMIME-Version: 1.0\r\n"
                       b"Message-ID: <" + name.encode() + b"@example.net>\r\n"
                       b"Date: Mon, 1 Jan 2024 00:00:00 +0000\r\n\r\n" +
                       body.removesuffix(b"\r\n"))  # swaks adds one
        return "@" + path

    def test_mail_over_starttls_is_read_in_the_mailbox(self):
        """The message as it was sent, below our Received field, below the server's."""
        gateway = self.start_gateway(self.server.port)
        status, said = self.swaks(gateway, "--tls", "--data", self.write_message("starttls"))
        self.assertEqual(status, 0, said)
        message = self.server.await_mail(b"<starttls@example.net>")
        header, _, body = message.partition(b"\n\n")
        self.assertEqual(body, BODY.replace(b"\r\n", b"\n"))
        received = re.findall(rb"(?m)^Received: (?:.*\n(?:[ \t].*\n)*)", header + b"\n")
        self.assertRegex(received[1], rb"from client\.example\.net \(\[127\.0\.0\.1\]\)\n"
                         rb"\tby mx\.example\.org with ESMTPS id ")
        line = self.await_verdict(gateway, "starttls")
        self.assertEqual(line["verdict"], "accept")
        self.assertTrue(line["tls"].startswith("TLSv1."), line)
        queue_id = re.search(self.server.queue_id, received[0])
        self.assertIsNotNone(queue_id, received[0])
        self.assertEqual(line.get("backend_qid"), queue_id.group(1).decode(), line)
        self.assertIn(line["txn"].encode(), received[1])

    def test_unknown_recipient_is_refused_in_our_words(self):
        """The server knows bob and nobody else."""
        gateway = self.start_gateway(self.server.port)
        status, said = self.swaks(gateway, "--to", "nobody@example.org")
        self.assertEqual(status, 24, said)
        self.assertRegex(said, r"550 5\.1\.1 no such recipient \(recipient\.unknown ")
        for word in ("Postfix", "Exim", "OpenSMTPD", "backend.internal", "unrouteable"):
            self.assertNotIn(word, said)
        line = self.await_verdict(gateway, "")
        self.assertEqual((line["verdict"], line["reason"]), ("reject", "recipient.unknown"))
        self.assertIn("backend_reply", line)

    def test_strangers_domain_never_reaches_the_server(self):
        """Relaying is refused by us."""
        gateway = self.start_gateway(self.server.port)
        status, said = self.swaks(gateway, "--to", "bob@elsewhere.example")
        self.assertEqual(status, 24, said)
        self.assertRegex(said, r"550 5\.7\.1 relaying denied \(relay\.denied ")

    def test_large_mail_arrives_whole(self):
        """Through our spool on the disk and back."""
        body = b"".join(b"%d line of a large mail\r\n" % number for number in range(60000))
        gateway = self.start_gateway(self.server.port)
        status, said = self.swaks(gateway, "--data", self.write_message("large", body),
                                  "--suppress-data")
        self.assertEqual(status, 0, said[-2000:])
        message = self.server.await_mail(b"<large@example.net>")
        self.assertEqual(message.partition(b"\n\n")[2], body.replace(b"\r\n", b"\n"))

    def test_content_goes_by_bdat_where_the_server_offers_it(self):
        """Small, long, and through the disk: each in as many BDATs as it takes, by its log."""
        long = b"".join(b".%d line of a long mail\r\n" % number for number in range(4000))
        huge = long * 20
        for chunking, mails in (("on", (("small", BODY, 1), ("long", long, 2), ("huge", huge, 2))),
                                ("off", (("again", BODY, 0), ("longer", long, 0)))):
            gateway = self.start_gateway(
                self.server.port, f"backend legacy {{ max-idle 2; chunking {chunking}; }}")
            for name, body, _ in mails:
                name = f"{chunking}-{name}"
                status, said = self.swaks(gateway, "--data", self.write_message(name, body),
                                          "--suppress-data")
                self.assertEqual(status, 0, said[-2000:])
                message = self.server.await_mail(f"<{name}@example.net>".encode())
                self.assertEqual(message.partition(b"\n\n")[2], body.replace(b"\r\n", b"\n"))
            self.stop_gateway(gateway)  # and so the connection, of which Postfix then tells
            for pattern in self.server.traces([(f"{chunking}-{name}", chunks)
                                               for name, _, chunks in mails]):
                self.server.await_log(pattern)

    def test_held_mail_is_released_into_the_mailbox_once(self):
        """Nothing reaches the server before, and then the same as would have gone through."""
        gateway = self.start_gateway(self.server.port, """
            quarantine { folder {folder}/held; }
            policy plain { rule held { when header Subject contains "held"; then quarantine; } }
            """)
        status, said = self.swaks(gateway, "--tls", "--data", self.write_message("held"))
        self.assertEqual(status, 0, said)
        line = self.await_verdict(gateway, "held")
        self.assertEqual((line["verdict"], line["qid"]), ("quarantine", line["txn"]))
        self.assertNotIn("backend_qid", line)
        for _ in range(3):
            run = subprocess.run([POSTERN, "quarantine", "release", line["qid"], "-c",
                                  gateway.configuration_path], capture_output=True, text=True,
                                 timeout=60, check=False)
            self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
            self.assertIn(" bob@example.org released: legacy ", run.stdout)
        message = self.server.await_mail(b"<held@example.net>")
        header, _, body = message.partition(b"\n\n")
        self.assertEqual(body, BODY.replace(b"\r\n", b"\n"))
        self.assertIn(f"with ESMTPS id {line['txn']}\n".encode(), header)
        released = [one for one in gateway.lines() if one["event"] == "release"]
        self.assertEqual([one["verdict"] for one in released], ["accept"])
        self.assertEqual(sum(b"<held@example.net>" in one for one in self.server.mailbox()), 1)

    def test_connection_is_used_for_mail_after_mail(self):
        """The pool, as a real server sees it."""
        gateway = self.start_gateway(self.server.port, "backend legacy { max-idle 2; }")
        for number in range(4):
            status, said = self.swaks(gateway, "--data", self.write_message(f"pool{number}"))
            self.assertEqual(status, 0, said)
        reused = [self.await_verdict(gateway, f"pool{number}").get("backend_reused")
                  for number in range(4)]
        self.assertEqual(reused[1:], ["yes"] * 3)
        for number in range(4):
            self.server.await_mail(f"<pool{number}@example.net>".encode())

    def test_server_that_goes_away_is_a_temporary_failure(self):
        """A port that nobody listens on any more; the client is to try again."""
        with hold_port() as held:
            gateway = self.start_gateway(held.getsockname()[1])
            status, said = self.swaks(gateway)
        self.assertEqual(status, 24, said)
        self.assertRegex(said, r"451 4\.3\.0 try again later \(backend\.unreachable ")


class WithTls:
    """For servers that speak TLS."""

    def test_tls_to_the_server_is_verified(self):
        """By our own authority and the name in its certificate."""
        gateway = self.start_gateway(
            self.server.port, "backend legacy { tls verified; tls-ca {folder}/ca.pem; "
            "tls-name backend.internal; }")
        status, said = self.swaks(gateway, "--data", self.write_message("verified"))
        self.assertEqual(status, 0, said)
        self.server.await_mail(b"<verified@example.net>")
        self.assertTrue(self.await_verdict(gateway, "verified")["backend_tls"].startswith("TLS"))


class PostfixTest(Backends, WithTls, PosternCase):
    """Postfix, and what only it can: XCLIENT."""

    server_class = mail_servers.Postfix

    def test_xclient_puts_the_client_into_its_received_field(self):
        """Postfix then checks and logs the client and not us."""
        gateway = self.start_gateway(self.server.port,
                                     "backend legacy { identity xclient; max-idle 2; }")
        for number in (7, 8):
            status, said = self.swaks(gateway, "--local-interface", f"127.0.0.{number}", "--data",
                                      self.write_message(f"xclient{number}"))
            self.assertEqual(status, 0, said)
            message = self.server.await_mail(f"<xclient{number}@example.net>".encode())
            first = re.search(rb"Received: from [^\n]*", message).group(0)
            self.assertRegex(first, rb"client\.example\.net .*\[127\.0\.0\.%d\]" % number)


class EximTest(Backends, WithTls, PosternCase):
    """Exim."""

    server_class = mail_servers.Exim


class OpensmtpdTest(Backends, PosternCase):
    """OpenSMTPD."""

    server_class = mail_servers.Opensmtpd


if __name__ == "__main__":
    unittest.main()
