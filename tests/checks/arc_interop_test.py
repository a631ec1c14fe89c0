#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Chains that dkimpy and Perl's Mail::DKIM seal now, each over the other's, through unit-arc-cases.

Both come from Debian (python3-dkim, libmail-dkim-perl); without them this test is skipped, but
where all is required (CI=true) it fails.
"""
import base64
import itertools
import os
import re
import subprocess
import sys
import tempfile
import types

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from dkim_interop_test import BODIES, BUILD, HEADER, IS_STRICT, missing, run  # noqa: E402

HOPS = ["first.example", "second.example", "third.example"]

PERL = r"""
use Mail::DKIM::ARC::Signer; use Mail::DKIM::TextWrap;
my ($file, $domain, $chain) = @ARGV;
my $signer = Mail::DKIM::ARC::Signer->new(Algorithm => 'rsa-sha256', Chain => $chain,
    Domain => $domain, SrvId => $domain, Selector => 's', KeyFile => $file);
binmode STDIN; { local $/; my $message = <STDIN>; $signer->PRINT($message); }
$signer->CLOSE; die $signer->{details} unless $signer->result eq 'sealed';
print join("\r\n", $signer->as_strings), "\r\n";
"""


class Results:
    """What dkimpy wants to know of an Authentication-Results field."""

    def __init__(self, text):
        parts = [part.strip() for part in text.split(":", 1)[1].split(";")]
        self.authserv_id = parts[0]
        self.results = [types.SimpleNamespace(method=method, result=result) for method, result in
                        (part.split()[0].split("=", 1) for part in parts[1:] if part)]

    @classmethod
    def parse(cls, text):
        return cls(text)


def stand_in_for_authres():
    """dkimpy asks the package python3-authres to read one field, and seals nothing without it."""
    if "authres" not in sys.modules:
        module = types.ModuleType("authres")
        module.AuthenticationResultsHeader = Results
        module.core = types.SimpleNamespace(SyntaxError=ValueError)
        sys.modules["authres"] = module


class Hop:
    def __init__(self, folder, domain):
        self.domain = domain
        self.path = os.path.join(folder, domain + ".pem")
        self.private = run("openssl", "genrsa", "-traditional", "2048")
        with open(self.path, "wb") as file:
            file.write(self.private)
        public = run("openssl", "rsa", "-pubout", "-outform", "DER", data=self.private)
        self.record = f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"
        self.zone = f"s._domainkey.{domain} {self.record}\n"


def seal_with_dkimpy(hop, message, _chain):
    import dkim
    fields = dkim.arc_sign(message, b"s", hop.domain.encode(), hop.private, hop.domain.encode(),
                           include_headers=[b"from", b"to", b"subject", b"date", b"from"])
    return b"".join(fields)


def seal_with_perl(hop, message, chain):
    return run("perl", "-e", PERL, hop.path, hop.domain, chain, data=message)


def seal(hop, sealer, message, is_first):
    chain = "none" if is_first else "pass"
    results = f"Authentication-Results: {hop.domain}; spf=pass" + \
        ("" if is_first else "; arc=pass") + "\r\n"
    sealed = sealer(hop, results.encode() + message, chain)
    if sealed.count(b"\r\n") == 0 or not re.search(rb"(?i)^arc-seal:", sealed):
        raise RuntimeError(f"{sealer.__name__} did not seal")
    return sealed + message


def judge_with_dkimpy(message, hops):
    import dkim
    records = {f"s._domainkey.{hop.domain}.": hop.record.encode() for hop in hops}
    result, _, why = dkim.arc_verify(message, dnsfunc=lambda name, **_: records[name.decode()])
    return result, why


def write_case(folder, name, message, hops, lines):
    when = max(int(found) for found in re.findall(rb"[\s;]t=(\d+)", message))
    for ending, data in ((".eml", message.replace(b"\r\n", b"\n")),
                         (".zone", "".join(hop.zone for hop in hops).encode()),
                         (".expected", "".join(line + "\n" for line in
                                               ["# sealed just now", f"now {when}", *lines])
                          .encode())):
        with open(os.path.join(folder, name + ending), "wb") as file:
            file.write(data)


def make_cases(folder, hops):
    sealers = {"dkimpy": seal_with_dkimpy, "perl": seal_with_perl}
    count = 0
    for length in (1, 2, 3):
        for number, names in enumerate(itertools.product(sealers, repeat=length)):
            body = BODIES[(number + length) % len(BODIES)]
            if "perl" in names and body.endswith("line"):
                body = BODIES[2]  # it does not add the CRLF that RFC 6376 3.4.3 adds
            message = (HEADER + body).replace("\n", "\r\n").encode()
            for index, name in enumerate(names):
                message = seal(hops[index], sealers[name], message, index == 0)
            found = judge_with_dkimpy(message, hops)
            if found[0] != b"pass":
                raise RuntimeError(f"dkimpy does not take {names}: {found}")
            write_case(folder, "-".join(names), message, hops, [
                "result pass", f"sets {length}",
                *(f"sealer {hop.domain}" for hop in reversed(hops[:length]))])
            count += 1
    return count


def main():
    stand_in_for_authres()
    package = missing()
    if package is not None:
        print(f"{package} is missing")
        return 1 if IS_STRICT else 77
    with tempfile.TemporaryDirectory() as folder:
        count = make_cases(folder, [Hop(folder, domain) for domain in HOPS])
        environment = dict(os.environ, POSTERN_ARC_CASES=folder)
        status = subprocess.run([os.path.join(BUILD, "unit-arc-cases")], env=environment,
                                check=False).returncode
    print(f"{count} chains")
    return status


if __name__ == "__main__":
    sys.exit(main())
