# SPDX-License-Identifier: BSD-2-Clause
"""A DNS server for tests: answers TXT questions from a table, late, or not at all."""
import socket
import struct
import threading
import time

TXT = 16


def read_question(packet):
    """(name, type, the question's bytes)."""
    labels, at = [], 12
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode("ascii", "replace"))
        at += 1 + packet[at]
    end = at + 5
    return ".".join(labels).lower(), struct.unpack(">H", packet[at + 1:at + 3])[0], packet[12:end]


def make_answer(packet, question, texts, ttl):
    """NOERROR with these texts; NXDOMAIN for None."""
    code = 3 if texts is None else 0
    answer = packet[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(texts or ()), 0, 0) + question
    for text in texts or ():
        parts = [text[i:i + 255] for i in range(0, len(text), 255)]
        data = b"".join(bytes([len(part)]) + part.encode() for part in parts)
        answer += b"\xc0\x0c" + struct.pack(">HHIH", TXT, 1, ttl, len(data)) + data
    return answer


class NameServer:
    """`texts`: {name: [TXT, ...]}; `silent` names get no answer, all wait for `delay_s` seconds."""

    def __init__(self, texts=None, silent=(), delay_s=0):
        self.texts, self.silent, self.delay_s = texts or {}, set(silent), delay_s
        self.asked = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        while True:
            try:
                packet, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            if not packet:
                return
            name, kind, question = read_question(packet)
            self.asked.append((name, kind))
            if name in self.silent:
                continue
            texts = self.texts.get(name)
            answer = make_answer(packet, question, texts if kind == TXT else texts and [], 60)
            if self.delay_s:
                threading.Timer(self.delay_s, self.send, (answer, peer)).start()
            else:
                self.send(answer, peer)

    def send(self, answer, peer):
        try:
            self.socket.sendto(answer, peer)
        except OSError:
            pass  # closed meanwhile

    def close(self):
        """Ends the thread: an empty packet is nobody's question."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", ("127.0.0.1", self.port))
        self.thread.join()
        time.sleep(self.delay_s)
        self.socket.close()
