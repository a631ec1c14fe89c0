# SPDX-License-Identifier: BSD-2-Clause
"""The scripted mail server behind the gateway.

It takes every mail, unless a line of the case's `backend:` section says
otherwise; tests/dialogues/README.md has the language. All that it says holds
words of its own (SECRET), which no client must ever see.
"""
import re
import socket
import ssl
import struct
import threading
import time

from texts import fill_in, shown, to_bytes, to_regex

SECRET = "SecretMTA"
HOSTNAME = "backend.internal"
OFFERS = ["PIPELINING", "SIZE 52428800", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES"]
ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5}
RULE = re.compile(r"on (?:(first|second|third|fourth|fifth) )?(.+?) (?=(?:reply|say|wait|close|"
                  r"reset|silence|drip|deafness|half-close)\b)(.*)")
# down: nobody listens. others-certificate: one for another name. tls-version: it speaks no other.
# from-the-start: the rules hold for the connections that the gateway makes of its own accord before
# the case begins.
WORDS = {"down", "tls implicit", "others-certificate", "from-the-start"}
TLS_VERSION = "tls-version "
DURATION = re.compile(r"(\d+)(ms|s)")
ANSWERS = {
    "EHLO": None, "HELO": f"250 {HOSTNAME}", "MAIL": f"250 2.1.0 {SECRET} likes the sender",
    "RCPT": f"250 2.1.5 {SECRET} likes the recipient", "DATA": f"354 {SECRET} listens",
    "RSET": f"250 2.0.0 {SECRET} forgets", "NOOP": f"250 2.0.0 {SECRET}",
    "QUIT": f"221 2.0.0 {SECRET} closes", "STARTTLS": f"220 2.0.0 {SECRET} ready for TLS",
    "XCLIENT": f"220 {HOSTNAME} ESMTP {SECRET}", "BDAT": f"250 2.0.0 {SECRET} has the octets",
    ".": f"250 2.0.0 {SECRET} queued as 4FzQ9x1",
    "connect": f"220 {HOSTNAME} ESMTP {SECRET} 9.9",
}


def seconds(text):
    """"50ms" or "2s"."""
    match = DURATION.fullmatch(text)
    if not match:
        raise ValueError(f"{text} is no time")
    return int(match.group(1)) / (1000 if match.group(2) == "ms" else 1)


class Rule:
    """"on [first] PATTERN ACTION then ACTION"."""

    def __init__(self, line, values):
        match = RULE.fullmatch(fill_in(line.text, values))
        if not match:
            raise line.mistake(f"no rule of a backend: {line.text}")
        self.nth = ORDINALS.get(match.group(1))
        self.pattern = to_regex(match.group(2), values)
        self.actions = re.split(r" then ", match.group(3))
        self.seen = 0

    def fits(self, event):
        """Counts the events of its pattern, and takes its own."""
        if not re.fullmatch(self.pattern.pattern, event, re.S | re.I):
            return False
        self.seen += 1
        return self.nth in (None, self.seen)


class Script:
    """What the backend does during one case, and what it saw."""

    def __init__(self, lines, values):
        self.rules, self.offers, self.words = [], list(OFFERS), set()
        self.tls_version = None
        self.values = values
        self.lock = threading.Lock()
        self.seen = []        # lines of the transcript
        self.received = []    # contents that it took with 2xx
        self.broken = []      # what the gateway must never do
        for line in lines:
            text = line.text.strip()
            if text.startswith("offers "):
                self.offers = [] if text == "offers nothing" else \
                    [word.strip() for word in fill_in(text[7:], values).split(",")]
            elif text.startswith(TLS_VERSION):
                self.tls_version = fill_in(text[len(TLS_VERSION):], values)
            elif text in WORDS:
                self.words.add(text)
            elif text:
                self.rules.append(Rule(line, values))

    def note(self, line):
        """A line of the transcript."""
        with self.lock:
            self.seen.append(line)

    def find_offers(self):
        """What the reply to EHLO has."""
        return self.offers

    def find(self, event):
        """The actions for an event; None for the ordinary answer."""
        with self.lock:
            for rule in self.rules:
                if rule.fits(event):
                    return rule.actions
        return None


class Gone(Exception):
    """The connection has ended, by us or by the gateway."""


