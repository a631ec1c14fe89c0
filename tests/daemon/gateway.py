# SPDX-License-Identifier: BSD-2-Clause
"""A running posternd with a backend in front of which it stands, and clients for it.

Everything waits for what it expects, for PATIENCE seconds, and for nothing else.
"""
import collections
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

# Behind this folder: it has a gateway.py of its own.
sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

import backend as scripted  # noqa: E402
from programs import IS_STRICT, POSTERND, make_folder, user  # noqa: E402

# A sanitizer makes everything slower, and so does a busy machine.
PATIENCE = 20


class Failure(Exception):
    """What a test found, in one sentence."""


class Skip(Exception):
    """Why a test cannot be run here."""


def wait_for(condition, what, seconds=PATIENCE):
    """The first true value of `condition`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise Failure(f"waited {seconds} s for {what}")


def expect(is_true, what):
    if not is_true:
        raise Failure(what)


def require(is_there, what):
    """Skips the test, or fails it where everything is to be there."""
    if not is_there:
        raise Failure(f"missing: {what}") if IS_STRICT else Skip(f"missing: {what}")


def require_tool(name):
    require(shutil.which(name), name)


def require_root():
    require(os.geteuid() == 0, "root")


def require_mounts():
    """Mounts of one's own, which only root can have, and not everywhere."""
    require(subprocess.run(["unshare", "--mount", "true"], check=False,
                           stderr=subprocess.DEVNULL).returncode == 0, "mounts of its own")


class TakesAll(scripted.Script):
    """A backend that takes everything, and can be told to wait before it answers a dot."""

    def __init__(self):
        super().__init__([], {})
        self.offers = ["PIPELINING", "8BITMIME"]
        self.greeting = []  # actions before the greeting
        self.dot_gate = threading.Event()
        self.dot_gate.set()
        self.waiting = 0
        self.count = 0

    def note(self, line):
        """Nobody reads it."""

    def find(self, event):
        if event == b"connect" and self.greeting:
            return [*self.greeting, "reply " + scripted.ANSWERS["connect"]]
        if event != b".":
            return None
        with self.lock:
            self.waiting += 1
        self.dot_gate.wait(PATIENCE)
        with self.lock:
            self.waiting -= 1
            self.count += 1
            return [f"reply 250 2.0.0 Ok: queued as Q{self.count}"]


class Backend(scripted.Backend):
    """With such a script; `mails` are the messages that it took."""

    def __init__(self):
        super().__init__("legacy", TakesAll(), None)
        self.mails = self.script.received

    def close(self):
        self.script.dot_gate.set()
        self.stop()


class Client:
    """An SMTP client of few words."""

    def __init__(self, port, host="127.0.0.1"):
        self.socket = socket.create_connection((host, port), PATIENCE)
        self.stream = self.socket.makefile("rwb")

    def read(self):
        """(code, text) of one reply; (0, ...) when the other side has gone."""
        lines = []
        while True:
            line = self.stream.readline()
            if not line:
                return 0, b" ".join(lines).decode()
            lines.append(line.strip())
            if line[3:4] != b"-":
                return int(line[:3]), b" ".join(lines).decode()

    def say(self, line):
        self.stream.write(line.encode() + b"\r\n")
        self.stream.flush()
        return self.read()

    def hello(self):
        code, text = self.read()
        if code == 220:
            code, text = self.say("EHLO client.example.net")
        return code, text

    def begin(self):
        """Up to the 354."""
        code, text = self.hello()
        for line in ("MAIL FROM:<a@example.net>", "RCPT TO:<b@example.org>", "DATA"):
            if code in (220, 250):
                code, text = self.say(line)
        return code, text

    def send(self, subject="test"):
        """A whole mail; the code of its last reply."""
        code, text = self.begin()
        if code == 354:
            code, text = self.say(f"Subject: {subject}\r\n\r\nbody\r\n.")
        return code, text

    def close(self):
        with contextlib.suppress(OSError):
            self.stream.close()
        self.socket.close()


