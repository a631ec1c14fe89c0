#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes the cases of this folder anew, with new keys: messages that are signed as no good signer
would, what their zone says, what must be found, and why.

    make_cases.py [FOLDER]

It signs by itself (RFC 6376 3.7), so that every tag, key and byte can be wrong on purpose; openssl
makes the keys. Nobody needs to run it but who adds a case. 00 and 01 are the RFCs' own.
"""
import base64
import hashlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from signing import (SHA1_INFO, SHA256_INFO, Ed25519, Rsa, canonical_body,  # noqa: E402
                     canonical_field, openssl, public_info, select)

NOW = 1600000000
FOLDER = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))


def signature(fields, body, key, h="from:to:subject:date", c="relaxed/relaxed", tags=None,
              change=lambda text: text, hash_name="sha256", length=None):
    """The field, without its CRLF. `tags` change the ordinary ones; None takes one out."""
    header_canon, body_canon = c.split("/")
    hashed = canonical_body(body, body_canon)
    hashed = hashed if length is None else hashed[:length]
    values = {"v": "1", "a": f"{key.kind}-{hash_name}", "c": c, "d": "example.org", "s": "sel",
              "h": h, "bh": base64.b64encode(hashlib.new(hash_name, hashed).digest()).decode()}
    if length is not None:
        values["l"] = str(length)
    values.update(tags or {})
    text = "; ".join(f"{name}={value}" for name, value in values.items() if value is not None)
    field = change("DKIM-Signature: " + text + ";\r\n b=").encode("latin-1")
    signed = b"".join(canonical_field(other, header_canon) + b"\r\n"
                      for other in select(fields, h.split(":")))
    digest = hashlib.new(hash_name, signed + canonical_field(field, header_canon)).digest()
    made = base64.b64encode(key.sign(digest, SHA256_INFO if hash_name == "sha256" else SHA1_INFO))
    return field + b"\r\n  ".join(made[i:i + 68] for i in range(0, len(made), 68))


# ---- cases

FIELDS = [b"From: Joe <joe@example.org>", b"To: suzie@example.net", b"Subject: A test",
          b"Date: Sun, 13 Sep 2020 12:26:40 +0000"]
BODY = b"Hello.\r\n\r\nThis is  the body.\r\n"


def record(key, more=""):
    return f"v=DKIM1; k={key.kind}; {more}p={key.public()}"


def expected(result, reason="-", d="example.org", s="sel", i="-", a="rsa-sha256", bits=1024,
             flags=""):
    return f"signature {result} reason={reason} d={d} s={s} i={i} a={a} bits={bits}{flags}"


def write(name, why, content, zone, lines, head=()):
    result = {".eml": content.replace(b"\r\n", b"\n"),
              ".zone": "".join(line + "\n" for line in zone).encode("latin-1"),
              ".expected": "".join(line + "\n" for line in
                                   ["# " + why, *head, *lines]).encode()}
    for ending, data in result.items():
        with open(os.path.join(FOLDER, name + ending), "wb") as file:
            file.write(data)


def message(signatures, fields=None, body=BODY):
    return b"\r\n".join([*signatures, *(FIELDS if fields is None else fields), b""]) + \
        b"\r\n" + body


KEY = Rsa(1024)
ZONE = [f"sel._domainkey.example.org {record(KEY)}"]


def case(name, why, line, result=None, zone=None, head=(), key=None, sent=None, sent_body=None,
         signed_body=BODY, **how):
    """One signature over FIELDS and the body; `sent` and `sent_body` are what arrives."""
    made = signature(FIELDS, signed_body, key or KEY, **how)
    body = signed_body if sent_body is None else sent_body
    result = result or line.split()[1]
    write(name, why, message([made], sent, body), ZONE if zone is None else zone,
          [f"result {result}", line], head)


def ordinary():
    ed25519 = Ed25519()
    case("10-relaxed", "An ordinary signature.", expected("pass"))
    case("10-simple", "Simple forms, as they were sent.", expected("pass"), c="simple/simple")
    case("10-ed25519", "Ed25519 (RFC 8463).", expected("pass", a="ed25519-sha256", bits=256),
         key=ed25519, zone=[f"sel._domainkey.example.org {record(ed25519)}"])
    case("10-ed25519-simple", "Ed25519 with simple forms.",
         expected("pass", a="ed25519-sha256", bits=256), key=ed25519, c="simple/simple",
         zone=[f"sel._domainkey.example.org {record(ed25519)}"])
    case("11-body-changed", "One letter of the body is another.", expected("fail", "body"),
         sent_body=BODY.replace(b"Hello", b"Hallo"))
    case("12-header-changed", "One letter of a signed field is another.",
         expected("fail", "mismatch"), sent=[*FIELDS[:2], b"Subject: A tost", FIELDS[3]])
    refolded = [b"FROM:  Joe \r\n <joe@example.org>", FIELDS[1], b"Subject : A\r\n\ttest ",
                FIELDS[3]]
    case("13-refolded-relaxed", "Relaxed lives through folding, case, blanks before the colon.",
         expected("pass"), sent=refolded, sent_body=BODY.replace(b"  ", b" ") + b"\r\n \r\n")
    case("14-refolded-simple", "Simple does not.", expected("fail", "mismatch"), sent=refolded,
         c="simple/simple")
    case("15-unsigned-field", "What is not signed may be changed.", expected("pass"),
         sent=[*FIELDS, b"X-Spam: no"])
    case("15-body-without-line-end", "A CRLF is added at the end, as it is on the way to the "
         "backend.", expected("pass"), sent_body=BODY[:-2])
    case("15-no-body", "A message that ends within its header has an empty body.",
         expected("pass"), signed_body=b"", c="relaxed/simple")
    write("16-unsigned", "No signature, so nothing was claimed.", message([]), [], ["result none"])
    good = signature(FIELDS, BODY, KEY)
    bad = signature(FIELDS, BODY + b"more\r\n", KEY)
    write("17-one-of-two", "One signature that passes is enough.", message([bad, good]), ZONE,
          ["result pass", expected("fail", "body"), expected("pass")])
    broken = b"\r\n".join([good, *FIELDS]) + b"\r\nno field\r\n\r\nbody\r\n"
    write("18-broken-header", "A line that is no field begins the body, here as in what is passed "
          "on.", broken, ZONE, ["result fail", expected("fail", "body")])
    signed = signature(FIELDS, b"no field\r\n\r\nbody\r\n", KEY)
    write("18-broken-header-signed", "And so it is signed.",
          b"\r\n".join([signed, *FIELDS]) + b"\r\nno field\r\n\r\nbody\r\n", ZONE,
          ["result pass", expected("pass")])
    write("19-no-from", "From was signed, and it is gone.", message([good], FIELDS[1:]), ZONE,
          ["result fail", "from 0", expected("fail", "mismatch")])


def lengths():
    whole = len(canonical_body(BODY, "relaxed"))
    more = BODY + b"Buy now!\r\n"
    case("30-length-whole", "l= that covers all of the body is as good as none.",
         expected("pass", flags=" length"), length=whole)
    case("30-length-blank-lines", "Empty lines at the end are no body.",
         expected("pass", flags=" length"), length=whole, sent_body=BODY + b" \t\r\n\r\n")
    case("31-length-appended", "Somebody put a text behind what was signed.",
         expected("policy", "body-unsigned", flags=" length unsigned-body"), length=whole,
         sent_body=more)
    case("31-length-appended-simple", "The same where the body is taken as it is.",
         expected("policy", "body-unsigned", flags=" length unsigned-body"), length=len(BODY),
         sent_body=more, c="simple/simple")
    case("32-length-accepted", "The owner may take l= at its word.",
         expected("pass", flags=" length unsigned-body"), length=whole, sent_body=more,
         head=["length accept"])
    case("33-length-refused", "Or refuse all that have one.",
         expected("policy", "length-refused", flags=" length"), length=whole,
         head=["length refuse"])
    case("33-length-refused-broken", "What does not verify is a failure all the same.",
         expected("fail", "mismatch", flags=" length"), length=whole, head=["length refuse"],
         sent=[b"From: Eve <eve@example.org>", *FIELDS[1:]])
    case("34-length-too-long", "The body was cut short.",
         expected("fail", "body-short", flags=" length"), length=whole, sent_body=b"Hello.\r\n")
    case("35-length-zero", "l=0 signs no body at all.",
         expected("policy", "body-unsigned", flags=" length unsigned-body"), length=0)
    case("36-length-upper-case", "L= is l= for the library, so it is for us.",
         expected("policy", "body-unsigned", flags=" length unsigned-body"), tags={"L": "0"},
         length=None)
    for number, value in enumerate(["-1", "x", "", "99999999999999999999999", "1.5"]):
        case(f"37-length-bad-{number}", f"\"{value}\" is no length.",
             expected("neutral", "length", bits=0, flags=" length"), tags={"l": value})


def times():
    case("40-expired", "x= has passed.", expected("policy", "expired"),
         tags={"t": str(NOW - 9000), "x": str(NOW - 301)})
    case("40-expired-and-broken", "It would not verify anyway.", expected("fail", "mismatch"),
         tags={"x": str(NOW - 301)}, sent=[b"From: eve@example.org"])
    case("41-just-expired", "Clocks differ.", expected("pass"), tags={"x": str(NOW - 300)})
    case("42-future", "Signed tomorrow.", expected("policy", "future"),
         tags={"t": str(NOW + 301)})
    case("42-nearly-future", "Clocks differ.", expected("pass"), tags={"t": str(NOW + 300)})
    case("43-expires-before-signing", "x= must be after t=.",
         expected("neutral", "times", bits=0), tags={"t": str(NOW), "x": str(NOW)})
    case("44-time-garbage", "t= is no number.", expected("neutral", "times", bits=0),
         tags={"t": "yesterday"})
    case("44-time-before-dkim", "No DKIM signature was made in 1970.",
         expected("neutral", "times", bits=0), tags={"t": "1"})


def fields():
    case("50-sha1", "RFC 8301: such a signature has failed for good.",
         expected("permerror", "sha1", a="rsa-sha1", bits=0), hash_name="sha1")
    case("51-from-not-signed", "From must be signed (RFC 6376 6.1.1).",
         expected("permerror", "from-not-signed", bits=0), h="to:subject:date")
    case("52-version-2", "Another version.", expected("neutral", "version", bits=0),
         tags={"v": "2"})
    case("52-no-version", "v= must be there.", expected("neutral", "missing-tag", bits=0),
         tags={"v": None})
    case("53-no-domain", "Whose signature it is cannot be known.",
         expected("neutral", "missing-tag", d="-", s="-", a="-", bits=0), tags={"d": None})
    hostile = ["exa\tmple..org", "example.org\\", "-", "example.org.", "a" * 64 + ".org",
               "example.org%00.evil.example", "\"example.org\"", "example.org (evil)", ""]
    for number, domain in enumerate(hostile):
        case(f"54-domain-{number}", "d= is no domain name.",
             expected("neutral", "domain", d="-", s="-", a="-", bits=0), tags={"d": domain})
    case("54-domain-case", "d= in upper case is the same domain.", expected("pass"),
         tags={"d": "EXAMPLE.org"})
    case("54-domain-8-bit", "No byte beyond ASCII in a signature.",
         expected("neutral", "syntax", d="-", s="-", a="-", bits=0),
         tags={"d": "ex\xe4mple.org"})
    case("55-tag-twice", "A name twice makes the whole list invalid (RFC 6376 3.2).",
         expected("neutral", "syntax", d="-", s="-", a="-", bits=0),
         tags={"d": "example.org; d=evil.example"})
    case("55-tag-twice-other-case", "For some readers D= is d=.",
         expected("neutral", "syntax", d="-", s="-", a="-", bits=0), tags={"D": "evil.example"})
    case("55-empty-tag", "Between two semicolons must be a tag.",
         expected("neutral", "syntax", d="-", s="-", a="-", bits=0),
         change=lambda text: text.replace("; d=", ";; d="))
    case("56-unknown-tag", "Unknown tags do not matter.", expected("pass"), tags={"fancy": "yes"})
    case("57-algorithm", "Nobody knows it.", expected("neutral", "algorithm", a="-", bits=0),
         tags={"a": "rsa-md5"})
    case("57-canon", "Nobody knows it.", expected("neutral", "canonicalization", bits=0),
         tags={"c": "relaxed/nowsp"})
    case("57-query", "No way to the key.", expected("neutral", "query", bits=0),
         tags={"q": "finger"})
    case("57-query-list", "One way is enough.", expected("pass"), tags={"q": "finger:dns/txt"})
    case("58-identity", "i= of a subdomain.", expected("pass", i="joe@mail.example.org"),
         tags={"i": "joe@mail.Example.org"})
    case("58-identity-encoded", "i= may be written with =XX.", expected("pass",
         i="j oe@example.org"), tags={"i": "j=20oe@example.org"})
    for number, identity in enumerate(["joe@evil.example", "@notexample.org", "example.org", "@",
                                       "joe@example.org@evil.example", "=0D=0Ajoe@example.org",
                                       "=00@example.org", "=4", "joe@" + "a." * 150]):
        case(f"59-identity-{number}", "i= is not within d=.",
             expected("neutral", "identity", bits=0), tags={"i": identity})
    for number, names in enumerate([":from", "from::to", ":".join(["from"] * 201),
                                    "from:" + "x" * 4000]):
        case(f"60-header-list-{number}", "h= cannot be read, or is longer than anyone needs.",
             expected("neutral", "header-list", bits=0), h=names)
    case("60-header-list-control", "No control bytes in a signature.",
         expected("neutral", "syntax", d="-", s="-", a="-", bits=0), h="from:\x01")
    case("61-more-names-than-fields", "Names that no field has are signed as absent.",
         expected("pass"), h="from:to:subject:date:from:to:x:y:z")
    case("62-signature-garbage", "b= is no base64.", expected("neutral", "base64", bits=0),
         change=lambda text: text + "!!")
    case("62-body-hash-missing", "bh= must be there.",
         expected("neutral", "missing-tag", bits=0), tags={"bh": None})
    case("63-long-field", "Nobody needs so many bytes.",
         expected("neutral", "too-long", d="-", s="-", a="-", bits=0), tags={"z": "x" * 17000})
    case("64-selector", "s= is made like a domain.",
         expected("neutral", "selector", s="-", bits=0), tags={"s": "a b.*"})


def keys():
    owner = "sel._domainkey.example.org"

    def key_case(name, why, line, text, result=None, **how):
        case(name, why, line, result, zone=[f"{owner} {text}"], **how)

    case("70-key-missing", "Nothing is published.", expected("permerror", "key-missing", bits=0),
         zone=[])
    case("71-key-dns", "The zone's servers do not answer now.",
         expected("temperror", "key-dns", bits=0), zone=[f"fail {owner} servfail"])
    case("71-key-secure", "DNSSEC proved the key.", expected("pass", flags=" secure"),
         zone=[f"secure {owner} {record(KEY)}"])
    key_case("72-key-revoked", "p= is empty.", expected("permerror", "key-revoked", bits=0),
             "v=DKIM1; p=")
    for number, text in enumerate(["hello", "v=DKIM1; k=rsa", "p=a; p=b", "v=DKIM1; p=\xff", ";"]):
        key_case(f"73-key-syntax-{number}", "That is no key record.",
                 expected("permerror", "key-syntax", bits=0), text)
    key_case("74-key-version", "Another version.", expected("permerror", "key-version", bits=0),
             record(KEY).replace("DKIM1", "DKIM2"))
    key_case("74-key-without-version", "v= may be left out.", expected("pass"),
             f"p={KEY.public()}")
    key_case("75-key-type", "Nobody knows it.", expected("permerror", "key-type", bits=0),
             record(KEY).replace("rsa", "dsa"))
    ed25519 = Ed25519()
    key_case("75-key-of-other-algorithm", "An Ed25519 key for an RSA signature.",
             expected("permerror", "key-type", bits=256), record(ed25519))
    key_case("76-key-hash", "The key is for SHA-1 only.",
             expected("permerror", "key-hash", bits=0), record(KEY, "h=sha1; "))
    key_case("76-key-hashes", "And this for both.", expected("pass"),
             record(KEY, "h=sha1 : sha256; "))
    key_case("77-key-service", "The key is not for mail.",
             expected("permerror", "key-service", bits=0), record(KEY, "s=tlsrpt; "))
    key_case("77-key-services", "And this is.", expected("pass"),
             record(KEY, "s=tlsrpt:email; "))
    key_case("78-key-granularity", "g= is no part of DKIM any more (RFC 6376 C.2).",
             expected("pass"), record(KEY, "g=somebody; "))
    key_case("79-key-testing", "A pass is a pass, and the finding says so.",
             expected("pass", flags=" testing"), record(KEY, "t=y; "))
    key_case("79-key-testing-fails", "A failure does not count: as if it were unsigned.",
             expected("fail", "body", flags=" testing"), record(KEY, "t=y; "), "none",
             sent_body=b"other\r\n")
    key_case("80-key-strict", "t=s allows no subdomain in i=.",
             expected("permerror", "key-strict", i="@mail.example.org"), record(KEY, "t=s; "),
             tags={"i": "@mail.example.org"})
    key_case("80-key-strict-same", "The domain itself it allows.",
             expected("pass", i="@example.org"), record(KEY, "t=x : s; "),
             tags={"i": "@Example.ORG"})
    case("81-key-beside-others", "A wildcard's SPF record is no key.", expected("pass"),
         zone=[f"{owner} v=spf1 -all", f"{owner} {record(KEY)}"])
    case("81-key-several", "Which one is it?", expected("permerror", "key-several", bits=0),
         zone=[f"{owner} {record(Rsa(1024))}", f"{owner} {record(KEY)}"])
    short = Rsa(768)
    key_case("82-key-short", "RFC 8301: not below 1024 bits.",
             expected("policy", "key-short", bits=768), record(short), key=short)
    key_case("82-key-short-and-broken", "It does not verify anyway.",
             expected("fail", "body", bits=768), record(short), key=short, sent_body=b"x\r\n")
    key_case("82-key-short-by-setting", "The owner may want more.",
             expected("policy", "key-short"), record(KEY), head=["min-rsa-bits 2048"])
    large = Rsa(4096)
    key_case("83-key-4096", "The largest that is tried.", expected("pass", bits=4096),
             record(large), key=large)

    def published(modulus, exponent):
        info = public_info(modulus, exponent)
        return "v=DKIM1; p=" + base64.b64encode(info).decode()
    key_case("83-key-large", "A key so large takes long.",
             expected("policy", "key-large", bits=8192), published((1 << 8191) | 1, 65537))
    key_case("83-key-large-exponent", "So does one with such an exponent.",
             expected("policy", "key-large"), published(KEY.modulus, (1 << 1000) | 1))
    key_case("84-key-exponent-1", "With it everyone signs.",
             expected("permerror", "key-unreadable"), published(KEY.modulus, 1))
    key_case("84-key-even", "No RSA key is even.",
             expected("permerror", "key-unreadable"), published(KEY.modulus - 1, 65537))
    curve = base64.b64encode(openssl("ec", "-pubout", "-outform", "DER",
                             data=openssl("ecparam", "-name", "prime256v1", "-genkey",
                                          "-noout"))).decode()
    key_case("84-key-elliptic", "Another kind of key.",
             expected("permerror", "key-unreadable", bits=0), f"v=DKIM1; k=rsa; p={curve}")
    key_case("84-key-garbage", "No key at all.",
             expected("permerror", "key-unreadable", bits=0), "v=DKIM1; p=AAAA")
    key_case("84-key-cut", "Its end is missing, as when a record was pasted badly.",
             expected("permerror", "key-unreadable", bits=0), record(KEY)[:-40])
    info = base64.b64encode(ed25519.info()).decode()
    key_case("85-ed25519-wrapped", "RFC 8463 4.2: the bare 32 bytes.",
             expected("permerror", "key-unreadable", a="ed25519-sha256", bits=256),
             f"v=DKIM1; k=ed25519; p={info}", key=ed25519)


def shapes():
    forged = [b"From: Bank <bank@example.com>", *FIELDS]
    made = signature(FIELDS, BODY, KEY)
    write("90-from-twice", "A From on top that nobody signed: people see it, and the signature "
          "still passes. So the finding counts them.", message([made], forged), ZONE,
          ["result pass", "from 2", expected("pass")])
    oversigned = signature(FIELDS, BODY, KEY, h="from:from:to:subject:date")
    write("90-from-oversigned", "A signer who names From twice is safe from that.",
          message([oversigned], forged), ZONE,
          ["result fail", "from 2", expected("fail", "mismatch")])
    write("91-too-many", "Further signatures are not looked at.", message([made] * 4), ZONE,
          ["result pass", "ignored 2", expected("pass"), expected("pass")],
          ["max-signatures 2"])
    inner = signature(FIELDS, BODY, KEY)
    outer = signature([inner, *FIELDS], BODY, KEY, h="from:dkim-signature")
    write("92-signed-signature", "A signature over another.", message([outer, inner]), ZONE,
          ["result pass", expected("pass"), expected("pass")])
    unread = signature(FIELDS, BODY, KEY, tags={"v": "2"})
    outer = signature([unread, *FIELDS], BODY, KEY, h="from:dkim-signature")
    write("92-signed-unreadable-signature", "What was not read cannot be known to be the same.",
          message([outer, unread]), ZONE,
          ["result neutral", expected("neutral", "covers-signatures", bits=0),
           expected("neutral", "version", bits=0)])
    lengths_ = [signature(FIELDS, BODY, KEY, length=length) for length in (20, 21, 22, 23)]
    policy = [expected("policy", "body-unsigned", flags=" length unsigned-body")] * 3
    write("93-costly", "Each other l= has the body hashed once more: three times, not ten.",
          message(lengths_), ZONE,
          ["result policy", *policy, expected("policy", "costly", bits=0, flags=" length")])
    nul = [*FIELDS, b"X-Odd: a\0b"]
    write("94-nul", "A NUL hides what is behind it from some readers.", message([made], nul), ZONE,
          ["result neutral", expected("neutral", "header", bits=0)])
    tab = [b"Subject\t: Other", *FIELDS]
    write("94-tab-before-colon", "Some see a Subject here, the library sees no field.",
          message([made], tab), ZONE, ["result neutral", expected("neutral", "header", bits=0)])
    none = b"DKIM-Signature:"
    garbage = b"DKIM-Signature: ;;;\xff\x00v=1"
    write("95-empty-signatures", "Fields by that name with nothing in them.",
          message([none, b"dkim-signature : =", made]), ZONE,
          ["result pass", expected("neutral", "syntax", d="-", s="-", a="-", bits=0),
           expected("neutral", "syntax", d="-", s="-", a="-", bits=0), expected("pass")])
    write("95-garbage-signature", "Bytes of all kinds.", message([garbage]), ZONE,
          ["result neutral", expected("neutral", "syntax", d="-", s="-", a="-", bits=0)])
    for count in range(1, 5):
        few = FIELDS[:count]
        made = signature(few, BODY, KEY, h="from:to:subject:date:dkim-signature:x-1:x-2")
        write(f"96-all-fields-{count}", "All fields are named, this one too, and names are left "
              "over: the library must not write behind its array.", message([made], few), ZONE,
              ["result fail", expected("fail", "mismatch")])


for make in (ordinary, lengths, times, fields, keys, shapes):
    make()
