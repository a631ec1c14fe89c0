# SPDX-License-Identifier: BSD-2-Clause
"""As a service of systemd: what it is told, the sockets it hands over, and our units."""
import contextlib
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

from confine import CAPABILITIES, read_unit
from gateway import (PATIENCE, POSTERND, Client, GatewayTests, expect, require_mounts, require_tool,
                     send)
from ports import hold_port  # tests/lib, which gateway has put in reach

HERE = os.path.dirname(os.path.abspath(__file__))
UNITS = os.path.join(os.path.dirname(os.path.dirname(HERE)), "contrib", "systemd")
# systemd-analyze security: tenths, from 0 (nothing is left to be taken away) to 100.
MAX_EXPOSURE = 28

# The files as the unit has them: all read-only but the folder "$0", of /dev only what is harmless,
# and of /proc only the own processes.
SANDBOX = """
touch "$0/null"
mount --bind "$0" "$0"
mount --bind /dev/null "$0/null"
mount -t tmpfs -o mode=755 none /dev
touch /dev/null
mount --bind "$0/null" /dev/null
mount -t proc -o hidepid=invisible,subset=pid proc /proc
mount -o remount,bind,ro /
exec "$@"
"""


class Manager:
    """The other end of sd_notify(3), inside of `with`."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.socket.settimeout(PATIENCE)
        self.socket.bind(name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def receive(self):
        """(assignments of the next message, pid of who sent it)"""
        data, ancillary, _, _ = self.socket.recvmsg(4096, socket.CMSG_SPACE(12))
        pid = struct.unpack("3i", ancillary[0][2])[0]
        return dict(line.split("=", 1) for line in data.decode().split("\n")), pid


def microseconds():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


class ServiceTests(GatewayTests):
    def copy_unit(self, name):
        """A unit with our program in it; its path."""
        path = os.path.join(self.gateway.folder, name)
        with open(os.path.join(UNITS, name), encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace("/usr/sbin/posternd", POSTERND))
        return path

    def test_the_service_manager_is_told(self):
        name = os.path.join(self.gateway.folder, "notify")
        with Manager(name) as manager:
            self.gateway.environment["NOTIFY_SOCKET"] = name
            self.gateway.start(wait=False)
            ready, sender = manager.receive()
            pid = self.gateway.process.pid
            expect(ready == {"READY": "1", "MAINPID": str(pid),
                             "STATUS": "serving, generation 1, 2 workers"}, f"got {ready}")
            # Of anybody else a unit with NotifyAccess=main hears nothing.
            expect(sender == pid, f"{sender} told of it, and not {pid}")
            self.gateway.wait_log(r"event=ready ")
            expect(send(self.gateway.port)[0] == 250, "it was not ready")
            for more, event in (("", "reloaded"), ("nonsense 1;", "config-refused")):
                self.gateway.write_config(more=more)
                before = microseconds()
                self.gateway.signal(signal.SIGHUP)
                reloading, sender = manager.receive()
                expect(reloading.get("RELOADING") == "1" and sender == pid, f"got {reloading}")
                expect(before <= int(reloading["MONOTONIC_USEC"]) <= microseconds(),
                       f"got {reloading['MONOTONIC_USEC']}, want {before} or a little more")
                ready, sender = manager.receive()
                expect(ready.get("READY") == "1" and sender == pid, f"{event}: got {ready}")
                self.gateway.wait_log(rf"event={event} ")
            self.gateway.signal(signal.SIGTERM)
            stopping, sender = manager.receive()
            expect(stopping.get("STOPPING") == "1" and sender == pid, f"got {stopping}")
            expect(self.gateway.process.wait(PATIENCE) == 0, "no clean end")

    def test_the_service_manager_is_told_of_an_upgrade_as_of_a_reload(self):
        name = os.path.join(self.gateway.folder, "notify")
        program = shutil.copy(POSTERND, self.gateway.folder)
        with Manager(name) as manager:
            self.gateway.environment["NOTIFY_SOCKET"] = name
            self.gateway.program = program
            self.gateway.start(wait=False)
            pid = self.gateway.process.pid
            expect(manager.receive()[0].get("READY") == "1", "it was not told of the start")
            # The old program says that it begins, and the new one that it has begun to load.
            for damage, reloading_count, generation in ((b"", 2, 2), (b"x", 1, 2), (b"", 2, 3)):
                with open(POSTERND, "rb") as file:
                    text = damage + file.read()
                with open(program + ".new", "wb") as file:
                    file.write(text)
                os.chmod(program + ".new", 0o755)
                os.rename(program + ".new", program)
                self.gateway.signal(signal.SIGUSR2)
                for _ in range(reloading_count):
                    reloading, sender = manager.receive()
                    expect(reloading.get("RELOADING") == "1" and sender == pid,
                           f"got {reloading} of {sender}")
                ready, sender = manager.receive()
                expect(ready == {"READY": "1", "MAINPID": str(pid), "STATUS":
                                 f"serving, generation {generation}, 2 workers"} and sender == pid,
                       f"got {ready} of {sender}")
            self.gateway.signal(signal.SIGTERM)
            stopping, sender = manager.receive()
            expect(stopping.get("STOPPING") == "1" and sender == pid, f"got {stopping}")
            expect(self.gateway.process.wait(PATIENCE) == 0, "no clean end")

    def test_a_service_manager_without_a_path_is_told(self):
        name = f"postern-test-{os.getpid()}-{os.path.basename(self.gateway.folder)}"
        with Manager("\0" + name) as manager:
            self.gateway.environment["NOTIFY_SOCKET"] = "@" + name
            self.gateway.start()
            expect(manager.receive()[0].get("READY") == "1", "it was not told")

    def test_sockets_of_the_service_manager_are_used_by_all_workers(self):
        with socket.create_server(("127.0.0.1", 0), backlog=64) as given, \
                socket.create_server(("127.0.0.1", 0)) as unused:
            port = given.getsockname()[1]
            self.gateway.write_config(listen="listen socket smtp;")
            self.start_with_sockets([unused, given], "other:smtp")
            self.gateway.wait_log(r"event=started ")
            ready = rf"event=ready .*listener=inbound address=127\.0\.0\.1:{port}$"
            expect(self.gateway.find(ready), "no ready line for it")
            expect(send(port)[0] == 250, "no mail goes through")
            os.kill(self.gateway.children("posternd: worker")[0], signal.SIGKILL)
            expect(send(port)[0] == 250, "no mail goes through beside a dead worker")
            self.gateway.signal(signal.SIGHUP)
            self.gateway.wait_log(r"event=reloaded ")
            expect(send(port)[0] == 250, "no mail goes through after a reload")
            self.gateway.signal(signal.SIGUSR2)
            self.gateway.wait_log(r"event=upgraded ")
            expect(send(port)[0] == 250, "no mail goes through after an upgrade")
            self.gateway.signal(signal.SIGHUP)
            self.gateway.wait_log(r"event=reloaded ", 2)
            expect(send(port)[0] == 250, "no mail goes through after a reload behind it")
            expect(len(self.gateway.find(ready)) == 1, "the address was told twice")
            # Who connects while nobody is there is served by the next one.
            expect(self.gateway.stop() == 0, "no clean end")
            client = Client(port)
            self.start_with_sockets([unused, given], "other:smtp")
            expect(client.send()[0] == 250, "the client that waited was not served")
            client.close()

    def test_a_socket_that_was_not_given_stops_the_start(self):
        self.gateway.write_config(listen="listen socket smtp;")
        got = self.gateway.check("-c", self.gateway.config_path)
        expect(got.returncode == 2 and 'wants the socket "smtp"' in got.stderr, f"got {got}")

    def test_systemd_hands_over_what_the_socket_unit_says(self):
        """No root is needed to start, as the units promise."""
        require_tool("systemd-socket-activate")
        with open(os.path.join(UNITS, "postern.socket"), encoding="utf-8") as file:
            text = file.read()
        name = re.search(r"^FileDescriptorName=(\w+)$", text, re.M).group(1)
        with contextlib.ExitStack() as stack:
            ports = []
            for address in re.findall(r"^ListenStream=(.*)$", text, re.M):
                host = {"0.0.0.0:25": "127.0.0.1", "[::]:25": "::1"}[address]
                with contextlib.suppress(OSError):  # of a machine without IPv6
                    ports.append(stack.enter_context(hold_port(host)).getsockname()[:2])
            expect(ports, f"nothing to listen on in {text}")
            self.start_by_systemd(name, ports)
        for host, port in ports:
            code, text = send(port, host=host)
            expect(code == 250, f"{host}: got {code} {text}")
        self.gateway.wait_log(r"event=started .* serves, with 2 workers")
        expect(self.gateway.stop() == 0, "no clean end")

    def start_by_systemd(self, name, ports):
        self.gateway.write_config(user_line="", listen=f"listen socket {name};")
        if os.geteuid() == 0:
            # The program may lie where its user cannot see it.
            self.gateway.program = shutil.copy(POSTERND, self.gateway.folder)
            self.gateway.prefix = ["setpriv", "--reuid=nobody", "--regid=nogroup",
                                   "--clear-groups"]
        self.gateway.prefix += ["systemd-socket-activate", f"--fdname={name}",
                                *[f"--listen={host}:{port}" if ":" not in host else
                                  f"--listen=[{host}]:{port}" for host, port in ports]]
        self.gateway.start(wait=False)
        self.gateway.wait_log(r"^Listening on .* as \d+\.$", len(ports))

    def test_the_units_are_in_order(self):
        require_tool("systemd-analyze")
        paths = [self.copy_unit("postern.service"), self.copy_unit("postern.socket")]
        got = subprocess.run(["systemd-analyze", "verify", "--man=no", *paths], check=False,
                             capture_output=True, text=True, timeout=PATIENCE)
        expect(got.returncode == 0 and not got.stdout + got.stderr, f"got {got}")
        got = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager",
                              f"--threshold={MAX_EXPOSURE}", paths[0]], check=False,
                             capture_output=True, text=True, timeout=PATIENCE)
        found = re.search(r"Overall exposure level.*", got.stdout)
        expect(got.returncode == 0 and found, f"got {found.group(0) if found else got}")

    def confine(self):
        """The gateway becomes one that may do what its unit allows, and nothing else."""
        require_tool("systemd-analyze")
        require_mounts()
        unit = self.copy_unit("postern.service")
        # A leak sanitizer traces its own process, which no unit allows.
        options = self.gateway.environment.get("ASAN_OPTIONS", "")
        self.gateway.environment["ASAN_OPTIONS"] = f"{options}:detect_leaks=0"
        self.gateway.prefix = ["unshare", "--mount", "sh", "-ec", SANDBOX, self.gateway.folder,
                               sys.executable, "-B", os.path.join(HERE, "confine.py"), unit]
        return read_unit(unit)

    def test_the_gateway_works_in_the_sandbox_of_its_unit(self):
        unit = self.confine()
        path = os.path.join(self.gateway.folder, "mail.log")
        # Little memory: the large mail below goes to disk.
        self.gateway.write_config(log=f"to file {path};", more="max-spool-memory 1M;")
        self.gateway.start(wait=False)
        self.gateway.wait_log(r"event=started ", path=path)
        with open(f"/proc/{self.gateway.process.pid}/status", encoding="ascii") as file:
            status = dict(re.findall(r"^(\w+):\s+(\S+)", file.read(), re.M))
        bits = sum(1 << CAPABILITIES[name] for name in unit["CapabilityBoundingSet"].split())
        expect(int(status["CapEff"], 16) == bits and status["NoNewPrivs"] == "1"
               and status["Seccomp"] == "2", f"it is not confined: {status}")
        port = int(self.gateway.find(r"address=127\.0\.0\.1:(\d+)", path)[0])
        client = Client(port)
        expect(client.begin()[0] == 354, "no 354")
        code, text = client.say("Subject: large\r\n\r\n" + 40000 * f"{70 * 'x'}\r\n" + ".")
        expect(code == 250, f"got {code} {text}")
        client.close()
        os.kill(self.gateway.children("posternd: worker")[0], signal.SIGKILL)
        self.gateway.wait_log(r"event=worker-died .*signal 9", path=path)
        self.gateway.signal(signal.SIGHUP)
        self.gateway.wait_log(r"event=reloaded ", path=path)
        self.gateway.signal(signal.SIGUSR2)
        self.gateway.wait_log(r"event=upgraded ", path=path)
        os.rename(path, path + ".1")
        self.gateway.signal(signal.SIGUSR1)
        self.gateway.wait_log(r"event=log-reopened ", path=path)
        expect(send(port)[0] == 250, "no mail goes through")
        expect(self.gateway.stop() == 0, "no clean end")
        for name in (path, path + ".1"):
            died = [line for line in self.gateway.find(r"^.*event=\w+-died .*$", name)
                    if "signal 9" not in line]
            expect(not died, f"it may not do what it has to: {died}")