def read_stat(pid):
    """The fields of /proc/PID/stat from the state on. OSError when it is gone."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        return file.read().rpartition(")")[2].split()


def is_alive(pid):
    """Also of another user, and of one that nobody may look into; not of a zombie."""
    with contextlib.suppress(OSError):
        return read_stat(pid)[0] != "Z"
    return False


def send(port, subject="test", host="127.0.0.1"):
    client = Client(port, host)
    try:
        return client.send(subject)
    finally:
        client.close()


class Disk:
    """One that can stand still: a file that is empty, or not."""

    def __init__(self, path):
        self.path = path
        self.go_on()
        os.chmod(path, 0o644)

    def stop(self):
        with open(self.path, "w", encoding="ascii") as file:
            file.write("stuck")

    def go_on(self):
        with open(self.path, "w", encoding="ascii"):
            pass


class Gateway:
    """A running posternd with a folder of its own."""

    def __init__(self, backend, **settings):
        self.folder = make_folder()
        self.spool = os.path.join(self.folder, "spool")
        self.backend = backend
        self.log_path = os.path.join(self.folder, "log")
        self.config_path = os.path.join(self.folder, "postern.conf")
        self.process = None
        self.program = POSTERND
        self.prefix = []  # a command that becomes posternd
        self.skipped = 0  # seconds that the master's clock is ahead
        self.environment = dict(os.environ)
        self.user = f"user {user()};" if user() else ""
        self.write_config(**settings)

    def write_config(self, workers=2, log="to stderr;", drain="3s", more="", user_line=None,
                     listen="listen 127.0.0.1:0;", tls="off", backend="", backend_tls="tls off;"):
        """The whole configuration; `more` stands at its end."""
        text = f"""
