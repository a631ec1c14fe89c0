# SPDX-License-Identifier: BSD-2-Clause
"""postern sink: what it answers, and what lies in its Maildir afterwards."""
import os
import re

from harness import Client, CommandTest, make_certificate, postern, small_files_only

TRACE = b"Return-Path: <a@b.example>\r\nDelivered-To: u@sink.example\r\n"
EXTENSIONS = ("PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES",
              "CHUNKING", "STARTTLS", "PRDR")

# (why, content over the wire without its final dot, content in the file)
EXACT = [
    ("plain", b"Subject: x\r\n\r\nbody\r\n", None),
    ("no header", b"\r\nbody\r\n", None),
    ("empty", b"", None),
    ("one empty line", b"\r\n", None),
    ("8-bit and escape bytes", b"Subject: x\r\n\r\n\xff\x80\x1b[0m\t\x7f\r\n", None),
    ("a dot alone was doubled", b"..\r\n", b".\r\n"),
    ("dots at line starts", b"..a\r\nb.\r\n...\r\n", b".a\r\nb.\r\n..\r\n"),
    ("a dot that was not doubled", b".a\r\n", b"a\r\n"),
    ("a long line", b"x" * 60000 + b"\r\n", None),
    ("over many reads", b"0123456789abcdef\r\n" * 60000, None),
    ("headers that look like ours", b"Return-Path: <x@y>\r\nDelivered-To: z\r\n\r\n", None),
]

# What other servers have taken for an end of data.
SMUGGLING = [b"\n.\r\n", b"\n.\n", b"\r\n.\n", b"\r.\r\n", b"\r\n.\r", b"\r.\r", b"\n\n.\r\n",
             b"\r\n\x00.\r\n"]


