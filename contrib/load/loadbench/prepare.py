# SPDX-License-Identifier: BSD-2-Clause
"""What has to be there before anything is measured: programs, a certificate, descriptors."""
import os
import resource
import subprocess

from .processes import Failure

FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
USUAL_SESSIONS = 4000
SPARE_DESCRIPTORS = 1000


def servers_folder():
    """Where contrib/check has them."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.environ.get("POSTERN_SERVERS") or os.path.join(cache, "postern", "servers")


def raise_descriptor_limit(sessions=USUAL_SESSIONS):
    """For so many sessions, two descriptors each, or as many as the system allows; gives them."""
    wanted = 2 * sessions + SPARE_DESCRIPTORS
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    try:
        if soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
            return wanted
    except (ValueError, OSError):
        pass  # not even root may, in a container
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft


def make_certificate(folder):
    """One self-signed ECDSA P-256 certificate for all."""
    chain, key, both = (os.path.join(folder, name) for name in ("cert.pem", "key.pem", "both.pem"))
    run = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                          "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                          "/CN=mx.bench.example", "-addext", "subjectAltName=DNS:mx.bench.example",
                          "-keyout", key, "-out", chain],
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    if run.returncode != 0:
        raise Failure("openssl made no certificate: " + run.stderr.decode("utf-8", "replace"))
    with open(both, "w", encoding="ascii") as file:
        for part in (chain, key):
            with open(part, encoding="ascii") as source:
                file.write(source.read())
    return {"chain": chain, "key": key, "both": both}


def build_programs(folder):
    programs = os.path.join(folder, "programs")
    run = subprocess.run(["make", "-s", "-C", FOLDER, "BUILD=" + programs], stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, check=False)
    if run.returncode != 0:
        raise Failure("cannot build load-sink and load-gen:\n" +
                      run.stdout.decode("utf-8", "replace"))
    return programs
