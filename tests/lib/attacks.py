#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Clients that only want to keep a gateway busy: a program that attacks for a while.

    attacks.py NAME PORT TLS_PORT RECIPIENT SECONDS

PORT takes STARTTLS, TLS_PORT begins with TLS; the recipient is one that the gateway takes. Bots
come from addresses all over 127.0.0.0/8, no two from one network, so that limits per client do not
help against them. The attack lasts until the seconds are over and each bot has been in place once,
and ends with one line of JSON: how often a bot began, and how many stood at the end.
"""
import asyncio
import base64
import contextlib
import json
import os
import resource
import socket
import ssl
import struct
import sys

MAX_RAMP_SECONDS = 60
NEVER = 3600
HEAD = b"From: bot@bot.example\r\nTo: someone\r\nSubject: hello\r\n"


SIGNATURES = 10
# Of clients who only want to send mail, here and in contrib/load.
GOOD_NAMES = ("example.net", "good.example.net", "load.example", "sender.example")
# What makes a gateway look at its senders; with it the resolver block of make_checks.
RULES = """
    rule forged { when spf fail and dkim fail and dmarc fail; then reject; }
    rule helo { when spf-helo fail and dkim fail; then reject; }
"""


class Over(Exception):
    """The gateway has closed."""


# ---- What the DNS says of the bots ----

def der(tag, content):
    """An element of ASN.1."""
    size = len(content)
    if size > 127:
        length = size.to_bytes((size.bit_length() + 7) // 8, "big")
        return bytes([tag, 0x80 | len(length)]) + length + content
    return bytes([tag, size]) + content


def large_key():
    """RSA, 4096 bits: nobody can sign with it, and to find that out takes as long as any."""
    modulus = (1 << 4095) + sum(1 << bit for bit in range(0, 4000, 3))
    numbers = der(2, b"\0" + modulus.to_bytes(512, "big")) + der(2, b"\1\0\1")
    algorithm = der(0x30, der(6, bytes.fromhex("2a864886f70d010101")) + der(5, b""))
    key = der(0x30, algorithm + der(3, b"\0" + der(0x30, numbers)))
    return base64.b64encode(key).decode()


def make_zone():
    """Keys for ten signatures, and an SPF record that leads to a hundred names."""
    key = large_key()
    lines = ['bot.example. TXT "v=spf1 ip4:127.0.0.0/8 -all"',
             '_dmarc.bot.example. TXT "v=DMARC1; p=none"',
             '_dmarc.example. TXT "v=DMARC1; p=none; psd=y"',
             'fan.example. TXT "v=spf1 ' +
             " ".join(f"mx:m{number}.fan.example" for number in range(10)) + ' ~all"']
    for name in GOOD_NAMES:
        lines += [f'{name}. TXT "v=spf1 ip4:127.0.0.0/8 -all"',
                  f'_dmarc.{name}. TXT "v=DMARC1; p=none"']
    for number in range(SIGNATURES):
        texts = " ".join(f'"{key[at:at + 250]}"' for at in range(0, len(key), 250))
        lines.append(f's{number}._domainkey.bot.example. TXT "v=DKIM1; p=" {texts}')
        for host in range(10):
            lines += [f"m{number}.fan.example. MX 10 h{number}{host}.fan.example.",
                      f"h{number}{host}.fan.example. A 192.0.2.{number}"]
    return "\n".join(lines) + "\n"


def make_checks(zone_path, port):
    """Names below slow.example are asked of `port`, where nobody answers."""
    return f"resolver {{ address 127.0.0.1:{port}; local-data {zone_path}; validate off; }}\n"


def listen_in_silence():
    """A server of names that answers nothing: a socket."""
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 0))
    return silent


def signatures():
    """Fields of ten keys; the body has to be hashed in three ways."""
    ways = ("relaxed/relaxed", "simple/simple", "relaxed/relaxed; l=100")
    return b"".join(
        f"DKIM-Signature: v=1; a=rsa-sha256; c={ways[number % 3]}; d=bot.example; s=s{number};\r\n"
        f" h=from:to:subject; bh={43 * 'A'}=; b={'A' * 682}==\r\n".encode()
        for number in range(SIGNATURES))


SIGNED_HEAD = signatures() + HEAD


class Bot:
    """One client; its attack runs again and again."""

    def __init__(self, crowd, number):
        self.crowd = crowd
        self.source = f"127.{1 + number // 250 % 250}.{number % 250}.{2 + number // 62500}"
        self.sock = None
        self.unread = b""

    async def connect(self, port=None):
        """Up to the greeting of the kernel, that is."""
        self.close()
        self.unread = b""
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.bind((self.source, 0))
        await self.crowd.loop.sock_connect(self.sock, ("127.0.0.1", port or self.crowd.port))

    async def send(self, data):
        await self.crowd.loop.sock_sendall(self.sock, data)

    async def reply(self):
        """The last line of the next reply."""
        while True:
            line, found, rest = self.unread.partition(b"\n")
            if found:
                self.unread = rest
                if line[3:4] != b"-":
                    return line
                continue
            data = await self.crowd.loop.sock_recv(self.sock, 65536)
            if not data:
                raise Over
            self.unread += data

    async def say(self, line):
        await self.send(line + b"\r\n")
        reply = await self.reply()
        if not reply.startswith((b"2", b"3")):
            raise Over
        return reply

    async def hello(self):
        await self.connect()
        await self.reply()
        await self.say(b"EHLO bot.example")

    async def envelope(self):
        await self.hello()
        await self.say(b"MAIL FROM:<bot@bot.example>")
        await self.say(b"RCPT TO:<" + self.crowd.recipient + b">")

    async def data(self):
        await self.envelope()
        await self.say(b"DATA")

    async def stay(self):
        """In place, for as long as the gateway bears it."""
        self.crowd.in_place.add(self)
        if not await self.crowd.loop.sock_recv(self.sock, 65536):
            raise Over
        await asyncio.sleep(NEVER)

    async def drip(self, text):
        """A byte at a time, for ever."""
        self.crowd.in_place.add(self)
        while True:
            for at in range(len(text)):
                await self.send(text[at:at + 1])
                await asyncio.sleep(0.05)

    async def flood(self, data):
        """As much of it as the gateway takes; what it says is not read."""
        self.crowd.in_place.add(self)
        while True:
            await self.send(data)
            await asyncio.sleep(0)

    def reset(self):
        """RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        if self.sock is not None:
            self.sock.close()
            self.sock = None