hostname mx.example.org;
{self.user if user_line is None else user_line}
workers {workers};
drain-timeout {drain};
spool-folder {self.spool};
log {{ {log} }}
listener inbound {{ {listen} tls {tls}; }}
backend legacy {{ address 127.0.0.1:{self.backend.port}; {backend_tls} {backend} }}
policy open {{ otherwise accept; }}
domain example.org {{ backend legacy; policy open; }}
{more}
"""
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write(text)

    def preload(self, name, **environment):
        """Puts tests/daemon/NAME.c before the system's library; it reads `environment`."""
        require_tool("cc")
        library = os.path.join(self.folder, name + ".so")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), name + ".c")
        subprocess.run(["cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library, source],
                       check=True)
        options = self.environment.get("ASAN_OPTIONS", "")
        others = self.environment.get("LD_PRELOAD", "")
        self.environment.update(environment, LD_PRELOAD=f"{library} {others}".strip(),
                                ASAN_OPTIONS=f"{options}:verify_asan_link_order=0")

    def arrange_early_death(self, title):
        """Whoever has this title dies at once, as long as the file exists whose path this gives."""
        path = os.path.join(self.folder, "die")
        self.preload("die_early", DIE_EARLY_TITLE=title, DIE_EARLY_FILE=path)
        return path

    def arrange_hang(self, title):
        """Whoever has this title does nothing, as long as the file exists whose path this gives."""
        path = os.path.join(self.folder, "hang")
        self.preload("hang_early", HANG_EARLY_TITLE=title, HANG_EARLY_FILE=path)
        return path

    def arrange_time(self):
        """Lets skip_time work."""
        self.preload("skip_time", SKIP_TIME_FILE=os.path.join(self.folder, "seconds"))

    def skip_time(self, seconds):
        """So long passes for the master at once; for nobody else."""
        self.skipped += seconds
        path = os.path.join(self.folder, "seconds")
        with open(path + ".new", "w", encoding="ascii") as file:
            file.write(str(self.skipped))
        os.rename(path + ".new", path)
        self.signal(signal.SIGUSR1)  # it wakes up, and looks at the clock

    def arrange_stuck_disk(self):
        """The spool's disk does nothing between stop() and go_on() of what this gives."""
        disk = Disk(os.path.join(self.folder, "stuck"))
        self.preload("stuck_disk", STUCK_DISK_FILE=disk.path)
        return disk

    def start(self, stderr=None, preexec=None, pass_fds=(), wait=True):
        own = None if stderr is not None else open(self.log_path, "ab")
        self.process = subprocess.Popen(
            [*self.prefix, self.program, "-c", self.config_path], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=stderr if own is None else own, cwd=self.folder,
            env=self.environment, preexec_fn=preexec, pass_fds=pass_fds)
        if own is not None:
            own.close()
        if wait:
            self.wait_log(r"event=started ")
        return self

    def check(self, *arguments):
        """Runs posternd to its end, for what it prints and its status."""
        return subprocess.run([self.program, *arguments], capture_output=True, text=True,
                              cwd=self.folder, timeout=PATIENCE, check=False,
                              env=self.environment)

    def log(self, path=None):
        with contextlib.suppress(FileNotFoundError):
            with open(path or self.log_path, encoding="utf-8", errors="replace") as file:
                return file.read()
        return ""

    def find(self, pattern, path=None):
        return re.findall(pattern, self.log(path), re.M)

    def wait_log(self, pattern, count=1, path=None):
        def look():
            if len(self.find(pattern, path)) >= count:
                return True
            if self.process.poll() is not None and len(self.find(pattern, path)) < count:
                raise Failure(f"posternd ended with {self.process.returncode} before the log had "
                              f"{count} times {pattern}")
            return False
        wait_for(look, f"{count} times {pattern} in the log")

    @property
    def port(self):
        return int(self.find(r"event=ready .*address=127\.0\.0\.1:(\d+)")[0])

    def children(self, title):
        """Pids of the living children with this title."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                fields = read_stat(pid)
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    command = file.read().rstrip(b"\0").decode(errors="replace")
                if int(fields[1]) == self.process.pid and fields[0] != "Z" \
                        and command.startswith(title):
                    found.append(int(pid))
        return sorted(found)

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        """SIGTERM; the exit status."""
        self.signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def close(self):
        if self.process is not None and self.process.poll() is None:
            everyone = self.children("posternd: ")
            self.process.kill()
            self.process.wait()
            for pid in everyone:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)


class Load:
    """Clients that send one mail after another, and keep count of everything that goes wrong."""

    def __init__(self, port, clients=4):
        self.port = port
        self.is_over = False
        self.accepted = []
        self.troubles = []
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self, index):
        number = 0
        while not self.is_over:
            number += 1
            subject = f"load-{index}-{number}"
            try:
                code, text = send(self.port, subject)
                if code == 250:
                    self.accepted.append(subject)
                else:
                    self.troubles.append(f"{code} {text}")
            except OSError as error:
                self.troubles.append(f"{type(error).__name__}: {error}")

    def end(self):
        self.is_over = True
        for thread in self.threads:
            thread.join()
        return self

    def expect_accounted(self, gateway, backend, killed=0):
        """Stops the gateway: nobody was turned away, and each 250 is one mail and one line.

        Who has stood still for seconds before a mail may be told to come back. So many killed
        workers may each have taken all clients' sessions along, with mails that nobody was told
        of."""
        expect(gateway.stop() == 0, "no clean end")
        lost = len(self.threads) * killed
        bad = [trouble for trouble in self.troubles if not trouble.startswith("421 ")]
        refused = [trouble for trouble in bad if "Refused" in trouble]
        expect(not refused, f"somebody was refused a connection: {refused[:3]}")
        expect(len(bad) <= lost, f"{len(bad)} troubles: {bad[:3]}")
        mails = collections.Counter(
            subject for mail in backend.mails
            for subject in re.findall(r"^Subject: (load-\S+)\r$", mail.decode(), re.M))
        twice = [subject for subject, count in mails.items() if count > 1]
        expect(not twice, f"delivered twice: {twice[:3]}")
        missing = [subject for subject in self.accepted if subject not in mails]
        expect(not missing, f"accepted and lost: {missing[:3]}")
        extra = len(mails) - len(self.accepted)
        expect(extra <= lost, f"{extra} mails were delivered that nobody was told of")
        lines = collections.Counter(gateway.find(r"verdict=accept .* txn=(\S+)"))
        unknown = len(gateway.find(r"verdict=unknown .*close=crash"))
        expect(len(self.accepted) <= len(lines) and len(mails) <= len(lines) + unknown,
               f"{len(self.accepted)} accepted, {len(mails)} delivered, {len(lines)} lines and "
               f"{unknown} of the dead")
        expect(lines.total() == len(lines), "some lines are there twice")
        if killed == 0:
            expect(len(lines) == len(self.accepted),
                   f"{len(self.accepted)} accepted, {len(lines)} lines")


class GatewayTests:
    """Each test gets the backend and a gateway that is not started yet."""

    def __init__(self, backend, gateway):
        self.backend = backend
        self.gateway = gateway

    def close(self):
        """What else a test has started; called behind each."""

    def start_with_sockets(self, sockets, names):
        """As a service manager hands them over: from descriptor 3 on. A shell says our pid."""
        high = [os.dup2(sock.fileno(), 100 + number) for number, sock in enumerate(sockets)]
        places = " ".join(f"{3 + number}<&{fd}" for number, fd in enumerate(high))
        self.gateway.environment.update(LISTEN_FDS=str(len(high)), LISTEN_FDNAMES=names)
        self.gateway.prefix = ["bash", "-c", f'LISTEN_PID=$$ exec "$0" "$@" {places}']
        self.gateway.start(pass_fds=high, wait=False)
        for fd in high:
            os.close(fd)
