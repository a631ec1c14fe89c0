#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes the cases of this folder anew, with new keys: messages with ARC chains, good and bad, what
their zone says, what must be found, and why.

    make_cases.py [FOLDER]

It seals by itself (RFC 8617 5.1), so that every field, tag and byte can be wrong on purpose. Where
dkimpy is there (python3-dkim), each message is shown to it too, and it must find the same, but for
the cases that say in which they differ. Nobody needs to run it but who adds a case.
"""
import base64
import hashlib
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from signing import (SHA256_INFO, Ed25519, Rsa, canonical_body, canonical_field,  # noqa: E402
                     public_info, select)

try:
    import dkim
except ImportError:
    dkim = None

NOW = 1600000000
FOLDER = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))

FIELDS = [b"From: Joe <joe@example.org>", b"To: suzie@example.net", b"Subject: A test",
          b"Date: Sun, 13 Sep 2020 12:26:40 +0000"]
BODY = b"Hello.\r\n\r\nThis is  the body.\r\n"
KEYS = [Rsa(1024) for _ in range(3)]
NAMES = ["list.example", "forward.example", "relay.example"]


def record(key, more=""):
    return f"v=DKIM1; k={key.kind}; {more}p={key.public()}"


ZONE = [f"s._domainkey.{name} {record(key)}" for name, key in zip(NAMES, KEYS)]


# ---- chains

def listed(values, tags):
    values.update(tags or {})
    return "; ".join(f"{name}={value}" for name, value in values.items() if value is not None)


def signed(field, digest, key):
    made = base64.b64encode(key.sign(digest, SHA256_INFO))
    return field + b"\r\n  ".join(made[i:i + 68] for i in range(0, len(made), 68))


def is_of(field, name):
    return field.split(b":", 1)[0].strip().lower() == name


def sets_of(fields):
    """The ARC fields below, the oldest set first and each in the order of sealing."""
    order = [b"arc-authentication-results", b"arc-message-signature", b"arc-seal"]
    found = []
    for field in fields:
        for place, name in enumerate(order):
            if is_of(field, name):
                instance = re.search(rb"[:;\s]i=0*(\d+)", field)
                found.append((int(instance.group(1)) if instance else 0, place, field))
    return [field for _, _, field in sorted(found, key=lambda item: item[:2])]


def seal(fields, body, index, key=None, message=None, seal_tags=None, results=None, h=None,
         c="relaxed/relaxed", change=lambda text: text, length=None):
    """Puts one more set on top, by the index-th of NAMES unless the tags say otherwise."""
    key = key or KEYS[index % 3]
    before = sets_of(fields)
    instance = len(before) // 3 + 1
    domain = NAMES[index % 3]
    h = h or "from:to:subject:date"
    header_canon, body_canon = c.split("/")
    hashed = canonical_body(body, body_canon)
    hashed = hashed if length is None else hashed[:length]
    aar = (results or f"ARC-Authentication-Results: i={instance}; {domain}; spf=pass\r\n"
           " smtp.mailfrom=joe@example.org").encode("latin-1")
    values = {"i": str(instance), "a": f"{key.kind}-sha256", "c": c, "d": domain, "s": "s",
              "h": h, "bh": base64.b64encode(hashlib.sha256(hashed).digest()).decode()}
    if length is not None:
        values["l"] = str(length)
    ams = change("ARC-Message-Signature: " + listed(values, message) + ";\r\n b=").encode()
    covered = b"".join(canonical_field(other, header_canon) + b"\r\n"
                       for other in select(fields, h.split(":")))
    digest = hashlib.sha256(covered + canonical_field(ams, header_canon)).digest()
    ams = signed(ams, digest, key)
    values = {"i": str(instance), "a": f"{key.kind}-sha256",
              "cv": "none" if instance == 1 else "pass", "d": domain, "s": "s", "t": str(NOW)}
    ars = ("ARC-Seal: " + listed(values, seal_tags) + ";\r\n b=").encode()
    covered = b"".join(canonical_field(other, "relaxed") + b"\r\n"
                       for other in [*before, aar, ams])
    digest = hashlib.sha256(covered + canonical_field(ars, "relaxed")).digest()
    return [signed(ars, digest, key), ams, aar, *fields]


def chain(count, fields=None, body=BODY, **how):
    """Sealed by each of NAMES in turn; `how` is for the newest."""
    fields = FIELDS if fields is None else fields
    for index in range(count):
        fields = seal(fields, body, index, **(how if index == count - 1 else {}))
    return fields


# ---- cases

def judge_with_dkimpy(content, zone):
    def find(name, **_):
        for line in zone:
            owner, text = line.split(" ", 1)
            if name.rstrip(b".").decode() == owner:
                return text.encode("latin-1")
        return None
    try:
        result, _, _ = dkim.arc_verify(content, dnsfunc=find)
    except (dkim.DKIMException, IndexError, ValueError) as error:
        return type(error).__name__
    return "fail" if result is None else result.decode()


def write(name, why, fields, lines, zone=None, body=BODY, head=(), differs=None):
    """`differs` is what dkimpy finds where we find something else."""
    zone = ZONE if zone is None else zone
    content = b"\r\n".join([*fields, b""]) + b"\r\n" + body
    if dkim is not None:
        wanted = differs or lines[0].split()[1]
        found = judge_with_dkimpy(content, zone)
        if found != wanted:
            print(f"{name}: dkimpy finds {found}, and not {wanted}")
    result = {".eml": content.replace(b"\r\n", b"\n"),
              ".zone": "".join(line + "\n" for line in zone).encode("latin-1"),
              ".expected": "".join(line + "\n" for line in
                                   ["# " + why, *head, *lines]).encode()}
    for ending, data in result.items():
        with open(os.path.join(FOLDER, name + ending), "wb") as file:
            file.write(data)


def passes(count, names=None):
    names = names or [NAMES[index % 3] for index in range(count)]
    return ["result pass", f"sets {count}", *(f"sealer {name}" for name in reversed(names))]


def fails(count, reason, sealers=0, result="fail"):
    """`sealers` of the newest are known."""
    names = [NAMES[index % 3] for index in range(count)]
    return [f"result {result}", f"sets {count}",
            *(f"sealer {name}" for name in list(reversed(names))[:sealers]), f"reason {reason}"]


SIGNATURE = "ARC-Message-Signature"
SEAL = "ARC-Seal"
MISMATCH = "mismatch: the signature does not fit the header"


def ordinary():
    write("10-no-chain", "Nothing was claimed.", FIELDS, ["result none", "sets 0"])
    write("10-one-set", "One forwarder.", chain(1), passes(1))
    write("10-three-sets", "Three of them, one after the other.", chain(3), passes(3))
    write("10-ten-sets", "As many as are looked at by default.", chain(10), passes(10))
    write("11-simple", "c= may say simple of the message; seals are relaxed always.",
          chain(2, c="simple/simple"), passes(2))
    write("11-simple-relaxed", "Each form by itself.", chain(2, c="simple/relaxed"), passes(2))
    write("11-no-canonicalization", "Without c= it is simple (RFC 6376 3.5); dkimpy takes it for "
          "relaxed.", chain(1, c="simple/simple", message={"c": None}), passes(1), differs="fail")
    ed25519 = Ed25519()
    zone = [f"s._domainkey.{NAMES[0]} {record(ed25519)}"]
    write("12-ed25519", "Ed25519 (RFC 8463); dkimpy knows it for DKIM only.",
          chain(1, key=ed25519), passes(1), zone=zone, differs="fail")
    write("13-empty-body", "A body of nothing.", chain(1, body=b""), passes(1), body=b"")
    write("13-empty-body-simple", "It is one CRLF in the simple form.",
          chain(1, body=b"", c="simple/simple"), passes(1), body=b"")
    write("13-blank-lines", "Empty lines at the end, and a line end that is missing.",
          chain(2), passes(2), body=BODY + b"\r\n \t \r\n\r\n")
    odd = [b"ARC-SEAL", b"arc-message-signature", b"Arc-Authentication-Results"]
    fields = chain(2)
    fields = [name + b"  :" + field.split(b":", 1)[1] if i < 3 else field
              for i, (name, field) in enumerate(zip(odd + [b""] * 20, fields))]
    write("14-names-in-any-case", "Names have no case, and blanks before the colon are known.",
          fields, passes(2), differs="MessageFormatError")
    fields = chain(2)
    write("15-order-of-fields", "Sets are told by i= and not by their place; dkimpy hashes them as "
          "they lie.", [fields[4], fields[2], fields[0], fields[3], fields[5], fields[1], *FIELDS],
          passes(2), differs="fail")
    write("16-signs-signatures", "The message signature may cover what DKIM and older sets said.",
          chain(2, h="from:arc-message-signature:arc-authentication-results"), passes(2))
    write("16-more-names-than-fields", "Fields that are not there are signed as absent.",
          chain(2, h="from:from:reply-to:subject"), passes(2))
    refolded = [field.replace(b"; ", b";\r\n\t") for field in chain(2)]
    write("17-refolded", "Relaxed lives through folding.", refolded, passes(2))
    write("18-version", "v= is not defined here and means nothing (RFC 8617 4.1.2).",
          chain(1, message={"v": "2"}), passes(1), differs="fail")
    first = chain(1)
    changed = [*first[:3], *FIELDS[:2], b"Subject: [list] A test", FIELDS[3]]
    write("19-older-broken", "The second of them changed the message: the older signature does not "
          "fit any more, which is what ARC is for.",
          seal(changed, BODY + b"-- \r\nlist\r\n", 1), passes(2), body=BODY + b"-- \r\nlist\r\n")


def message_changed():
    write("20-body-changed", "One letter of the body is another.", chain(2),
          fails(2, f"body: the body was changed ({SIGNATURE} 2)", 2),
          body=BODY.replace(b"Hello", b"Hallo"))
    fields = chain(2)
    write("20-header-changed", "One letter of a signed field is another.",
          [*fields[:6], FIELDS[0], FIELDS[1], b"Subject: A tost", FIELDS[3]],
          fails(2, f"{MISMATCH} ({SIGNATURE} 2)", 2))
    write("20-unsigned-field", "What is not signed may be there.", [*fields, b"X-Spam: no"],
          passes(2))
    write("21-from-twice", "A From that nobody signed: people see it. dkimpy signs it as absent, "
          "we say what it is.", [b"From: Bank <bank@example.com>", *fields],
          fails(2, f"from: the message has several From fields ({SIGNATURE} 2)"))
    write("21-from-not-signed", "From must be signed, as in DKIM; dkimpy does not ask for it.",
          chain(1, h="to:subject"),
          fails(1, f"from-not-signed: From is not signed ({SIGNATURE} 1)"), differs="pass")
    whole = len(canonical_body(BODY, "relaxed"))
    more = BODY + b"Buy now!\r\n"
    write("22-length-whole", "l= that covers all of the body is as good as none.",
          chain(1, length=whole), passes(1))
    write("22-length-appended", "Somebody put a text behind what was signed.",
          chain(1, length=whole), fails(1, "body-unsigned: there is more of the body than it signs "
                                        f"({SIGNATURE} 1)", 1), body=more, differs="pass")
    write("22-length-accepted", "The owner may take l= at its word.", chain(1, length=whole),
          passes(1), body=more, head=["length accept"])
    write("22-length-refused", "Or refuse all that have one.", chain(1, length=whole),
          fails(1, f"length-refused: it signs a part of the body only ({SIGNATURE} 1)", 1),
          head=["length refuse"], differs="pass")
    write("22-length-short", "The body was cut short.", chain(1, length=whole),
          fails(1, f"body-short: the body is shorter than l= ({SIGNATURE} 1)", 1),
          body=b"Hello.\r\n")
    write("23-expired", "x= of the message signature has passed.",
          chain(1, message={"t": str(NOW - 9000), "x": str(NOW - 301)}),
          fails(1, f"expired: the signature has expired ({SIGNATURE} 1)", 1))
    write("23-future", "Signed tomorrow.", chain(1, message={"t": str(NOW + 301)}),
          fails(1, f"future: the signature is from the future ({SIGNATURE} 1)", 1),
          differs="pass")


def structures():
    fields = chain(3)
    names = ["ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results"]
    for number, name in enumerate(names):
        write(f"30-without-{number}", f"A set lacks its {name}.",
              fields[:3 + number] + fields[4 + number:],
              fails(3, f"incomplete: a set lacks this field ({name} 2)"))
        write(f"31-twice-{number}", f"A set has its {name} twice: which one is meant?",
              [fields[3 + number], *fields],
              fails(3, f"twice: a set has this field twice ({name} 2)"))
    write("32-gap", "The second set is missing.", fields[:3] + fields[6:],
          fails(3, f"incomplete: a set lacks this field ({names[2]} 2)"))
    write("32-newest-missing", "Without the newest set the message is what it was before: as far "
          "as one can see, the chain is that of two.", fields[3:], passes(2))
    write("33-results-only", "A field alone makes no set.", fields[2:3] + FIELDS,
          fails(3, f"incomplete: a set lacks this field ({names[1]} 3)"))
    for number, value in enumerate(["0", "51", "x", "", "-1", "1.5"]):
        many = value == "51"
        reason = "too-many: the chain is longer than is looked at" if many else \
            "instance: i= is missing or no number from 1 to 50"
        write(f"34-instance-{number}", f"\"{value}\" is no instance.",
              chain(1, seal_tags={"i": value}), fails(0, f"{reason} ({SEAL})"),
              differs="pass" if value == "1.5" else None)
    write("34-no-instance", "i= is missing. dkimpy passes over such a field and finds its set "
          "incomplete.", chain(1, seal_tags={"i": None}),
          fails(0, f"instance: i= is missing or no number from 1 to 50 ({SEAL})"))
    write("34-results-instance", "The results' i= must come first (RFC 8617 4.1.1); dkimpy looks "
          "for it anywhere.",
          chain(1, results="ARC-Authentication-Results: list.example; i=1; spf=pass"),
          fails(1, f"instance: i= is missing or no number from 1 to 50 ({names[2]})"),
          differs="pass")
    write("35-too-many", "One more than is looked at.", chain(11),
          fails(11, f"too-many: the chain is longer than is looked at ({SEAL} 11)"),
          differs="pass")
    write("35-more-by-setting", "The owner may have more looked at.", chain(11), passes(11),
          head=["max-sets 11"])
    write("36-garbage", "Fields that are no tag lists.",
          [b"ARC-Seal: i=1", b"ARC-Seal: \xff\0;;", *FIELDS],
          fails(1, f"chain-value: cv= is not what it must be there ({SEAL} 1)"))
    write("36-empty", "Nothing at all.", [b"ARC-Message-Signature:", *FIELDS],
          fails(0, f"syntax: the field cannot be read ({SIGNATURE})"), differs="none")
    write("37-tag-twice", "A name twice makes the list invalid (RFC 6376 3.2).",
          chain(1, seal_tags={"d": "list.example; d=forward.example"}),
          fails(0, f"syntax: the field cannot be read ({SEAL})"))
    write("38-long-field", "Nobody needs so many bytes.",
          chain(1, seal_tags={"x-fill": "x" * 17000}),
          fails(0, f"syntax: the field cannot be read ({SEAL})"), differs="pass")
    big = [*chain(1), b"X-Fill: " + b"x" * 100000]
    write("39-costly-header", "A header of this size is not hashed.", big,
          fails(0, f"costly: it would take too much work to verify ({SEAL})"), differs="pass")
    write("39-many-fields", "Neither is one searched for many names.",
          [*chain(1, h=":".join(["from"] + ["x"] * 199)), *[b"X: y"] * 600],
          fails(1, f"costly: it would take too much work to verify ({SIGNATURE} 1)", 1),
          differs="fail")


def values():
    bad = "chain-value: cv= is not what it must be there"
    write("40-cv-fail", "The last sealer found the chain broken.",
          chain(2, seal_tags={"cv": "fail"}),
          fails(2, f"broken: the sealer found the chain broken ({SEAL} 2)"))
    fields = seal(chain(2, seal_tags={"cv": "fail"}), BODY, 2)
    write("40-cv-fail-within", "One before it did, and the last should have.", fields,
          fails(3, f"broken: the sealer found the chain broken ({SEAL} 2)"))
    write("41-cv-none-later", "A second set cannot find none before it.",
          chain(2, seal_tags={"cv": "none"}), fails(2, f"{bad} ({SEAL} 2)"))
    write("41-cv-pass-first", "The first set has nothing to pass.",
          chain(1, seal_tags={"cv": "pass"}), fails(1, f"{bad} ({SEAL} 1)"))
    write("41-cv-unknown", "Nobody knows this word.", chain(1, seal_tags={"cv": "maybe"}),
          fails(1, f"{bad} ({SEAL} 1)"))
    write("41-cv-missing", "Nothing is said.", chain(1, seal_tags={"cv": None}),
          fails(1, f"{bad} ({SEAL} 1)"))
    write("42-seal-with-list", "h= must not be in a seal (RFC 8617 4.1.3).",
          chain(1, seal_tags={"h": "from"}),
          fails(1, f"seal-list: a seal must not have h= ({SEAL} 1)"))
    write("42-signs-seal", "The message signature must not sign seals (RFC 8617 4.1.2).",
          chain(2, h="from:ARC-Seal"),
          fails(2, f"covers-seal: it must not sign ARC-Seal ({SIGNATURE} 2)"))
    write("43-sha1", "SHA-1 proves nothing.", chain(1, seal_tags={"a": "rsa-sha1"}),
          fails(1, f"sha1: SHA-1 proves nothing any more ({SEAL} 1)", 1))
    write("43-algorithm", "Nobody knows it.", chain(1, message={"a": "rsa-md5"}),
          fails(1, f"algorithm: a= is an unknown algorithm ({SIGNATURE} 1)"))
    write("44-no-domain", "Whose seal it is cannot be known.", chain(1, seal_tags={"d": None}),
          fails(1, f"missing-tag: the signature lacks a tag that it must have ({SEAL} 1)"))
    write("44-domain", "d= is no domain name.", chain(1, seal_tags={"d": "exa mple..org"}),
          fails(1, f"domain: d= is no domain name ({SEAL} 1)"))
    write("44-domain-case", "d= in upper case is the same domain.",
          chain(1, seal_tags={"d": "LIST.example"}), passes(1), differs="fail")
    write("45-short-body-hash", "bh= of another size is none.",
          chain(1, message={"bh": base64.b64encode(b"x" * 20).decode()}),
          fails(1, f"base64: b= or bh= cannot be read ({SIGNATURE} 1)"))


def seals():
    fields = chain(3)

    def broken(index):
        changed = list(fields)
        changed[index] = re.sub(rb"(\sb=.)(.)", lambda found: found.group(1) +
                                (b"A" if found.group(2) != b"A" else b"B"), fields[index])
        return changed
    write("50-newest-seal-broken", "The newest seal does not verify.", broken(0),
          fails(3, f"{MISMATCH} ({SEAL} 3)", 3))
    write("50-oldest-seal-broken", "The oldest does not; the newer ones sealed it otherwise.",
          broken(6), fails(3, f"{MISMATCH} ({SEAL} 3)", 3))
    write("51-results-changed", "What an older set found is not what was sealed.",
          [*fields[:8], fields[8].replace(b"spf=pass", b"spf=fail"), *fields[9:]],
          fails(3, f"{MISMATCH} ({SEAL} 3)", 3))
    write("52-sealed-over-forgery", "Somebody forges a set of a great name and seals over it: the "
          "seal below shows it.",
          seal(broken_first(), BODY, 1), fails(2, f"{MISMATCH} ({SEAL} 1)", 2))
    other = seal(FIELDS, BODY, 0)
    copied = seal([*other[:3], b"From: Bank <bank@example.com>", *FIELDS[1:]], b"other\r\n", 1)
    write("53-set-of-another-mail", "The first set is real and of another mail: the chain passes, "
          "and that is why only the newest sealer counts.", copied, passes(2), body=b"other\r\n")
    write("54-other-key-signs-message", "The message signature may have another domain than the "
          "seal (RFC 8617 4.1.2).", chain(1, key=KEYS[1], message={"d": "forward.example"},
                                          seal_tags={"d": "forward.example"}),
          passes(1, ["forward.example"]))


def broken_first():
    first = chain(1)
    return [first[0], first[1], first[2].replace(b"spf=pass", b"dmarc=pass"), *FIELDS]


def keys():
    owner = [f"s._domainkey.{name}" for name in NAMES]
    fields = chain(2)

    def zone(first=None, second=None):
        lines = [f"{owner[0]} {first}" if first else ZONE[0],
                 f"{owner[1]} {second}" if second else ZONE[1]]
        return lines
    write("60-key-missing", "Nothing is published.", fields,
          fails(2, f"key-missing: no key is published ({SIGNATURE} 2)", 2), zone=ZONE[:1])
    write("60-old-key-missing", "The first sealer's key is gone.", fields,
          fails(2, f"key-missing: no key is published ({SEAL} 1)", 2), zone=ZONE[1:])
    dns = "key-dns: the key could not be looked up"
    write("61-key-dns", "The newest zone's servers do not answer now. RFC 8617 5.2.1 has all "
          "failures be permanent, for who seals; we do not, and may wait.", fields,
          fails(2, f"{dns} ({SIGNATURE} 2)", 2, "temperror"),
          zone=[ZONE[0], f"fail {owner[1]} servfail"], differs="fail")
    write("61-old-key-dns", "An older one's do not.", fields,
          fails(2, f"{dns} ({SEAL} 1)", 2, "temperror"),
          zone=[ZONE[1], f"fail {owner[0]} servfail"], differs="fail")
    write("61-key-dns-and-broken", "What does not hold anyway is not waited for.", fields,
          fails(2, f"body: the body was changed ({SIGNATURE} 2)", 2), body=b"other\r\n",
          zone=[ZONE[0], f"fail {owner[1]} servfail"])
    write("61-old-key-dns-and-newer-missing", "Neither here.", fields,
          fails(2, f"key-missing: no key is published ({SIGNATURE} 2)", 2),
          zone=[f"fail {owner[0]} servfail"])
    write("62-key-revoked", "p= is empty.", fields,
          fails(2, f"key-revoked: the key is revoked ({SEAL} 1)", 2), zone=zone("v=DKIM1; p="))
    write("62-key-type", "An Ed25519 key for an RSA signature.", fields,
          fails(2, f"key-type: the key is not for this algorithm ({SEAL} 1)", 2),
          zone=zone(record(Ed25519())), differs="ValueError")
    short = Rsa(768)
    write("63-key-short", "RFC 8301: not below 1024 bits.", chain(1, key=short),
          fails(1, f"key-short: the key is too short ({SIGNATURE} 1)", 1), zone=zone(record(short)))
    write("63-key-short-by-setting", "The owner may want more.", chain(1),
          fails(1, f"key-short: the key is too short ({SIGNATURE} 1)", 1),
          head=["min-rsa-bits 2048"], differs="pass")
    large = base64.b64encode(public_info((1 << 8191) | 1, 65537)).decode()
    write("64-key-large", "A key so large takes long.", fields,
          fails(2, f"key-large: the key is too large to be tried ({SEAL} 1)", 2),
          zone=zone(f"v=DKIM1; p={large}"))
    huge = Rsa(4096)
    many = FIELDS
    for index in range(20):
        many = seal(many, BODY, 0, key=huge)
    write("65-costly-keys", "Twenty seals with the largest keys: the work has a ceiling.", many,
          ["result fail", "sets 20", *["sealer list.example"] * 20,
           f"reason costly: it would take too much work to verify ({SEAL} 12)"],
          zone=zone(record(huge)), head=["max-sets 50"], differs="pass")
    write("66-key-testing", "t=y asks that a failure be overlooked; a chain is none.", fields,
          passes(2), zone=zone(record(KEYS[0], "t=y; ")))


for make in (ordinary, message_changed, structures, values, seals, keys):
    make()