# ---- The attacks: a coroutine for one round of one bot ----

async def idle(bot):
    await bot.hello()
    await bot.stay()


async def drip_commands(bot):
    await bot.connect()
    await bot.reply()
    await bot.drip(b"NOOP a word that takes its time\r\n")


async def drip_header(bot):
    await bot.data()
    await bot.drip(b"X-Slow: and slower\r\n")


async def drip_body(bot):
    await bot.data()
    await bot.send(HEAD + b"\r\n")
    await bot.drip(b"and so on, and so on\r\n")


async def envelopes(bot):
    await bot.envelope()
    await bot.stay()


async def name_recipients(bot, lines):
    """As many as the gateway takes; who gets no more is in place, too."""
    await bot.envelope()
    with contextlib.suppress(Over):
        for line in lines:
            await bot.say(line)
    await bot.stay()


async def many_recipients(bot):
    local, _, domain = bot.crowd.recipient.partition(b"@")
    await name_recipients(bot, [b"RCPT TO:<%s%02d@%s>" % (58 * local[:1], number, domain)
                                for number in range(1, 100)])


async def greedy_recipients(bot):
    """As much as can be said of each."""
    await name_recipients(bot, [b"RCPT TO:<%s> NOTIFY=NEVER ORCPT=rfc822;%s%02d" %
                                (bot.crowd.recipient, 490 * b"x", number)
                                for number in range(1, 100)])


