# SPDX-License-Identifier: BSD-2-Clause
"""
Mails that SPF, DKIM and DMARC have something to say of, and the zone that says it.

The mails are written in the form that relaxed canonicalisation (RFC 6376, 3.4) leaves
as it is, but for the names of fields, so signing needs no canonicaliser; the RSA is
openssl's.
"""
import base64
import email.utils
import hashlib
import os
import random
import subprocess

from .processes import Failure

CLIENT = "192.0.2.10"      # where the mails come from, and SPF says they may
DOMAIN = "sender.example"  # load-gen's sender; its helo is load.example
SELECTOR = "bench"
KEY_BITS = 2048
SIGNED_FIELDS = ("From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type")
WORDS = ("the gate stands beside a larger one and whoever comes by night knocks there first so "
         "that nobody has to open both wings for one man with a letter in his hand").split()

ZONE = """\
$TTL 3600
{domain}.                      TXT  "v=spf1 include:_spf.{domain} -all"
{domain}.                      MX   10 out.{domain}.
_spf.{domain}.                 TXT  "v=spf1 ip4:198.51.100.0/24 a:out.{domain} -all"
out.{domain}.                  A    {client}
_dmarc.{domain}.               TXT  "v=DMARC1; p=reject"
{selector}._domainkey.{domain}. TXT {key}
load.example.                  A    {client}
load.example.                  TXT  "v=spf1 a -all"
bench.example.                 MX   10 mx.bench.example.
mx.bench.example.              A    127.0.0.1
10.2.0.192.in-addr.arpa.       PTR  out.{domain}.
"""


def openssl(*words, data=None):
    """What it prints."""
    run = subprocess.run(["openssl", *words], input=data, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, check=False)
    if run.returncode != 0:
        raise Failure(f"openssl {words[0]} failed: " + run.stderr.decode("utf-8", "replace"))
    return run.stdout


def relax(name, value):
    """A field as relaxed canonicalisation has it."""
    return name.lower() + ":" + " ".join(value.split()) + "\r\n"


class Corpus:
    """A key, its zone, and files of signed mails in `folder`."""

    def __init__(self, folder):
        self.folder = folder
        self.key = os.path.join(folder, "dkim.pem")
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{KEY_BITS}",
                "-out", self.key)
        self.random = random.Random(1)

    def zone(self):
        """Lines of a zone file; names are complete."""
        public = openssl("pkey", "-in", self.key, "-pubout", "-outform", "DER")
        record = "v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode("ascii")
        pieces = (record[at:at + 250] for at in range(0, len(record), 250))
        return ZONE.format(domain=DOMAIN, selector=SELECTOR, client=CLIENT,
                           key=" ".join(f'"{piece}"' for piece in pieces))

    def body(self, size):
        """Lines of words, `size` octets in all, the last end of line among them."""
        lines, left = [], size
        while left > 0:
            line = ""
            while len(line) < 60:
                line += self.random.choice(WORDS) + " "
            line = line.rstrip() if left > 150 else (line * 3)[:left - 2].replace(" ", "-")
            lines.append(line + "\r\n")
            left -= len(line) + 2
        return "".join(lines)

    def sign(self, fields, body):
        """The field DKIM-Signature, without its end of line."""
        digest = base64.b64encode(hashlib.sha256(body.encode("ascii")).digest()).decode("ascii")
        value = (f"v=1; a=rsa-sha256; c=relaxed/relaxed; d={DOMAIN}; s={SELECTOR};\r\n"
                 f" h={':'.join(SIGNED_FIELDS).lower()};\r\n bh={digest};\r\n b=")
        signed = "".join(relax(name, fields[name]) for name in SIGNED_FIELDS)
        signed += relax("DKIM-Signature", value)[:-2]
        proof = base64.b64encode(openssl("dgst", "-sha256", "-sign", self.key,
                                         data=signed.encode("ascii"))).decode("ascii")
        pieces = (proof[at:at + 72] for at in range(0, len(proof), 72))
        return f"DKIM-Signature: {value}" + "\r\n  ".join(pieces)

    def make_mail(self, number, size):
        """One of exactly `size` octets, as text."""
        fields = {
            "From": f"Load <load@{DOMAIN}>", "To": "Someone <someone@bench.example>",
            "Subject": f"a signed mail of the bench, number {number}",
            "Date": email.utils.formatdate(), "Message-ID": f"<{number}.{size}@{DOMAIN}>",
            "MIME-Version": "1.0", "Content-Type": "text/plain; charset=us-ascii",
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"
        length = len(self.sign(fields, "")) + 2
        body = self.body(size - len(head) - length)
        return self.sign(fields, body) + "\r\n" + head + body

    def write(self, name, size, count):
        """A file for load-gen --mails; gives its path."""
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            for number in range(count):
                mail = self.make_mail(number, size)
                if len(mail) != size or "\r\n." in mail:
                    raise Failure(f"a mail for {name} became {len(mail)} octets")
                file.write(mail.encode("ascii") + b".\r\n")
        return path
