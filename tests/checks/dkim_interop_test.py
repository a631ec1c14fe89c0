#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Messages that dkimpy and Perl's Mail::DKIM sign now, through unit-dkim-cases.

Both come from Debian (python3-dkim, libmail-dkim-perl); without them this test is skipped, but
where all is required (CI=true) it fails.
"""
import base64
import os
import re
import subprocess
import sys
import tempfile

BUILD = os.environ.get("POSTERN_BUILDDIR", ".")
IS_STRICT = os.environ.get("CI") == "true" or os.environ.get("POSTERN_REQUIRE_ALL") == "1"
NOW = 1600000000
# Debian's packages are for this one, whatever "python3" is here.
DEBIANS_PYTHON = "/usr/bin/python3"

HEADER = """\
From: Joe <joe@example.org>
To: suzie@example.net
Subject: A  test\twith blanks
 and a second line
Date: Sun, 13 Sep 2020 12:26:40 +0000
Message-ID: <1@example.org>

"""
BODIES = ["", "\n", "Hello.\n\nThis is  the body. \n\t\n \n\n", "a\n.\n..\n", "last line",
          "".join(f"line {number} \t of many\n" for number in range(2000))]
FORMS = ["simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed"]

PERL = r"""
use Mail::DKIM::Signer; use Mail::DKIM::PrivateKey; use Mail::DKIM::TextWrap;
my ($file, $method) = @ARGV;
my $signer = Mail::DKIM::Signer->new(Algorithm => 'rsa-sha256', Method => $method,
    Domain => 'example.org', Selector => 'rsa', KeyFile => $file);
binmode STDIN; { local $/; my $message = <STDIN>; $signer->PRINT($message); }
$signer->CLOSE; print $signer->signature->as_string;
"""


def run(*command, data=None):
    return subprocess.run(command, input=data, check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout


def missing():
    try:
        import dkim  # noqa: F401
    except ImportError:
        if os.path.realpath(sys.executable) != os.path.realpath(DEBIANS_PYTHON) and \
                os.path.exists(DEBIANS_PYTHON):
            os.execv(DEBIANS_PYTHON, [DEBIANS_PYTHON, "-B", *sys.argv])
        return "python3-dkim"
    perl = subprocess.run(["perl", "-MMail::DKIM", "-e", "1"], stderr=subprocess.DEVNULL)
    return "libmail-dkim-perl" if perl.returncode != 0 else None


class Keys:
    def __init__(self, folder):
        self.rsa_path = os.path.join(folder, "rsa.pem")
        self.rsa = run("openssl", "genrsa", "-traditional", "2048")
        with open(self.rsa_path, "wb") as file:
            file.write(self.rsa)
        public = run("openssl", "rsa", "-pubout", "-outform", "DER", data=self.rsa)
        pem = run("openssl", "genpkey", "-algorithm", "ed25519", "-outform", "DER")
        self.ed25519 = base64.b64encode(pem[-32:])
        info = run("openssl", "pkey", "-inform", "DER", "-pubout", "-outform", "DER", data=pem)
        self.zone = "".join(
            f"{kind}._domainkey.example.org v=DKIM1; k={kind}; p={base64.b64encode(key).decode()}\n"
            for kind, key in (("rsa", public), ("ed25519", info[-32:])))


def sign_with_dkimpy(keys, message, forms, kind):
    import dkim
    canon = tuple(form.encode() for form in forms.split("/"))
    key = keys.rsa if kind == "rsa" else keys.ed25519
    return dkim.sign(message, kind.encode(), b"example.org", key, canonicalize=canon,
                     signature_algorithm=kind.encode() + b"-sha256",
                     include_headers=[b"from", b"to", b"subject", b"date", b"from"])


def sign_with_perl(keys, message, forms, _kind):
    return run("perl", "-e", PERL, keys.rsa_path, forms, data=message) + b"\r\n"


def write_case(folder, name, signed, zone, line):
    when = int(re.search(rb"\bt=(\d+)", signed).group(1)) if b" t=" in signed else NOW
    for ending, data in ((".eml", signed.replace(b"\r\n", b"\n")), (".zone", zone.encode()),
                         (".expected", f"# signed just now\nnow {when}\nresult pass\n"
                                       f"signature pass {line}\n".encode())):
        with open(os.path.join(folder, name + ending), "wb") as file:
            file.write(data)


def make_cases(folder, keys):
    count = 0
    for signer, sign, kind in (("dkimpy", sign_with_dkimpy, "rsa"),
                               ("dkimpy", sign_with_dkimpy, "ed25519"),
                               ("perl", sign_with_perl, "rsa")):
        for forms in FORMS:
            for number, body in enumerate(BODIES):
                if signer == "perl" and body.endswith("line"):
                    continue  # it does not add the CRLF that RFC 6376 3.4.3 adds
                message = (HEADER + body).replace("\n", "\r\n").encode()
                signed = sign(keys, message, forms, kind) + message
                bits = 2048 if kind == "rsa" else 256
                identity = "@example.org" if b" i=" in signed else "-"
                write_case(folder, f"{signer}-{kind}-{forms.replace('/', '-')}-{number}", signed,
                           keys.zone, f"reason=- d=example.org s={kind} i={identity} "
                                      f"a={kind}-sha256 bits={bits}")
                count += 1
    return count


def main():
    package = missing()
    if package is not None:
        print(f"{package} is missing")
        return 1 if IS_STRICT else 77
    with tempfile.TemporaryDirectory() as folder:
        count = make_cases(folder, Keys(folder))
        environment = dict(os.environ, POSTERN_DKIM_CASES=folder)
        status = subprocess.run([os.path.join(BUILD, "unit-dkim-cases")], env=environment,
                                check=False).returncode
    failed = 0 if status == 0 else 1
    print(f"{count} messages")
    return status


if __name__ == "__main__":
    sys.exit(main())