async def endless_command(bot):
    await bot.connect()
    await bot.reply()
    await bot.flood(16384 * b"x")


async def endless_header_line(bot):
    await bot.data()
    await bot.send(b"Subject: ")
    await bot.flood(16384 * b"x")


async def slow_headers(bot):
    """As much header as may be, and no end of it: it cannot go to the disk."""
    await bot.data()
    for number in range(200):
        await bot.send(b"X-%d: " % number + 1000 * b"x" + b"\r\n")
    await bot.stay()


async def slow_bodies(bot):
    """Less than goes to the disk by itself."""
    await bot.data()
    await bot.send(HEAD + b"\r\n" + 15 * (998 * b"x" + b"\r\n"))
    await bot.stay()


async def many_fields(bot):
    await bot.data()
    for _ in range(100):
        await bot.send(1000 * b"a: b\r\n")
    await bot.send(b"\r\n.\r\n")
    bot.crowd.in_place.add(bot)
    await bot.reply()


async def deaf_flood(bot):
    await bot.hello()
    await bot.flood(1000 * b"NOOP\r\n")


async def deaf_mail_flood(bot):
    await bot.hello()
    await bot.flood(100 * (b"MAIL FROM:<bot@bot.example>\r\nRCPT TO:<" + bot.crowd.recipient +
                           b">\r\nBDAT 4 LAST\r\na\r\nb"))


PHASES = (
    ("connect", b""), ("hello", b""), ("hello", b"MAIL FROM:<a@b.exam"), ("envelope", b""),
    ("data", b""), ("data", b"Subject: half a head"), ("data", HEAD + b"\r\nhalf a body"),
    ("envelope", b"BDAT 1000\r\nhalf a chunk"), ("envelope", b"BDAT 4 LAST\r\na\r\nb"),
)


async def half_close(bot):
    for how, last in PHASES:
        await getattr(bot, how)()
        await bot.send(last)
        bot.sock.shutdown(socket.SHUT_WR)
        bot.crowd.in_place.add(bot)
        with contextlib.suppress(Over):
            while True:
                await bot.reply()


async def resets(bot):
    for how, last in PHASES:
        await getattr(bot, how)()
        await bot.send(last)
        bot.reset()
    bot.crowd.in_place.add(bot)


async def comings_and_goings(bot):
    await bot.connect()
    bot.close()
    bot.crowd.in_place.add(bot)


async def bad_openings(bot):
    """Each ends with a reply that the bot does not wait for, nor for the gateway's close."""
    await bot.connect()
    await bot.send(b"\x00\x01\x02\x03\r\n")
    bot.crowd.in_place.add(bot)
    await bot.reply()
    await asyncio.sleep(1)


async def huge_chunks(bot):
    """What is announced and never comes; the gateway may refuse it, and then swallows it."""
    await bot.envelope()
    await bot.send(b"BDAT 9223372036854775807\r\n" + HEAD)
    await bot.stay()


async def chunk_flood(bot):
    await bot.envelope()
    await bot.flood(2000 * b"BDAT 1\r\nx")


async def big_chunks(bot):
    await bot.envelope()
    await bot.flood(b"BDAT 1048576\r\n" + 1048576 * b"x")


async def big_bodies(bot):
    """Message after message that ends in nothing."""
    await bot.data()
    await bot.send(HEAD + b"\r\n")
    await bot.flood(64 * (1022 * b"x" + b"\r\n"))


async def signed_stalls(bot):
    """All that a check of the signatures needs is there but for the end."""
    await bot.data()
    await bot.send(SIGNED_HEAD + b"\r\nhalf a body")
    await bot.stay()


async def signed_fields(bot):
    """As many signatures as a header has room for."""
    await bot.data()
    await bot.send(18 * signatures() + b"\r\nhalf a body")
    await bot.stay()


