# SPDX-License-Identifier: BSD-2-Clause
"""What the tests with real servers and clients share: a folder, a posternd, swaks."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import configuration
from certificates import Certificates
from gateway import Gateway, make_folder
from mail_servers import read_environment
from programs import IS_STRICT, POSTERND, user


def require(condition, what):
    """Skips the test, or fails it where everything is to be there."""
    if condition:
        return
    if IS_STRICT:
        raise AssertionError(f"missing: {what}")
    raise unittest.SkipTest(f"missing: {what}")


def require_tool(name):
    """A command that some machines have not."""
    require(shutil.which(name) or os.path.exists(f"/usr/sbin/{name}"), name)


def servers_environment():
    """Where the real servers are."""
    folder = os.environ.get("POSTERN_SERVERS", "")
    require(folder and os.path.exists(os.path.join(folder, "environment")),
            "POSTERN_SERVERS, a folder filled by tests/servers/fetch-servers")
    require(os.geteuid() == 0, "root, whom the servers need")
    return read_environment(folder)


class PosternCase(unittest.TestCase):
    """A test class whose tests share a folder and certificates."""

    @classmethod
    def setUpClass(cls):
        require_tool("openssl")
        cls.folder = tempfile.mkdtemp(prefix="postern-servers-")
        os.chmod(cls.folder, 0o755)
        pems = os.path.join(cls.folder, "certificates")
        os.mkdir(pems)
        cls.certificates = Certificates(pems)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder, ignore_errors=True)

    def start_gateway(self, backend_port, changes=""):
        """posternd before a port, ended with the test."""
        gateway = Gateway(POSTERND, make_folder(self.certificates))
        self.addCleanup(shutil.rmtree, gateway.folder, True)
        places = {"folder": gateway.folder, "port legacy": backend_port}
        gateway.write_configuration(configuration.make(changes, places, user()))
        self.addCleanup(self.stop_gateway, gateway)
        gateway.start()
        return gateway

    def stop_gateway(self, gateway):
        """Its end must be a good one."""
        self.assertEqual(gateway.stop(), [], gateway.raw_log()[-3000:])

    def swaks(self, gateway, *words, listener="inbound"):
        """(exit status, the dialogue) of one mail."""
        require_tool("swaks")
        host, port = gateway.addresses[listener][0]
        run = subprocess.run(
            ["swaks", "--server", host, "--port", str(port), "--helo", "client.example.net",
             "--from", "alice@example.net", "--to", "bob@example.org", *words],
            capture_output=True, timeout=60, check=False)
        return run.returncode, run.stdout.decode("utf-8", "replace") + run.stderr.decode()

    def await_verdict(self, gateway, mark):
        """The log line of the transaction with this in its msgid, or of the last one."""
        line = gateway.await_line(lambda line: line["event"] == "transaction" and
                                  re.search(mark, line.get("msgid", "")))
        self.assertIsNotNone(line, gateway.raw_log())
        return line
