# SPDX-License-Identifier: BSD-2-Clause
"""Certificates for one run: an authority, and hosts that it signs."""
import os
import shutil
import ssl
import subprocess

from programs import IS_STRICT

HOSTS = {
    "mx": "DNS:mx.example.org", "second": "DNS:mx2.example.org",
    "wild": "DNS:*.example.eu", "backend": "DNS:backend.internal,IP:127.0.0.1",
    "other": "DNS:other.internal",
}
KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


def is_missing():
    """True where there is no openssl and it is no fault; where it is one, it is raised."""
    if shutil.which("openssl"):
        return False
    if IS_STRICT:
        raise FileNotFoundError("missing: the openssl command")
    return True


def openssl(*words):
    """Runs the command line tool."""
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def make_self_signed(chain, key, host, days=2):
    """Two files: a certificate that nobody else has signed, and its key."""
    openssl("req", "-x509", *KEY, "-days", str(days), "-subj", f"/CN={host}",
            "-addext", f"subjectAltName=DNS:{host}", "-keyout", key, "-out", chain)


def speak_only(context, version):
    """One version of TLS, "1.0" to "1.3", at the level of security that the old ones need."""
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    number = getattr(ssl.TLSVersion, "TLSv" + version.replace(".", "_").removesuffix("_0"))
    context.minimum_version = context.maximum_version = number


class Certificates:
    """PEM files in a folder: ca.pem, and for each host NAME.pem and NAME.key."""

    def __init__(self, folder):
        self.folder = folder
        openssl("req", "-x509", *KEY, "-days", "3", "-subj", "/CN=test authority",
                "-keyout", self.path("ca.key"), "-out", self.path("ca.pem"))
        for name, names in HOSTS.items():
            self.sign(name, names)

    def path(self, name):
        """Of a file."""
        return os.path.join(self.folder, name)

    def sign(self, name, names):
        """A key and a certificate for these names."""
        with open(self.path("names"), "w", encoding="ascii") as file:
            file.write(f"subjectAltName={names}\n")
        subject = names.split(",", maxsplit=1)[0].removeprefix("DNS:")
        openssl("req", *KEY, "-subj", f"/CN={subject}", "-keyout", self.path(f"{name}.key"),
                "-out", self.path("request"))
        openssl("x509", "-req", "-days", "90", "-in", self.path("request"),
                "-CA", self.path("ca.pem"), "-CAkey", self.path("ca.key"), "-CAcreateserial",
                "-extfile", self.path("names"), "-out", self.path(f"{name}.pem"))

    def server_context(self, name, version=None):
        """For the scripted backend."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path(f"{name}.pem"), self.path(f"{name}.key"))
        if version:
            speak_only(context, version)
        return context

    def client_context(self, version=None):
        """For the scripted client: any certificate will do, old versions too."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(self.path("ca.pem"))
        if version:
            speak_only(context, version)
        return context
