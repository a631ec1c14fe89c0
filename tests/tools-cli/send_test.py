# SPDX-License-Identifier: BSD-2-Clause
"""postern send: the dialogue it shows, what it sends, and its exit status."""
from harness import CommandTest, ScriptedServer, make_certificate, postern

GREET = (b"220 mx ESMTP\r\n", b"250-mx\r\n250 8BITMIME\r\n")
OK = b"250 2.0.0 ok\r\n"
WHOLE = GREET + (OK, OK, b"354 go\r\n", OK, b"221 bye\r\n")


class SendTest(CommandTest):
    """Against the sink, or a server that plays a script."""

    def send(self, port, *words, stdin=b""):
        """postern send to a port of this host."""
        return postern("send", "--to", f"127.0.0.1:{port}", *words, stdin=stdin)

    def test_a_mail_arrives_and_the_dialogue_is_shown(self):
        sink = self.start_sink()
        run = self.send(sink.port, "--from", "a@b.example", "--rcpt", "u@x.example",
                        "--rcpt", "v@x.example", "--subject", "Hello there")
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        for line in ("S: 220 sink.example ESMTP", "C: EHLO localhost", "S: 250 PRDR",
                     "C: MAIL FROM:<a@b.example>", "S: 250 2.1.0 sender ok",
                     "C: RCPT TO:<v@x.example>", "C: DATA", "C: QUIT", "S: 221 2.0.0 goodbye"):
            self.assertIn(line + "\n", run.stdout)
        [message] = sink.messages()
        for line in (b"From: <a@b.example>", b"To: <u@x.example>,", b" <v@x.example>",
                     b"Subject: Hello there", b"Date: ", b"Message-ID: <"):
            self.assertIn(b"\r\n" + line, message)

    def test_a_file_goes_out_with_crlf_and_its_dots_doubled(self):
        path = self.write("mail", b"Subject: x\n\n.\n..y\r\nz\xe4\nlast")
        server = ScriptedServer(*WHOLE)
        run = self.send(server.port, "--from", "a@b.example", "--rcpt", "u@x.example",
                        "--file", path)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(server.join(),
                         b"EHLO localhost\r\nMAIL FROM:<a@b.example> BODY=8BITMIME\r\n"
                         b"RCPT TO:<u@x.example>\r\nDATA\r\nSubject: x\r\n\r\n..\r\n...y\r\n"
                         b"z\xe4\r\nlast\r\n.\r\nQUIT\r\n")

    def test_standard_input_is_a_file_too(self):
        sink = self.start_sink()
        run = self.send(sink.port, "--rcpt", "u@x.example", "--file", "-", stdin=b"S: x\n\ny\n")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(sink.messages(),
                         [b"Return-Path: <>\r\nDelivered-To: u@x.example\r\nS: x\r\n\r\ny\r\n"])

    def test_starttls_greets_again_inside(self):
        chain, key = make_certificate(self.folder)
        sink = self.start_sink("--tls-cert", chain, "--tls-key", key)
        run = self.send(sink.port, "--rcpt", "u@x.example", "--starttls")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("*: TLSv1.3", run.stdout)
        self.assertEqual(run.stdout.count("C: EHLO"), 2)
        self.assertEqual(len(sink.messages()), 1)

    def test_a_server_without_tls_gets_no_mail_over_starttls(self):
        sink = self.start_sink()
        run = self.send(sink.port, "--rcpt", "u@x.example", "--starttls")
        self.assertEqual(run.returncode, 1)
        self.assertNotIn("MAIL", run.stdout)
        self.assertEqual(sink.messages(), [])

    def test_vrfy_alone_sends_nothing(self):
        sink = self.start_sink()
        run = self.send(sink.port, "--vrfy", "root", "--vrfy", "nobody")
        self.assertEqual(run.returncode, 0)
        self.assertIn("C: VRFY root\nS: 252 2.0.0 ", run.stdout)
        self.assertIn("C: VRFY nobody\nS: 252 2.0.0 ", run.stdout)
        self.assertNotIn("MAIL", run.stdout)

    def test_refusals_give_status_1(self):
        no = b"550 5.7.1 no\r\n"
        cases = [
            ("greeting", (b"554 go away\r\n", OK), b"QUIT\r\n"),
            ("EHLO", (GREET[0], no, OK), b"EHLO localhost\r\nQUIT\r\n"),
            ("MAIL", GREET + (no, OK), b"MAIL FROM:<>\r\nQUIT\r\n"),
            ("RCPT", GREET + (OK, no, OK), b"RCPT TO:<u@x.example>\r\nQUIT\r\n"),
            ("DATA", GREET + (OK, OK, no, OK), b"DATA\r\nQUIT\r\n"),
            ("the dot", GREET + (OK, OK, b"354 go\r\n", no, OK), b".\r\nQUIT\r\n"),
            ("421", GREET + (b"421 4.3.2 bye\r\n",), b"MAIL FROM:<>\r\n"),
        ]
        for why, script, last in cases:
            with self.subTest(why):
                server = ScriptedServer(*script)
                run = self.send(server.port, "--rcpt", "u@x.example")
                self.assertEqual((run.returncode, run.stderr), (1, ""))
                self.assertTrue(server.join().endswith(last), server.received)

    def test_one_refused_recipient_does_not_stop_the_others(self):
        sink = self.start_sink("--reject-user", "nobody")
        run = self.send(sink.port, "--rcpt", "nobody@x.example", "--rcpt", "u@x.example")
        self.assertEqual(run.returncode, 1)
        self.assertIn("S: 550 5.1.1 no such recipient", run.stdout)
        self.assertIn(b"Delivered-To: u@x.example", sink.messages()[0])

    def test_broken_servers_give_status_2_and_a_sentence(self):
        cases = [
            ((b"HTTP/1.1 400 Bad Request\r\n",), "this is no SMTP reply"),
            ((None,), "the server closed the connection"),
            ((GREET[0], None), "the server closed the connection"),
            (GREET + (b"2\r\n",), "this is no SMTP reply"),
        ]
        for script, sentence in cases:
            with self.subTest(script):
                server = ScriptedServer(*script)
                run = self.send(server.port, "--rcpt", "u@x.example")
                server.join()
                self.assertEqual(run.returncode, 2)
                self.assertIn("postern send: " + sentence, run.stderr)

    def test_no_foreign_byte_reaches_the_terminal(self):
        server = ScriptedServer(b"220 \x1b[2Jmx \xff\r\n", *WHOLE[1:])
        run = self.send(server.port, "--rcpt", "u@x.example")
        server.join()
        self.assertIn("S: 220 \\x1b[2Jmx \\xff\n", run.stdout)
        self.assertNotIn("\x1b", run.stdout)

    def test_wrong_use_is_told_before_anything_is_sent(self):
        cases = [
            ([], "--to HOST:PORT is missing"),
            (["--to", "127.0.0.1:1"], "nothing to do: neither --rcpt nor --vrfy was given"),
            (["--to", "127.0.0.1", "--rcpt", "x"], "--to takes HOST:PORT"),
            (["--to", "127.0.0.1:99999", "--rcpt", "x"], "--to takes HOST:PORT"),
            (["--to", "127.0.0.1:1", "--rcpt", "x>\r\nDATA"], "an option has a line end in it"),
            (["--to", "127.0.0.1:1", "--rcpt", "x", "--from", "a\nb"], "has a line end in it"),
            (["--to", "127.0.0.1:1", "--rcpt", "x", "--file", "/nonexistent"],
             "cannot read /nonexistent: No such file or directory"),
            (["--to", "127.0.0.1:1", "--rcpt", "x"], "connection lost"),
        ]
        for words, sentence in cases:
            with self.subTest(words):
                run = postern("send", *words)
                self.assertEqual(run.returncode, 2)
                self.assertIn(sentence, run.stderr)

    def test_a_host_may_be_a_name(self):
        sink = self.start_sink()
        run = postern("send", "--to", f"localhost:{sink.port}", "--rcpt", "u@x.example")
        self.assertEqual(run.returncode, 0, run.stderr)