async def signed_bodies(bot):
    """Bytes that are hashed in three ways, without end."""
    await bot.data()
    await bot.send(SIGNED_HEAD + b"\r\n")
    await bot.flood(64 * (1022 * b"x" + b"\r\n"))


async def heavy_signatures(bot):
    """Small mails that cost much."""
    await bot.hello()
    bot.crowd.in_place.add(bot)
    while True:
        await bot.say(b"MAIL FROM:<bot@bot.example>")
        await bot.say(b"RCPT TO:<" + bot.crowd.recipient + b">")
        await bot.say(b"DATA")
        await bot.say(SIGNED_HEAD + b"\r\nbody\r\n.")


async def name_sender(bot, sender):
    """Each recipient has to wait for what is found out about the sender."""
    await bot.hello()
    await bot.say(b"MAIL FROM:<" + sender + b">")
    bot.crowd.in_place.add(bot)
    await bot.say(b"RCPT TO:<" + bot.crowd.recipient + b">")
    await bot.stay()


async def fanned_senders(bot):
    await name_sender(bot, b"bot@fan.example")


async def slow_senders(bot):
    """Ever new names, and nobody who knows them."""
    await name_sender(bot, f"bot@b{bot.crowd.rounds}.slow.example".encode())


async def slow_floods(bot):
    """The same by who does not wait for an answer."""
    await bot.hello()
    bot.crowd.in_place.add(bot)
    number = bot.crowd.rounds
    await bot.flood(b"".join(
        f"RSET\r\nMAIL FROM:<bot@f{number}-{index}.slow.example>\r\nRCPT TO:<".encode() +
        bot.crowd.recipient + b">\r\n" for index in range(100)))


