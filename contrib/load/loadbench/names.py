# SPDX-License-Identifier: BSD-2-Clause
"""
The DNS of the bench: an NSD on port 53 that knows one zone, the root. It stands for a
resolver next door that has all answers in its cache: a packet there, a packet back.
NSD's limit of equal answers a second is off, as no resolver has it for its own clients:
it would drop some, and send those who ask for others to TCP.
"""
import os
import socket
import time

from .gateways import write
from .processes import Failure, Supervised

import mail_servers  # noqa: E402  (of tests/servers, where loadbench.gateways looks for it)

PORT = 53
START_SECONDS = 15
MANY = 1000          # more than it would answer by its own lights
TRUNCATED = 2        # in the third octet of an answer
QUESTION = b"\x12\x34\x01\0\0\1\0\0\0\0\0\0\0\0\2\0\1"   # NS of the root

HEAD = """\
$ORIGIN .
$TTL 3600
. IN SOA ns. hostmaster. 1 3600 600 86400 3600
. IN NS ns.
ns. IN A 127.0.0.1
"""
CONFIGURATION = """\
server:
    ip-address: 127.0.0.1@53
    username: ""
    zonesdir: "{folder}"
    pidfile: "{folder}/pid"
    database: ""
    zonelistfile: "{folder}/zone.list"
    xfrdfile: "{folder}/xfrd.state"
    server-count: 1
    minimal-responses: yes
    rrl-ratelimit: 0
    rrl-whitelist-ratelimit: 0
remote-control:
    control-enable: no
zone:
    name: "."
    zonefile: "zone"
"""


class NameServer:
    """One NSD; it ends with the bench."""

    def __init__(self, servers, folder, zone):
        environment = mail_servers.read_environment(servers)
        with open(os.path.join(folder, "zone"), "w", encoding="ascii") as file:
            file.write(HEAD + zone)
        configuration = write(os.path.join(folder, "nsd.conf"),
                              CONFIGURATION.format(folder=folder))
        self.supervised = Supervised(
            [os.path.join(environment["NSD"], "usr/sbin/nsd"), "-d", "-c", configuration],
            os.path.join(folder, "output"), {**os.environ, **environment})
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if not self.supervised.is_running() or time.monotonic() > deadline:
                self.stop()
                raise Failure("NSD does not start: " + self.supervised.last_words())
            time.sleep(0.02)
        if not all(self.answers() for _ in range(MANY)):
            self.stop()
            raise Failure("NSD answers only some of many equal questions")

    @staticmethod
    def answers():
        """Does it answer, and in full?"""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            asker.settimeout(0.5)
            try:
                asker.connect(("127.0.0.1", PORT))
                asker.send(QUESTION)
                return asker.recv(1000)[2] & TRUNCATED == 0
            except OSError:
                return False

    def stop(self):
        self.supervised.stop()