class SinkTest(CommandTest):
    """One sink for each test."""

    def send_one(self, sink, content):
        """One mail on a connection of its own."""
        client = Client(sink.port)
        client.open_transaction()
        client.deliver(content + b".\r\n")
        client.command("QUIT", "221")
        client.close()

    def test_ehlo_lists_every_extension(self):
        chain, key = make_certificate(self.folder)
        sink = self.start_sink("--tls-cert", chain, "--tls-key", key, "--max-size", "1M",
                               "--hostname", "MX.Sink.Example")
        reply = self.connect(sink, "220 mx.sink.example ESMTP").command("EHLO x", "250")
        words = [line[4:].split()[0] for line in reply.split("\n")[1:]]
        self.assertEqual(sorted(words), sorted(EXTENSIONS))
        self.assertIn("SIZE 1048576", reply)

    def test_extensions_can_be_withheld(self):
        chain, key = make_certificate(self.folder)
        for name in EXTENSIONS:
            with self.subTest(name):
                sink = self.start_sink("--tls-cert", chain, "--tls-key", key,
                                       "--no-" + name.lower())
                reply = self.connect(sink).command("EHLO x", "250")
                self.assertNotIn(name, reply)
                self.assertEqual(sink.stop()[0], 0)

    def test_starttls_needs_a_certificate(self):
        sink = self.start_sink()
        client = self.connect(sink)
        self.assertNotIn("STARTTLS", client.command("EHLO x", "250"))
        client.command("STARTTLS", "502")

    def test_content_is_stored_byte_for_byte(self):
        sink = self.start_sink()
        for why, wire, stored in EXACT:
            with self.subTest(why):
                self.send_one(sink, wire)
                [message] = sink.messages()
                self.assertEqual(message, TRACE + (wire if stored is None else stored))
                for path in sink.paths():
                    os.unlink(path)
        self.assertEqual(sink.paths("tmp"), [])

    def test_the_final_reply_names_the_file(self):
        sink = self.start_sink("--hostname", "box.example")
        client = self.connect(sink)
        client.open_transaction()
        reply = client.deliver(b"x\r\n.\r\n")
        name = os.path.basename(sink.paths()[0])
        queue_id = re.fullmatch(r"250 2\.0\.0 queued as ([0-9a-z]{16})", reply).group(1)
        self.assertRegex(name, rf"^\d+\.{queue_id}\.box\.example$")
        self.assertEqual(os.stat(sink.paths()[0]).st_mode & 0o777, 0o600)

    def test_recipients_share_one_file(self):
        sink = self.start_sink()
        client = self.connect(sink)
        client.open_transaction(sender="<>", recipient="<u@one.example>")
        client.command("RCPT TO:<v@two.example>", "250")
        client.deliver(b"x\r\n.\r\n")
        self.assertEqual(sink.messages(), [
            b"Return-Path: <>\r\nDelivered-To: u@one.example\r\n"
            b"Delivered-To: v@two.example\r\nx\r\n"])

    def test_addresses_never_become_paths(self):
        sink = self.start_sink()
        for number, local in enumerate(('"../../../tmp/x"', '"/etc/passwd"', '"a/b"', '"new/x"',
                                        '".."', "a=/b")):
            client = self.connect(sink)
            client.open_transaction(recipient=f"<{local}@sink.example>")
            client.deliver(b"x\r\n.\r\n")
            self.assertEqual(len(sink.paths()), number + 1, local)
        self.assertEqual(sorted(os.listdir(self.folder)), ["Maildir"])
        self.assertEqual(sorted(os.listdir(sink.maildir)), ["cur", "new", "tmp"])
        for path in sink.paths():
            self.assertRegex(os.path.basename(path), r"^[0-9a-z.]+$")

    def test_no_foreign_end_of_data_is_taken(self):
        sink = self.start_sink()
        for end in SMUGGLING:
            with self.subTest(end):
                client = self.connect(sink)
                client.open_transaction()
                client.command("DATA", "354")
                client.send(b"x" + end + b"MAIL FROM:<evil@b.example>\r\nRCPT TO:<u@x.example>\r\n"
                            b"DATA\r\nforged\r\n.\r\n")
                client.expect("554 5.6.0")
                client.command("NOOP", "250")
                self.assertEqual(sink.paths() + sink.paths("tmp"), [])

    def test_chunks_are_joined_and_their_dots_are_theirs(self):
        sink = self.start_sink()
        client = self.connect(sink)
        client.open_transaction()
        client.send(b"BDAT 7\r\n.a\r\n..b")
        client.expect("250")
        client.send(b"BDAT 5\r\n\r\n.\r\n")
        client.expect("250")
        client.command("BDAT 0 LAST", "250 2.0.0 queued as")
        self.assertEqual(sink.messages(), [TRACE + b".a\r\n..b\r\n.\r\n"])

    def test_pipelined_mails_are_answered_in_order(self):
        sink = self.start_sink()
        client = self.connect(sink)
        client.command("EHLO x", "250")
        client.send(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<u@sink.example>\r\nDATA\r\n")
        for code in ("250", "250", "354"):
            client.expect(code)
        client.send(b"one\r\n.\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<u@sink.example>\r\nDATA\r\n")
        for code in ("250", "250", "250", "354"):
            client.expect(code)
        client.send(b"two\r\n.\r\nQUIT\r\n")
        client.expect("250")
        client.expect("221")
        # Names of the same millisecond are in no order.
        self.assertCountEqual(sink.messages(), [TRACE + b"one\r\n", TRACE + b"two\r\n"])

    def test_mail_inside_tls_is_stored(self):
        chain, key = make_certificate(self.folder)
        sink = self.start_sink("--tls-cert", chain, "--tls-key", key)
        client = self.connect(sink)
        client.command("EHLO x", "250")
        client.start_tls()
        client.command("MAIL FROM:<a@b.example>", "503")
        client.open_transaction()
        client.deliver(b"secret\r\n.\r\n")
        self.assertEqual(sink.messages(), [TRACE + b"secret\r\n"])

    def test_plaintext_behind_starttls_ends_the_session(self):
        chain, key = make_certificate(self.folder)
        sink = self.start_sink("--tls-cert", chain, "--tls-key", key)
        client = self.connect(sink)
        client.command("EHLO x", "250")
        client.command("STARTTLS\r\nNOOP", "554 5.5.1")
        self.assertEqual(client.read_line(), "")

    def test_rejected_users_get_550_and_the_others_mail(self):
        sink = self.start_sink("--reject-user", "nobody", "--reject-user=Gone@Old.example")
        client = self.connect(sink)
        client.command("EHLO x", "250")
        client.command("MAIL FROM:<a@b.example>", "250")
        client.command("RCPT TO:<NoBody@any.example>", "550 5.1.1")
        client.command("RCPT TO:<gone@old.example>", "550 5.1.1")
        client.command("DATA", "554 5.5.1")
        client.command("RCPT TO:<gone@new.example>", "250")
        client.deliver(b"x\r\n.\r\n")
        self.assertEqual(len(sink.paths()), 1)

    def test_messages_over_the_limit_leave_nothing(self):
        sink = self.start_sink("--max-size", "10K")
        client = self.connect(sink)
        client.command("EHLO x", "250")
        client.command("MAIL FROM:<a@b.example> SIZE=10241", "552 5.3.4")
        client.open_transaction()
        client.deliver(b"0123456789abcde\r\n" * 700 + b".\r\n", "552 5.3.4")
        self.assertEqual(sink.paths() + sink.paths("tmp"), [])
        client.open_transaction()
        client.deliver(b"fits\r\n.\r\n")
        self.assertEqual(sink.messages(), [TRACE + b"fits\r\n"])

    def test_prdr_gets_a_reply_for_each_recipient(self):
        sink = self.start_sink()
        client = self.connect(sink)
        client.command("EHLO x", "250")
        client.command("MAIL FROM:<a@b.example> PRDR", "250")
        client.command("RCPT TO:<u@sink.example>", "250")
        client.command("RCPT TO:<v@sink.example>", "250")
        client.deliver(b"x\r\n.\r\n", "353")
        for _ in range(3):
            client.expect("250 2.0.0 queued as")
        self.assertEqual(len(sink.paths()), 1)

    def test_a_client_that_leaves_before_its_dot_delivers_nothing(self):
        sink = self.start_sink()
        client = self.connect(sink)
        client.open_transaction()
        client.command("DATA", "354")
        client.send(b"half a message\r\n.\r")
        client.close()
        self.send_one(sink, b"whole\r\n")
        self.assertEqual(sink.messages(), [TRACE + b"whole\r\n"])
        self.assertEqual(sink.stop()[1], "received 1 messages, 7 bytes\n")
        self.assertEqual(sink.paths("tmp"), [])

    def test_a_full_disk_is_a_temporary_refusal(self):
        sink = self.start_sink(preexec=small_files_only)
        client = self.connect(sink)
        client.open_transaction()
        client.deliver(b"0123456789abcde\r\n" * 300 + b".\r\n", "451 4.3.0")
        self.assertEqual(sink.paths() + sink.paths("tmp"), [])
        client.open_transaction()
        client.deliver(b"small\r\n.\r\n")
        self.assertEqual(sink.messages(), [TRACE + b"small\r\n"])

    def test_many_sessions_at_once_lose_nothing(self):
        sink = self.start_sink()
        clients = [self.connect(sink) for _ in range(60)]
        for client in clients:
            client.open_transaction()
            client.command("DATA", "354")
        for number, client in enumerate(clients):
            client.send(b"%d\r\n.\r\n" % number)
        for client in clients:
            client.expect("250 2.0.0 queued as")
        self.assertEqual(sorted(sink.messages()),
                         sorted(TRACE + b"%d\r\n" % number for number in range(60)))

    def test_discarded_mail_is_counted(self):
        sink = self.start_sink("--discard")
        self.send_one(sink, b"12345\r\n")
        self.send_one(sink, b"67\r\n")
        self.assertEqual(sink.stop(), (0, "received 2 messages, 11 bytes\n"))
        self.assertFalse(os.path.exists(sink.maildir))

    def test_unsynced_mail_is_stored_too(self):
        sink = self.start_sink("--no-sync")
        self.send_one(sink, b"x\r\n")
        self.assertEqual(sink.messages(), [TRACE + b"x\r\n"])

    def test_it_ends_after_so_many_messages(self):
        sink = self.start_sink("--once", "2")
        self.send_one(sink, b"x\r\n")
        self.assertIsNone(sink.process.poll())
        self.send_one(sink, b"x\r\n")
        self.assertEqual(sink.process.wait(10), 0)

    def test_sigterm_says_421_to_those_who_are_there(self):
        sink = self.start_sink()
        client = self.connect(sink)
        client.open_transaction()
        status, out = sink.stop()
        client.expect("421 4.3.2")
        self.assertEqual((status, out), (0, "received 0 messages, 0 bytes\n"))

    def test_what_cannot_start_says_why(self):
        chain, key = make_certificate(self.folder)
        junk = self.write("junk.pem", b"junk\n")
        cases = [
            (["--tls-cert", chain], "--tls-cert and --tls-key go together"),
            (["--tls-cert", chain, "--tls-key", "/nonexistent/key"],
             "cannot read /nonexistent/key: No such file or directory"),
            (["--tls-cert", junk, "--tls-key", key], "junk.pem"),
            (["--maildir", "/proc/nonexistent/Maildir"], "cannot use the Maildir"),
            (["--maildir", junk], "cannot use the Maildir"),
            (["--hostname", "a..b"], "--hostname \"a..b\" has an empty label"),
            (["--hostname", "../x"], "--hostname \"../x\" has"),
            (["--listen", "192.0.2.1:25"], "cannot listen on 192.0.2.1:25"),
            (["--listen", "localhost"], "--listen takes ADDRESS:PORT, and \"localhost\" is none"),
            (["--once", "x"], "--once takes N, and \"x\" is none"),
            (["--max-size", "5X"], "--max-size takes SIZE"),
        ]
        for words, sentence in cases:
            with self.subTest(words):
                run = postern("sink", *words, folder=self.folder)
                self.assertIn(sentence, run.stderr)
                self.assertTrue(run.stderr.startswith("postern sink: "), run.stderr)
                self.assertEqual((run.returncode, run.stdout), (2, ""))
