# SPDX-License-Identifier: BSD-2-Clause
"""Mails of every fate, a configuration for them, and a live posternd that says what
becomes of each: what `postern explain` and `postern diff` are held against."""
import os
import smtplib
import ssl
import textwrap

from certificates import make_self_signed
from gateway import Gateway
from harness import HERE, WAIT_S
from programs import POSTERND, make_folder, user

CASES = os.path.join(HERE, "..", "cases", "dkim")

CONFIGURATION = """
hostname mx.example.org;
{user}
workers 1;
spool-folder {folder}/spool;
log {{ to stderr; format {format}; }}
resolver {{ local-data {folder}/zone; address 127.0.0.1:9; timeout 1s; }}
quarantine {{ folder {folder}/held; }}
certificate {{ names mx.example.org; chain {folder}/mx.pem; key {folder}/mx.key; }}
listener inbound {{ listen 127.0.0.1:0; max-sessions-per-address 1000; }}
listener secure {{ listen 127.0.0.1:0; tls required; }}
listener crowd {{ listen 127.0.0.1:0; tls off; mixed hold; max-recipients 2; }}
backend legacy {{ address 127.0.0.1:{port}; tls off; }}
backend known {{ address 127.0.0.1:{port}; tls off; recipients file {folder}/known; }}
relay printers {{ from 127.0.0.77/32; policy open; backend legacy; }}
list partners {{ example.org; }}
policy open {{ otherwise accept; }}
policy usual {{
    max-size 100K;
    on dns-temperror {temperror};
    rule own-sender  {{ when sender-domain own-domain; then reject "not from outside"; }}
    rule helo-fail   {{ when spf-helo fail; then reject; }}
    rule noted       {{ mode shadow; when spf softfail; then reject; }}
    rule dmarc       {{ when dmarc fail and dmarc-policy quarantine, reject; then quarantine; }}
    rule spf-fail    {{ when spf fail; except dkim-domain in partners; then reject "no sender"; }}
    rule unsigned    {{ when dkim none; then tag unsigned; }}
    rule encrypted   {{ when tls any; then tag encrypted; }}
    rule cheap       {{ when header Subject contains "cheap"; then discard; }}
    rule many        {{ when recipients > 1 and sender null; then tempfail; }}
    rule {big}
    otherwise accept;
}}
policy watching {{ mode shadow; rule spf-bad {{ when spf fail; then reject; }} otherwise accept; }}
domain usual.example   {{ backend legacy; policy usual; }}
domain known.example   {{ backend known; policy open; }}
domain watch.example   {{ backend legacy; policy watching; }}
"""

ZONE = """
good.example.     TXT "v=spf1 ip4:127.0.0.0/8 -all"
bad.example.      TXT "v=spf1 -all"
soft.example.     TXT "v=spf1 ~all"
broken.example.   TXT "v=spf1 mango"
forged.example.   TXT "v=spf1 -all"
_dmarc.forged.example. TXT "v=DMARC1; p=reject"
_dmarc.good.example.   TXT "v=DMARC1; p=reject"
helo.bad.example. TXT "v=spf1 -all"
example.org.      TXT "v=spf1 -all"
_dmarc.example.org.    TXT "v=DMARC1; p=none"
$FAIL lost.example. TXT
"""
# Below each of these a name that is not there has an address and nothing else: no server is asked.
PARENTS = ["", "example.", "org.", "example.org.", "_domainkey.example.org.", "helo.bad.example.",
           *(f"{name}.example." for name in ("good", "bad", "soft", "broken", "forged", "lost",
                                             "usual", "watch", "known", "elsewhere"))]


def zone():
    """The names, and the key of a signed mail, cut where a string must end."""
    with open(os.path.join(CASES, "10-relaxed.zone"), encoding="ascii") as file:
        name, _, key = file.read().strip().partition(" ")
    strings = " ".join(f'"{part}"' for part in textwrap.wrap(key, 200, break_on_hyphens=False,
                                                             drop_whitespace=False))
    others = "".join(f"*.{parent or '.'} A 192.0.2.7\n" for parent in PARENTS).replace("*..", "*.")
    return f"{ZONE}{name}. TXT {strings}\n{others}"


def read_eml(name):
    """A message of the cases of DKIM."""
    with open(os.path.join(CASES, name), "rb") as file:
        return file.read().replace(b"\r\n", b"\n").decode("ascii")


def message(author, subject="hello", body="hello\n"):
    """One that has what it needs."""
    return f"From: {author}\nSubject: {subject}\n\n{body}"


class Mail:
    """One mail, for a client that sends it and for options that describe it."""

    def __init__(self, name, sender, recipients, text, helo="mail.good.example",
                 ip="127.0.0.1", listener="inbound", tls=None):
        self.name, self.sender, self.recipients, self.text = name, sender, recipients, text
        self.helo, self.ip, self.listener, self.tls = helo, ip, listener, tls

    def options(self, folder):
        """For postern explain; writes the message beside them."""
        path = os.path.join(folder, self.name)
        with open(path, "w", encoding="ascii") as file:
            file.write(self.text)
        words = ["--from", self.sender, "--ip", self.ip, "--helo", self.helo, "--listener",
                 self.listener, "--message", path]
        if self.tls:
            words += ["--tls", self.tls]
        for recipient in self.recipients:
            words += ["--rcpt", recipient]
        return words