def client_hello():
    """The first flight of a handshake."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname="mx.example.org").do_handshake()
    return outgoing.read()


CLIENT_HELLO = client_hello()


async def tls_flood(bot):
    """Handshakes that cost us nothing, and the gateway a signature each."""
    await bot.connect(bot.crowd.tls_port)
    await bot.send(CLIENT_HELLO)
    await bot.crowd.loop.sock_recv(bot.sock, 100)
    bot.close()
    bot.crowd.in_place.add(bot)


async def tls_stalls(bot):
    """Half a hello; or a whole one, and then nothing."""
    await bot.connect(bot.crowd.tls_port)
    await bot.send(CLIENT_HELLO[:100])
    await bot.stay()


async def tls_stalls_later(bot):
    await bot.connect(bot.crowd.tls_port)
    await bot.send(CLIENT_HELLO)
    await bot.crowd.loop.sock_recv(bot.sock, 65536)
    await bot.stay()


async def tls_idle(bot):
    await bot.connect(bot.crowd.tls_port)
    reader, writer = await asyncio.open_connection(
        sock=bot.sock, ssl=bot.crowd.tls_context, server_hostname="mx.example.org")
    bot.sock = None
    try:
        await reader.readline()
        writer.write(b"EHLO bot.example\r\n")
        await writer.drain()
        await reader.readuntil(b"250 ")
        bot.crowd.in_place.add(bot)
        if not await reader.read(65536):
            raise Over
        await asyncio.sleep(NEVER)
    finally:
        writer.transport.abort()


# name: (the round of a bot, how many bots, what they do)
ATTACKS = {
    "idle": (idle, 2000, "2,000 sessions that say EHLO and fall silent"),
    "tls-idle": (tls_idle, 500, "500 such inside TLS"),
    "drip-commands": (drip_commands, 500, "500 that drip commands, a byte each 50 ms"),
    "drip-header": (drip_header, 300, "300 that drip a header"),
    "drip-body": (drip_body, 300, "300 that drip a body"),
    "envelopes": (envelopes, 500, "500 that say RCPT and fall silent"),
    "many-recipients": (many_recipients, 200, "200 with 100 long recipients that fall silent"),
    "greedy-recipients": (greedy_recipients, 400, "400 with 100 that take 500 bytes each"),
    "endless-command": (endless_command, 20, "20 with a command line without end"),
    "endless-header-line": (endless_header_line, 20, "20 with a header line without end"),
    "slow-headers": (slow_headers, 300, "300 that send 200 KB of a header and fall silent"),
    "slow-bodies": (slow_bodies, 2500, "2,500 that send 15 KB and fall silent"),
    "many-fields": (many_fields, 20, "20 that send 100,000 header fields each"),
    "deaf-flood": (deaf_flood, 20, "20 that pipeline NOOP and read nothing"),
    "deaf-mail-flood": (deaf_mail_flood, 20, "20 that pipeline small mails and read nothing"),
    "half-close": (half_close, 20, "20 that close their side in each phase"),
    "resets": (resets, 20, "20 that reset the connection in each phase"),
    "comings-and-goings": (comings_and_goings, 20, "20 that connect and close, without pause"),
    "bad-openings": (bad_openings, 500, "500 that begin with garbage, and stay behind"),
    "huge-chunks": (huge_chunks, 200, "200 that announce chunks of 8 EiB"),
    "chunk-flood": (chunk_flood, 20, "20 that send chunks of one byte"),
    "big-chunks": (big_chunks, 20, "20 that send chunks of 1 MiB"),
    "big-bodies": (big_bodies, 20, "20 that send bodies without end"),
    "signed-stalls": (signed_stalls, 2000, "2,000 with ten signatures that stall in the body"),
    "signed-fields": (signed_fields, 500, "500 with a header full of signatures"),
    "signed-bodies": (signed_bodies, 100, "100 with ten signatures and bodies without end"),
    "heavy-signatures": (heavy_signatures, 100, "100 that send ten large signatures each"),
    "fanned-senders": (fanned_senders, 500, "500 with senders that lead to a hundred names"),
    "slow-senders": (slow_senders, 500, "500 with senders whose DNS is silent"),
    "slow-floods": (slow_floods, 50, "50 that pipeline such senders"),
    "tls-flood": (tls_flood, 20, "20 that make the gateway sign, and leave"),
    "tls-stalls": (tls_stalls, 200, "200 that stop in the middle of their hello"),
    "tls-stalls-later": (tls_stalls_later, 200, "200 that stop behind the gateway's answer"),
}


class Crowd:
    """All bots of one attack."""

    def __init__(self, name, port, tls_port, recipient, seconds):
        self.run, self.count, _ = ATTACKS[name]
        self.port, self.tls_port, self.recipient = port, tls_port, recipient.encode()
        self.seconds = seconds
        self.loop = None
        self.rounds = 0
        self.in_place = set()
        self.tls_context = ssl.create_default_context()
        self.tls_context.check_hostname = False
        self.tls_context.verify_mode = ssl.CERT_NONE

    async def live(self, number):
        """Rounds without end."""
        bot = Bot(self, number)
        try:
            while True:
                self.rounds += 1
                try:
                    await self.run(bot)
                except (Over, OSError, EOFError, ValueError):
                    await asyncio.sleep(0.01)
        finally:
            bot.close()

    async def attack(self):
        """See the title."""
        self.loop = asyncio.get_running_loop()
        begin = self.loop.time()
        tasks = []
        for number in range(self.count):
            tasks.append(asyncio.create_task(self.live(number)))
            if number % 20 == 19:
                await asyncio.sleep(0.005)
        print("begun", flush=True)
        while self.loop.time() < begin + self.seconds or (
                len(self.in_place) < self.count and
                self.loop.time() < begin + MAX_RAMP_SECONDS):
            await asyncio.sleep(0.02)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def main(name, port, tls_port, recipient, seconds):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.nice(10)  # attackers elsewhere would not take the gateway's processor
    crowd = Crowd(name, int(port), int(tls_port), recipient, float(seconds))
    asyncio.run(crowd.attack())
    print(json.dumps({"rounds": crowd.rounds, "in_place": len(crowd.in_place),
                      "count": crowd.count}))


if __name__ == "__main__":
    main(*sys.argv[1:])