class Connection(threading.Thread):
    """One connection from the gateway."""

    def __init__(self, backend, sock):
        super().__init__(daemon=True)
        self.backend, self.sock = backend, sock
        self.buffer = b""
        self.opened_in = backend.script
        self.noted_in = None
        self.is_deaf = False
        self.offers = []          # what the last EHLO was told
        self.chunks = []          # of BDAT, so far; None behind one that was refused

    @property
    def script(self):
        """That of the present case, also on an old connection."""
        return self.backend.script

    def note(self, line):
        """Into the transcript, which says first how the connection got there."""
        self.backend.last_event = time.monotonic()
        script = self.script
        if self.noted_in is not None and line in ("RSET", "QUIT", "(gone)"):
            script = self.noted_in  # the tail of an earlier case
        if self.noted_in is not script:
            self.noted_in = script
            script.note("connect" if self.opened_in is script else "reused")
        script.note(line)

    def run(self):
        try:
            if "tls implicit" in self.script.words:
                self.secure()
            self.answer("connect")
            while True:
                self.take_command()
        except Gone:
            pass
        except (OSError, ValueError) as error:
            self.note(f"(failed: {error.__class__.__name__})")
        finally:
            self.sock.close()

    def secure(self):
        """TLS from here on."""
        try:
            self.sock = self.backend.tls_context(self.script).wrap_socket(self.sock,
                                                                          server_side=True)
        except (OSError, ssl.SSLError) as error:
            self.note("(no TLS)")
            raise Gone from error

    def fill(self):
        """More bytes, or Gone."""
        try:
            more = b"" if self.is_deaf else self.sock.recv(65536)
        except OSError:
            more = b""
        if self.is_deaf:
            self.backend.closing.wait(60)
        if not more:
            self.note("(gone)")
            raise Gone
        self.buffer += more

    def take_until(self, end):
        """Bytes up to and with `end`."""
        start = 0
        while True:
            at = self.buffer.find(end, start)
            if at >= 0:
                taken, self.buffer = self.buffer[:at + len(end)], self.buffer[at + len(end):]
                return taken
            start = max(0, len(self.buffer) - len(end) + 1)
            self.fill()

    def take_command(self):
        """One command, its answer, and what follows from it."""
        line = self.take_until(b"\r\n")[:-2]
        if b"\n" in line or b"\r" in line:
            self.script.broken.append(f"a command with a bare CR or LF: {shown(line)}")
        self.note(shown(line))
        verb = line.split(b" ")[0].upper().decode("latin-1")
        if verb == "BDAT":
            self.take_chunk(line.decode("latin-1"))
            return
        code = self.answer(line.decode("latin-1"), verb)
        if verb in ("MAIL", "RSET", "EHLO"):
            self.chunks = []
        if verb == "QUIT":
            raise Gone
        if verb == "STARTTLS" and code == 220:
            self.secure()
        if verb == "DATA" and code == 354:
            self.take_content()

    def answer_early(self, is_enough):
        """The rule for `content`, if there is one, once there is some of it."""
        for rule in self.script.rules:
            if rule.pattern.pattern.lower() == b"content":
                while not is_enough():
                    self.fill()
                self.answer("content", default=False)
                break

    def take_content(self):
        """Up to the dot; kept without its dots once it was taken."""
        self.answer_early(lambda: len(self.buffer) >= 1000 or
                          b"\r\n.\r\n" in b"\r\n" + self.buffer)
        if self.buffer.startswith(b".\r\n"):
            raw, self.buffer = b"", self.buffer[3:]
        else:
            raw = self.take_until(b"\r\n.\r\n")[:-3]
        self.end_content(raw, re.sub(rb"(^|\r\n)\.", rb"\1", raw))

    def end_content(self, raw, message):
        """The dot, or the octets of LAST, have come."""
        if re.search(rb"(?<!\r)\n|\r(?!\n)|\0", raw):
            self.script.broken.append(f"content with a bare CR, a bare LF or NUL: {shown(raw)}")
        self.note(".")
        self.answer(".", message=message)

    def take_chunk(self, line):
        """The octets of BDAT, and their answer. What follows a refused one is refused too."""
        match = re.fullmatch(r"BDAT (\d+)( LAST)?", line)
        if not match or "CHUNKING" not in self.offers:
            self.script.broken.append(f"no such BDAT was offered: {line}")
            raise Gone
        size, is_last = int(match.group(1)), match.group(2) is not None
        if size > 0:
            self.answer_early(lambda: len(self.buffer) >= min(size, 1000))
        while len(self.buffer) < size:
            self.fill()
        octets, self.buffer = self.buffer[:size], self.buffer[size:]
        if self.chunks is None:
            self.send(f"503 5.5.1 {SECRET} refused a chunk\r\n".encode())
            return
        self.chunks.append(octets)
        if is_last:
            message, self.chunks = b"".join(self.chunks), []
            if message[-2:] != b"\r\n":
                self.script.broken.append(f"chunks without CRLF at their end: {shown(message)}")
            self.end_content(message, message)
        elif self.answer(line, "BDAT") != 250:
            self.chunks = None

    def answer(self, event, verb=None, default=True, message=None):
        """Carries out the rule for an event; gives the code of the reply, or None."""
        actions = self.script.find(event.encode("latin-1"))
        if actions is None and not default:
            return None
        if actions is None:
            actions = ["reply " + self.ordinary(verb or event)]
        code = None
        for action in actions:
            found = self.act(action.strip(), message)
            code = found or code
        return code

    def ordinary(self, verb):
        """What a mail server says."""
        if verb == "EHLO":
            self.offers = self.script.find_offers()
            return "|".join([f"250 {HOSTNAME} greets you", *self.offers])
        return ANSWERS.get(verb, f"500 5.5.1 {SECRET} knows no such command")

    def act(self, action, message):
        """One action; the code when it was a reply."""
        word, _, rest = action.partition(" ")
        if word == "reply":
            return self.reply(rest, message)
        if word == "say":
            self.send(to_bytes(rest, self.script.values))
        elif word == "drip":
            pause, _, text = rest.partition(" ")
            if message is not None and text.startswith("2"):
                self.script.received.append(message)
            for byte in to_bytes(text, self.script.values) + b"\r\n":
                self.send(bytes([byte]))
                time.sleep(seconds(pause))
        elif word == "wait":
            if self.backend.closing.wait(seconds(rest)):
                raise Gone
        elif word == "silence":
            while True:
                self.fill()
        elif word == "deafness":
            self.is_deaf = True
            self.fill()
        elif word == "half-close":
            self.sock.shutdown(socket.SHUT_WR)
        elif word == "close":
            raise Gone
        elif word == "reset":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise Gone
        else:
            raise ValueError(f"no action of a backend: {action}")
        return None

    def reply(self, text, message):
        """"250 one|two": a reply of two lines."""
        lines = to_bytes(text, self.script.values).split(b"|")
        code = lines[0][:3]
        out = b""
        for number, line in enumerate(lines):
            body = line[4:] if number == 0 else line
            out += code + (b"-" if number + 1 < len(lines) else b" ") + body + b"\r\n"
        if message is not None and code[:1] == b"2":
            self.script.received.append(message)
        self.send(out)
        return int(code) if code.isdigit() else None

    def send(self, data):
        """All of it, or Gone."""
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise Gone from error


class Backend:
    """Listens on a port of its own; a case after the other hands it a script."""

    def __init__(self, name, script, certificates):
        self.name, self.script, self.certificates = name, script, certificates
        self.closing = threading.Event()
        self.connections = []
        self.last_event = time.monotonic()
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        if "down" in script.words:
            return  # the port is ours, and nobody answers
        self.listener.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        """Until the listener is closed."""
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            if self.closing.is_set():
                sock.close()
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.last_event = time.monotonic()
            connection = Connection(self, sock)
            connection.start()
            self.connections.append(connection)

    def await_quiet(self, first_s, still_s):
        """Until each connection has ended, or none has said anything for a while."""
        began = time.monotonic()
        while time.monotonic() < (max(began, self.last_event) + still_s if self.connections
                                  else began + first_s):
            if self.connections and not any(one.is_alive() for one in self.connections):
                return
            time.sleep(0.005)

    def tls_context(self, script):
        """For the name that the backend has, or for another one."""
        name = "other" if "others-certificate" in script.words else "backend"
        return self.certificates.server_context(name, script.tls_version)

    def stop(self):
        """Ends all connections."""
        self.closing.set()
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for connection in self.connections:
            try:
                connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
