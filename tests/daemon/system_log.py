# SPDX-License-Identifier: BSD-2-Clause
"""Lines for syslog: what arrives, and what happens while its daemon is away or does not read."""
import contextlib
import os
import re
import signal
import socket
import threading
import time

from gateway import PATIENCE, GatewayTests, expect, require_mounts, send, wait_for

# A /dev of the gateway's own, in which /dev/log leads to the folder "$0". Nobody else sees it.
OWN_DEV = """
touch "$0/null"
mount --bind /dev/null "$0/null"
mount -t tmpfs -o mode=755 none /dev
touch /dev/null
mount --bind "$0/null" /dev/null
ln -s "$0/syslog" /dev/log
exec "$@"
"""


class Syslog:
    """A syslog daemon, as long as `with` lasts. It reads unless it is told not to."""

    def __init__(self, path):
        self.path = path
        self.lines = []
        self.is_over = False
        self.may_read = threading.Event()
        self.may_read.set()
        self.reader = threading.Thread(target=self.read)

    def __enter__(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o666)
        self.socket.settimeout(0.05)
        self.reader.start()
        return self

    def __exit__(self, *_):
        self.is_over = True
        self.reader.join()
        self.socket.close()
        os.unlink(self.path)

    def read(self):
        while not self.is_over:
            with contextlib.suppress(socket.timeout):
                if self.may_read.wait(0.05):
                    self.lines.append(self.socket.recv(65536).decode())

    def find(self, pattern):
        """The matches, one for each line that has one."""
        return [match for match in (re.search(pattern, line) for line in list(self.lines)) if match]

    def wait(self, pattern, count=1):
        wait_for(lambda: len(self.find(pattern)) >= count, f"{count} times {pattern} at syslog")
        return self.find(pattern)[0]

    def wait_port(self):
        port = self.wait(r"event=ready .*address=127\.0\.0\.1:(\d+)").group(1)
        self.wait(r"event=started ")
        return int(port)


class SystemLogTests(GatewayTests):
    def prepare(self, **settings):
        """The gateway's own /dev; gives the path where it looks for syslog."""
        require_mounts()
        self.gateway.prefix = ["unshare", "--mount", "sh", "-ec", OWN_DEV, self.gateway.folder]
        self.gateway.write_config(**{"log": "to syslog;", "workers": 1, **settings})
        return os.path.join(self.gateway.folder, "syslog")

    @staticmethod
    def send_until_deferred(port):
        """Mail after mail, until there is no room left for its line."""
        end = time.monotonic() + PATIENCE
        code, text = 250, "without an end"
        while code == 250 and time.monotonic() < end:
            code, text = send(port)
        expect(code == 451 and "log.full" in text, f"got {code} {text}")

    def test_syslog_gets_a_message_for_each_line(self):
        path = self.prepare(log="to syslog local3;")
        begin = time.time()
        with Syslog(path) as syslog:
            self.gateway.start(wait=False)
            port = syslog.wait_port()
            expect(send(port)[0] == 250, "no mail goes through")
            syslog.wait(r"event=transaction verdict=accept .*from=a@example\.net ")
            # RFC 3164: facility local3 and severity informational, local time, the tag.
            minutes = [time.strftime("%b %e %H:%M", time.localtime(moment))
                       for moment in range(int(begin), int(time.time()) + 60, 60)]
            for line in syslog.lines:
                found = re.fullmatch(r"<158>(.{12}):\d\d posternd: ts=\S+ v=1 event=\S+ .+", line)
                expect(found and found.group(1) in minutes, f"got {line}, want one of {minutes}")
            self.gateway.write_config(log="to syslog;", workers=1)
            self.gateway.signal(signal.SIGHUP)
            syslog.wait(r"^<22>.* event=reloaded ")
            expect(send(port)[0] == 250, "no mail goes through")
            syslog.wait(r"^<22>.* event=transaction verdict=accept ")
            expect(self.gateway.stop() == 0, "no clean end")
            syslog.wait(r"event=stopped ")

    def test_a_syslog_daemon_that_comes_late_gets_what_was_said_before(self):
        path = self.prepare()
        self.gateway.start(wait=False)
        self.gateway.wait_log(r"cannot write the log, and keep trying: No such file")
        with Syslog(path) as syslog:
            expect(send(syslog.wait_port())[0] == 250, "no mail goes through")
            syslog.wait(r"event=started ")
            syslog.wait(r"verdict=accept ")
        self.gateway.wait_log(r"the log can be written again")

    def test_a_syslog_daemon_that_restarts_stalls_no_session_and_misses_no_line(self):
        path = self.prepare()
        with Syslog(path) as syslog:
            self.gateway.start(wait=False)
            port = syslog.wait_port()
            expect(send(port)[0] == 250, "no mail goes through")
            syslog.wait(r"verdict=accept ")
        for number in range(20):
            code, text = send(port)
            expect(code == 250, f"mail {number}: got {code} {text}")
        self.gateway.wait_log(r"cannot write the log, and keep trying: Connection refused")
        with Syslog(path) as syslog:
            syslog.wait(r"verdict=accept ", 20)
            self.gateway.wait_log(r"the log can be written again")
            expect(self.gateway.stop() == 0, "no clean end")
            expect(len(syslog.find(r"verdict=accept ")) == 20, "a line came twice")
        expect(len(self.gateway.find(r"cannot write the log")) == 1, "it was said twice")

    def test_a_syslog_daemon_that_does_not_read_stalls_no_session(self):
        with Syslog(self.prepare(log="to syslog; ring 64K;")) as syslog:
            self.gateway.start(wait=False)
            port = syslog.wait_port()
            syslog.may_read.clear()
            self.send_until_deferred(port)
            for _ in range(40):
                send(port)
            # Now it reads: every accepted mail has its line after all.
            syslog.may_read.set()
            wait_for(lambda: send(port)[0] == 250, "mail to go through again")
            expect(self.gateway.stop() == 0, "no clean end")
            syslog.wait(r"event=stopped ")
            lines, mails = len(syslog.find(r"verdict=accept ")), len(self.backend.mails)
            expect(lines == mails, f"{mails} mails, {lines} lines")
            syslog.wait(r"event=log-lost .*count=\d+")

    def test_a_stuck_syslog_daemon_can_be_replaced_and_does_not_hold_up_the_end(self):
        path = self.prepare(log="to syslog; ring 64K;")
        with Syslog(path) as syslog:
            self.gateway.start(wait=False)
            port = syslog.wait_port()
            syslog.may_read.clear()
            self.send_until_deferred(port)
        with Syslog(path) as syslog:
            syslog.wait(r"verdict=accept ")
            wait_for(lambda: send(port)[0] == 250, "mail to go through again")
            syslog.may_read.clear()
            self.send_until_deferred(port)
            expect(self.gateway.stop() == 0, "no clean end")
        self.gateway.wait_log(r"the last lines of the log could not be written")