def mails():
    """Each is named after what becomes of it."""
    one = ["joe@usual.example"]
    signed = read_eml("10-relaxed.eml")
    return [
        Mail("accepted", "ann@good.example", one, message("ann@good.example")),
        Mail("accepted-with-signature", "joe@example.org", one, signed),
        Mail("refused-by-helo", "ann@good.example", one, message("ann@good.example"),
             helo="helo.bad.example"),
        Mail("refused-own-name", "boss@usual.example", one, message("boss@usual.example")),
        Mail("refused-by-spf", "ann@bad.example", one, message("ann@bad.example")),
        Mail("refused-with-broken-signature", "joe@example.org", one,
             signed.replace("This is", "That was")),
        Mail("held-by-dmarc", "ann@good.example", one, message("ceo@forged.example")),
        Mail("noted", "ann@soft.example", one, message("ann@soft.example")),
        Mail("put-off-by-dns", "ann@lost.example", one, message("ann@lost.example")),
        Mail("permerror", "ann@broken.example", one, message("ann@broken.example")),
        Mail("discarded", "ann@good.example", one, message("ann@good.example", "Cheap watches")),
        Mail("too-large", "ann@good.example", one,
             message("ann@good.example", body=("x" * 70 + "\n") * 2000)),
        Mail("big", "ann@good.example", one,
             message("ann@good.example", body=("x" * 70 + "\n") * 900)),
        Mail("relaying", "ann@good.example", ["joe@elsewhere.example"], message("a@good.example")),
        Mail("relayed", "ann@good.example", ["joe@elsewhere.example"], message("a@good.example"),
             ip="127.0.0.77"),
        Mail("unknown-user", "ann@good.example", ["joe@known.example"], message("a@good.example")),
        Mail("known-user", "ann@good.example", ["ann@known.example"], message("a@good.example")),
        Mail("some-refused", "ann@good.example", ["joe@known.example", "joe@usual.example"],
             message("ann@good.example")),
        Mail("bounce", "", one, message("mailer-daemon@good.example")),
        Mail("bounce-to-two", "", ["joe@usual.example", "ann@usual.example"],
             message("mailer-daemon@good.example")),
        Mail("split", "ann@good.example", ["joe@usual.example", "joe@watch.example"],
             message("ann@good.example")),
        Mail("mixed", "ann@bad.example", ["joe@watch.example", "joe@usual.example"],
             message("ann@bad.example"), listener="crowd"),
        Mail("too-many", "ann@good.example", ["a@watch.example", "b@watch.example",
                                              "c@watch.example"],
             message("ann@good.example"), listener="crowd"),
        Mail("watched", "ann@bad.example", ["joe@watch.example"], message("ann@bad.example")),
        Mail("postmaster", "ann@bad.example", ["postmaster"], message("ann@bad.example")),
        Mail("routed", "ann@good.example", ["joe%other@usual.example"], message("a@good.example")),
        Mail("looping", "ann@good.example", one,
             "Received: from a by mx.example.org; x\n" * 6 + message("ann@good.example")),
        Mail("encrypted", "ann@good.example", one, message("ann@good.example"), tls="1.3"),
        Mail("encrypted-as-it-must", "ann@good.example", one, message("ann@good.example"),
             listener="secure", tls="1.3"),
        Mail("not-encrypted", "ann@good.example", one, message("ann@good.example"),
             listener="secure"),
        Mail("no-address", "ann@@good.example", one, message("a@good.example")),
    ]


class LiveGateway:
    """A posternd in front of a sink, and what its log says of each mail."""

    def __init__(self, test, form="json"):
        self.folder = make_folder()
        self.sink = test.start_sink()
        self.gateway = Gateway(POSTERND, self.folder)
        make_self_signed(os.path.join(self.folder, "mx.pem"), os.path.join(self.folder, "mx.key"),
                         "mx.example.org", days=90)
        self.write("zone", zone())
        self.write("known", "ann@known.example\n")
        self.gateway.write_configuration(self.configuration(form))
        test.addCleanup(lambda: test.assertEqual(self.gateway.stop(), []))
        self.gateway.start()

    def configuration(self, form="json", temperror="tempfail",
                      big="big { when size > 50K; then tag big; }"):
        """The text, for this one or for one that is tried beside it."""
        return CONFIGURATION.format(folder=self.folder, format=form, port=self.sink.port,
                                    temperror=temperror, big=big,
                                    user=f"user {user()};" if user() else "")

    def write(self, name, text):
        """A file beside the configuration; its path."""
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(path, 0o644)
        return path

    @property
    def path(self):
        return self.gateway.configuration_path

    def send(self, mail):
        """The mail as a client sends it that goes as far as it gets; then its line."""
        before = len(self.transactions())
        host, port = self.gateway.addresses[mail.listener][0]
        client = smtplib.SMTP(host, port, local_hostname=mail.helo, timeout=WAIT_S,
                              source_address=(mail.ip, 0))
        try:
            client.ehlo()
            if mail.tls:
                client.starttls(context=ssl._create_unverified_context())
                client.ehlo()
            code, _ = client.docmd(f"MAIL FROM:<{mail.sender}>")
            codes = [client.docmd(f"RCPT TO:<{recipient}>")[0]
                     for recipient in mail.recipients if code == 250]
            if 250 in codes and client.docmd("DATA")[0] == 354:
                client.send(smtplib._quote_periods(
                    smtplib._fix_eols(mail.text).encode("ascii")) + b".\r\n")
                client.getreply()
            client.quit()
        finally:
            client.close()
        line = self.gateway.await_line(lambda line: line in self.transactions()[before:])
        assert line is not None, f"no line for {mail.name}:\n{self.gateway.raw_log()}"
        return line

    def transactions(self):
        """Lines about mails."""
        return [line for line in self.gateway.lines() if line.get("event") == "transaction"]
