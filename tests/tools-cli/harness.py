# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of the command line share: running `postern`, a sink with its
Maildir, a client that sends raw bytes, and a server that plays a script."""
import os
import re
import resource
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest

from certificates import make_self_signed
from programs import POSTERN

HERE = os.path.dirname(os.path.abspath(__file__))
WAIT_S = 20


def postern(*words, stdin=b"", folder=None):
    """Runs `postern WORDS`; the result has returncode, stdout and stderr as text."""
    run = subprocess.run([POSTERN, *words], input=stdin, capture_output=True, cwd=folder,
                         timeout=WAIT_S, check=False)
    run.stdout, run.stderr = (text.decode("utf-8", "replace") for text in (run.stdout, run.stderr))
    return run


def make_certificate(folder):
    """(chain, key) of a new self-signed certificate."""
    chain, key = os.path.join(folder, "chain.pem"), os.path.join(folder, "key.pem")
    make_self_signed(chain, key, "sink.example")
    return chain, key


def small_files_only():
    """Any file that grows over 4 KiB is an error of the write, as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


class Sink:
    """A running `postern sink` and its Maildir."""

    def __init__(self, folder, *options, preexec=None):
        self.maildir = os.path.join(folder, "Maildir")
        self.process = subprocess.Popen(
            [POSTERN, "sink", "--maildir", self.maildir, *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=preexec)
        line = self.process.stdout.readline().decode()
        match = re.fullmatch(r"listening on 127\.0\.0\.1:(\d+)\n", line)
        if match is None:
            self.process.kill()
            raise AssertionError(f"no ready line but {line!r}, {self.process.stderr.read()!r}")
        self.port = int(match.group(1))

    def stop(self):
        """(exit status, what it printed behind the ready line)"""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            out, _ = self.process.communicate(timeout=WAIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return self.process.returncode, out.decode()

    def paths(self, folder="new"):
        """The files in a folder of the Maildir, in order of their names."""
        full = os.path.join(self.maildir, folder)
        return [os.path.join(full, name) for name in sorted(os.listdir(full))]

    def messages(self):
        """The bytes of all stored mail."""
        found = []
        for path in self.paths():
            with open(path, "rb") as file:
                found.append(file.read())
        return found


class Client:
    """Bytes to a server, and replies from it."""

    def __init__(self, port, greeting="220"):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
        self.buffer = b""
        if greeting is not None:
            self.expect(greeting)

    def close(self):
        """Gone, without a word."""
        self.socket.close()

    def send(self, data):
        """Raw bytes."""
        self.socket.sendall(data)

    def read_line(self):
        """The next line, without its end; "" when the server has closed."""
        while b"\n" not in self.buffer:
            data = self.socket.recv(65536)
            if not data:
                return ""
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode("latin-1").rstrip("\r")

    def reply(self):
        """One reply, its lines joined with newlines."""
        lines = [self.read_line()]
        while lines[-1][3:4] == "-":
            lines.append(self.read_line())
        return "\n".join(lines)

    def expect(self, start):
        """One reply, which begins so."""
        reply = self.reply()
        if not reply.startswith(start):
            raise AssertionError(f"wanted a reply {start}, got {reply!r}")
        return reply

    def command(self, line, start):
        """A command, and its reply as above."""
        self.send(line.encode("latin-1") + b"\r\n")
        return self.expect(start)

    def open_transaction(self, sender="<a@b.example>", recipient="<u@sink.example>"):
        """EHLO up to an accepted recipient."""
        self.command("EHLO client.example", "250")
        self.command(f"MAIL FROM:{sender}", "250")
        self.command(f"RCPT TO:{recipient}", "250")

    def deliver(self, content, final="250"):
        """DATA with `content` as it goes over the wire, dots and end included."""
        self.command("DATA", "354")
        self.send(content)
        return self.expect(final)

    def start_tls(self):
        """STARTTLS and the handshake; nothing is verified."""
        self.command("STARTTLS", "220")
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket)


class ScriptedServer:
    """One connection: each step is what is written, once the line before it has come.

    The first step is the greeting. A step None closes. What the client wrote is
    in `received` after join()."""

    def __init__(self, *steps):
        self.steps = steps
        self.received = b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        peer, _ = self.listener.accept()
        peer.settimeout(WAIT_S)
        with peer, peer.makefile("rb") as lines:
            for step in self.steps:
                if step is None:
                    return
                peer.sendall(step)
                self._read(lines, b".\r\n" if step.startswith(b"354") else None)

    def _read(self, lines, end):
        """One line, or all up to `end`."""
        while True:
            line = lines.readline()
            self.received += line
            if end is None or line in (end, b""):
                return

    def join(self):
        """Waits for the end; gives the bytes that came."""
        self.thread.join(WAIT_S)
        self.listener.close()
        return self.received


class CommandTest(unittest.TestCase):
    """A test with a folder of its own, whose sinks are stopped at its end."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="postern-cli-")
        self.addCleanup(temporary.cleanup)
        self.folder = temporary.name

    def start_sink(self, *options, preexec=None):
        """A sink that ends with the test."""
        sink = Sink(self.folder, *options, preexec=preexec)
        self.addCleanup(sink.process.stdout.close)
        self.addCleanup(sink.process.stderr.close)
        self.addCleanup(sink.process.wait)
        self.addCleanup(lambda: sink.process.poll() is None and sink.process.kill())
        return sink

    def connect(self, sink, greeting="220"):
        """A client that is closed at the end of the test."""
        client = Client(sink.port, greeting)
        self.addCleanup(client.close)
        return client

    def write(self, name, content):
        """A file in the test's folder; its path."""
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(content)
        return path
