# SPDX-License-Identifier: BSD-2-Clause
"""Keys, canonical forms and choice of fields (RFC 6376 3.4, 5.4.2), for the scripts that write the
cases of DKIM and ARC; openssl makes the keys."""
import base64
import os
import re
import subprocess
import tempfile

SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
SHA1_INFO = bytes.fromhex("3021300906052b0e03021a05000414")


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *arguments], input=data, check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


# ---- keys

def der(tag, content):
    length = len(content)
    if length < 128:
        return bytes([tag, length]) + content
    count = (length.bit_length() + 7) // 8
    return bytes([tag, 0x80 | count]) + length.to_bytes(count, "big") + content


def der_number(number):
    return der(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def public_info(modulus, exponent):
    algorithm = der(0x30, bytes.fromhex("06092a864886f70d0101010500"))
    return der(0x30, algorithm + der(3, b"\0" + der(0x30, der_number(modulus) +
                                                    der_number(exponent))))


class Rsa:
    kind = "rsa"

    def __init__(self, bits):
        pem = openssl("genrsa", str(bits))
        text = openssl("rsa", "-noout", "-text", data=pem).decode()
        self.modulus = self.number("modulus", text)
        self.private = self.number("privateExponent", text)

    @staticmethod
    def number(name, text):
        digits = re.search(name + r":\n((?: +[0-9a-f:]+\n)+)", text).group(1)
        return int(re.sub(r"[^0-9a-f]", "", digits), 16)

    def sign(self, digest, info):
        size = (self.modulus.bit_length() + 7) // 8
        tail = b"\0" + info + digest
        padded = b"\0\1" + b"\xff" * (size - len(tail) - 2) + tail
        number = pow(int.from_bytes(padded, "big"), self.private, self.modulus)
        return number.to_bytes(size, "big")

    def public(self):
        return base64.b64encode(public_info(self.modulus, 65537)).decode()


class Ed25519:
    kind = "ed25519"

    def __init__(self):
        self.pem = openssl("genpkey", "-algorithm", "ed25519")

    def sign(self, digest, _info):
        with tempfile.TemporaryDirectory() as folder:
            names = [os.path.join(folder, name) for name in ("key", "digest")]
            for name, content in zip(names, (self.pem, digest)):
                with open(name, "wb") as file:
                    file.write(content)
            return openssl("pkeyutl", "-sign", "-inkey", names[0], "-rawin", "-in", names[1])

    def info(self):
        return openssl("pkey", "-pubout", "-outform", "DER", data=self.pem)

    def public(self):
        return base64.b64encode(self.info()[-32:]).decode()


# ---- signatures

def relax(text):
    return re.sub(rb"[ \t]+", b" ", text.replace(b"\r\n", b"")).strip()


def canonical_field(field, canon):
    if canon == "simple":
        return field
    name, value = field.split(b":", 1)
    return name.strip().lower() + b":" + relax(value)


def canonical_body(body, canon):
    if canon == "relaxed":
        body = b"\r\n".join(re.sub(rb"[ \t]+", b" ", line).rstrip(b" ")
                            for line in body.split(b"\r\n"))
    body = re.sub(rb"(\r\n)+\Z", b"", body)
    return body + b"\r\n" if body or canon == "simple" else b""


def select(fields, names):
    left = list(fields)
    for name in names:
        for field in reversed(left):
            if field.split(b":", 1)[0].strip().lower() == name.strip().lower().encode():
                left.remove(field)
                yield field
                break
