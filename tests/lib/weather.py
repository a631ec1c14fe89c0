# SPDX-License-Identifier: BSD-2-Clause
"""Clients and a backend by the dice: good ones, bad ones, and those who leave.

    chaos_test.py of tests/dialogues/90-load runs them and then counts.

Everything is drawn from one seed, but for what two threads do at one time; so
a seed that failed is likely to fail again.
"""
import random
import time

from backend import Script
from client import Client, Unexpected

BAD_BYTES = [b"\r", b"\n", b"\0", b"\n.\n", b"\r\n.\r", b"\r.\r\n"]


class BadWeather(Script):
    """The script of a backend that fails now and then, at every command."""

    # event -> (how often in a hundred, actions)
    FAULTS = {
        b"connect": [(1, "close"), (1, "reply 421 4.3.2 busy")],
        b"MAIL": [(2, "close"), (1, "reply 451 4.3.0 not now")],
        b"RCPT": [(4, "reply 550 5.1.1 unknown"), (1, "close"), (2, "reply 452 4.2.2 full"),
                  (3, "wait 20ms then reply 250 ok")],
        b"DATA": [(2, "close"), (1, "reply 451 4.3.0 not now")],
        b"BDAT": [(3, "close"), (3, "reply 451 4.3.0 not now"), (3, "reply 552 5.3.4 too much")],
        b"RSET": [(2, "close")],
        b".": [(3, "close"), (3, "reply 451 4.3.0 not now"), (3, "reply 554 5.3.0 never"),
               (2, "reply 250 2.0.0 taken then close"),
               (4, "wait 30ms then reply 250 2.0.0 slow")],
    }

    def __init__(self, seed):
        super().__init__([], {})
        self.offers = ["PIPELINING", "SIZE", "8BITMIME", "STARTTLS", "DSN", "ENHANCEDSTATUSCODES"]
        self.dice = random.Random(seed)

    def note(self, line):
        """Nobody reads it."""

    def find_offers(self):
        """Some connections get BDAT, the others DATA."""
        with self.lock:
            return self.offers + ["CHUNKING"] * (self.dice.randrange(3) > 0)

    def find(self, event):
        """A fault, or the ordinary answer."""
        word = event.split(b" ")[0] if event != b"." else event
        throw = self.dice.randrange(100)
        for chance, actions in self.FAULTS.get(word, ()):
            throw -= chance
            if throw < 0:
                return actions.split(" then ")
        return None


class Mail:
    """A random message, and what became of it."""

    def __init__(self, name, dice):
        self.name, self.code = name, None
        self.has_left = False   # the client went before its last byte
        self.subject = dice.choice(["plain"] * 8 + ["refuse", "discard"])
        count = dice.choice([0, 1, 5, 50, dice.randrange(3000)])
        lines = [f"Subject: {self.subject} {name}".encode(), b""]
        lines += [bytes(dice.choice(b"abc. \t\xe4") for _ in range(dice.choice([0, 1, 3, 70])))
                  for _ in range(count)]
        self.content = b"\r\n".join(lines) + b"\r\n"
        self.is_bad = dice.random() < 0.1
        if self.is_bad:
            at = dice.randrange(len(lines[0]) + 2, len(self.content) + 1)
            self.content = self.content[:at] + dice.choice(BAD_BYTES) + self.content[at:]

    def as_data(self):
        """With dots stuffed, and the end."""
        stuffed = self.content.replace(b"\r\n.", b"\r\n..")
        return stuffed + b".\r\n"

    def as_chunks(self, dice):
        """(octets, number of replies)"""
        rest, parts = self.content, []
        while rest:
            size = dice.choice([1, 10, 1000, len(rest)]) if len(parts) < 20 else len(rest)
            parts.append(rest[:size])
            rest = rest[size:]
        parts.append(b"")
        out = b"".join(b"BDAT %d%s\r\n%s" % (len(part), b" LAST" * (part == b""), part)
                       for part in parts)
        return out, len(parts)


class Leaves(Exception):
    """The client has had enough."""


class Wanderer:
    """A client that does whatever it likes."""

    def __init__(self, name, dice, address, certificates):
        self.name, self.dice, self.certificates = name, dice, certificates
        self.client = Client(name, address)
        self.mails = []

    def chance(self, hundredths):
        """Does it happen?"""
        return self.dice.randrange(100) < hundredths

    def say(self, data):
        """In one piece, or in many."""
        step = self.dice.choice([1, 2, 7, 100]) if self.chance(20) and len(data) < 3000 else 65536
        for at in range(0, len(data), step):
            self.client.write(data[at:at + step])

    def hear(self):
        """The code of the next reply."""
        code = int(self.client.read_reply(None)[-1][:3])
        if code == 421:
            raise Leaves
        return code

    def leave(self):
        """By FIN or RST."""
        if self.chance(50):
            self.client.reset()
        raise Leaves

    def wander(self):
        """A whole session; gives what surprised it, or None."""
        try:
            self.hear()
            self.greet()
            for number in range(self.dice.choice([1, 1, 2, 4])):
                self.send_mail(number)
            if self.chance(70):
                self.say(b"QUIT\r\n")
                self.hear()
        except Leaves:
            pass
        except Unexpected as error:
            return f"{self.name}: {error}\n" + "\n".join(self.client.dialogue[-12:])
        finally:
            self.client.close()
        return None

    def greet(self):
        """EHLO, and TLS or not."""
        self.say(b"EHLO a.example.net\r\n")
        self.hear()
        if self.chance(40):
            self.client.write(b"STARTTLS\r\n")
            self.hear()
            self.client.secure(self.certificates.client_context(), "mx.example.org")
            self.say(b"EHLO b.example.net\r\n")
            self.hear()

    def send_envelope(self):
        """How many recipients were taken."""
        count = self.dice.choice([1, 1, 1, 2, 5])
        lines = [b"MAIL FROM:<alice@example.net>\r\n"]
        lines += [b"RCPT TO:<user%d@example.org>\r\n" % number for number in range(count)]
        if self.chance(60):
            self.say(b"".join(lines))
            return [self.hear() for _ in lines][1:].count(250)
        codes = []
        for line in lines:
            self.say(line)
            codes.append(self.hear())
        return codes[1:].count(250)

    def send_mail(self, number):
        """One transaction, as far as it goes."""
        mail = Mail(f"{self.name}-{number}", self.dice)
        taken = self.send_envelope()
        if self.chance(5):
            self.leave()
        if self.chance(5) or taken == 0:
            self.say(b"RSET\r\n")
            self.hear()
            return
        if self.chance(10):
            time.sleep(0.06)  # past the time that the envelope is held
        if self.chance(60):
            self.say(b"DATA\r\n")
            if self.hear() != 354:
                return
            data, replies = mail.as_data(), 1
        else:
            data, replies = mail.as_chunks(self.dice)
        self.mails.append(mail)
        self.send_content(mail, data, replies)

    def send_content(self, mail, data, replies):
        """All of it, or not."""
        if self.chance(6):
            mail.has_left = True
            self.client.write(data[:self.dice.randrange(len(data))])
            self.leave()
        self.say(data)
        if self.chance(4):
            self.leave()
        for number in range(replies):
            code = self.hear()
            if number == replies - 1 or code != 250:  # else it is only "chunk ok"
                mail.code = code
        if replies > 1 and mail.code != 250:
            self.say(b"RSET\r\n")
            self.hear()
