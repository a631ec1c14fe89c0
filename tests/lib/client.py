# SPDX-License-Identifier: BSD-2-Clause
"""The scripted client: one connection, bytes and patterns."""
import os
import re
import socket
import ssl
import struct
import time

from texts import shown

SLOWNESS = float(os.environ.get("POSTERN_TEST_SLOWNESS", "1"))
WAIT_S = 8 * SLOWNESS
REPLY = re.compile(rb"([2-5]\d\d)([ -])([ -~]*)\r\n")
ENHANCED = re.compile(rb"([245])\.\d{1,3}\.\d{1,3} ")


class Unexpected(Exception):
    """The gateway did something else than the case says."""


class Client:
    """A connection to the gateway. What is said both ways is kept in `dialogue`."""

    def __init__(self, name, address, source=None):
        self.name, self.dialogue = name, []
        self.sock = socket.create_connection(address, timeout=WAIT_S,
                                             source_address=(source, 0) if source else None)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.address = self.sock.getsockname()[:2]
        self.buffer = b""
        self.heard = b""        # all that came, for rules that hold everywhere
        self.has_ended = False  # the gateway closed
        self.tls = None
        self.tls_in = self.tls_out = self.tls_context = None
        self.last_reply = []
        self.is_open = True

    # ---- Bytes ----

    def write(self, data):
        """All of it, or what the kernel takes of it from a gateway that closed."""
        try:
            if self.tls:
                self.tls.write(data)
                data = self.tls_out.read()
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            self.dialogue.append("   (could not be sent: the gateway closed)")

    def send(self, data):
        """What the case says, in one piece."""
        for line in data.split(b"\r\n")[:60] if data.endswith(b"\r\n") else [data]:
            if line or not data.endswith(b"\r\n"):
                self.dialogue.append("C: " + shown(line))
        self.write(data)

    def split(self, data, size):
        """In many small pieces."""
        self.dialogue.append("C: " + shown(data) + f"   (in pieces of {size})")
        for at in range(0, len(data), size):
            self.write(data[at:at + size])
            time.sleep(0.001)

    def flood(self, data, wait_s):
        """As much of it, again and again, as the gateway takes from one who does not listen."""
        self.dialogue.append(f"C: {shown(data)}   (for {wait_s} s, deaf)")
        self.sock.settimeout(0.05)
        until = time.monotonic() + wait_s
        while time.monotonic() < until:
            try:
                self.sock.send(100 * data)
            except socket.timeout:
                pass
            except OSError:
                return

    def receive(self, wait_s):
        """Some more bytes into the buffer; False when nothing came in time or all has ended."""
        if self.has_ended:
            return False
        self.sock.settimeout(wait_s)
        try:
            data = self.sock.recv(65536)
        except socket.timeout:
            return False
        except ConnectionResetError:
            self.dialogue.append("S: (reset)")
            self.has_ended = True
            return False
        self.has_ended = not data
        if self.tls and data:
            data = self.decrypt(data)
        self.buffer += data
        self.heard += data
        return True

    def decrypt(self, data):
        """What is inside of records that came."""
        self.tls_in.write(data)
        plain = b""
        try:
            while True:
                more = self.tls.read(65536)
                if not more:
                    self.has_ended = True
                    return plain
                plain += more
        except ssl.SSLWantReadError:
            return plain
        except ssl.SSLZeroReturnError:
            self.has_ended = True
            return plain

    # ---- Expectations ----

    def read_line(self):
        """The next line of the gateway with its CRLF."""
        until = time.monotonic() + WAIT_S
        while b"\n" not in self.buffer:
            if not self.receive(max(0.001, until - time.monotonic())) and (
                    self.has_ended or time.monotonic() >= until):
                what = "the gateway closed" if self.has_ended else "nothing came"
                raise Unexpected(f"{what}; so far: {shown(self.buffer) or '(nothing)'}")
        line, _, self.buffer = self.buffer.partition(b"\n")
        self.dialogue.append("S: " + shown(line.rstrip(b"\r")))
        return line + b"\n"

    def read_reply(self, max_lines=1):
        """A line, or with None all lines of a reply; each must be a reply of SMTP."""
        lines = []
        while True:
            line = self.read_line()
            match = REPLY.fullmatch(line)
            if not match or len(line) > 512:
                raise Unexpected(f"no line of an SMTP reply: {shown(line)}")
            enhanced = ENHANCED.match(match.group(3))
            if enhanced and enhanced.group(1) != match.group(1)[:1]:
                raise Unexpected(f"code and enhanced code differ in class: {shown(line)}")
            lines.append(line[:-2])
            if max_lines == 1 or match.group(2) == b" ":
                return lines

    def expect_end(self, allow_reset=False):
        """The gateway closes, and says nothing more."""
        until = time.monotonic() + WAIT_S
        while not self.has_ended and time.monotonic() < until:
            self.receive(max(0.001, until - time.monotonic()))
        if self.buffer:
            raise Unexpected(f"before its end came: {shown(self.buffer)}")
        if not self.has_ended:
            raise Unexpected("the gateway does not close")
        if not allow_reset and self.dialogue[-1:] == ["S: (reset)"]:
            raise Unexpected("the connection was reset and not closed")
        self.dialogue.append("S: (closed)")

    def expect_silence(self, wait_s):
        """Nothing comes for a while."""
        self.receive(wait_s)
        if self.buffer or self.has_ended:
            raise Unexpected(f"silence was expected, and came: {shown(self.buffer) or '(end)'}")
        self.dialogue.append("S: (silence)")

    # ---- TLS ----

    def secure(self, context, server_name, session=None):
        """A handshake; what goes wrong is Unexpected. Gives the version."""
        self.tls_in, self.tls_out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls_in.write(self.buffer)
        self.buffer = b""
        tls = context.wrap_bio(self.tls_in, self.tls_out, server_hostname=server_name,
                               session=session)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.shake(tls)
            except ssl.SSLError as error:
                self.flush_handshake()
                raise Unexpected(f"no TLS: {error.reason}") from error
        self.flush_handshake()
        self.tls = tls
        names = [value for key, value in tls.getpeercert().get("subjectAltName", ())]
        said = f"{tls.version()} {','.join(names)}{' resumed' if tls.session_reused else ''}"
        self.dialogue.append(f"   (TLS: {said})")
        return said

    def flush_handshake(self):
        """Sends what OpenSSL wants to say."""
        data = self.tls_out.read()
        if data:
            self.write(data)

    def shake(self, _tls):
        """One round of the handshake."""
        self.flush_handshake()
        self.sock.settimeout(WAIT_S)
        try:
            data = self.sock.recv(65536)
        except OSError as error:
            raise Unexpected(f"no TLS: {error}") from error
        if not data:
            self.has_ended = True
            raise Unexpected("no TLS: the gateway closed")
        self.tls_in.write(data)

    # ---- Ends ----

    def half_close(self):
        """Our side is closed, the other is still read."""
        self.dialogue.append("C: (half-close)")
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        """Both sides."""
        if self.is_open:
            self.is_open = False
            self.dialogue.append("C: (close)")
            self.sock.close()

    def reset(self):
        """RST."""
        self.is_open = False
        self.dialogue.append("C: (reset)")
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
