# SPDX-License-Identifier: BSD-2-Clause
"""
The gateways that are measured, one class each.

A class says how its gateway is configured and started; everything else is the
same for all. To add one: derive from Gateway, write `prepare` (find the
program, or raise Unavailable with the reason) and `command` (write the
configuration into `place.folder`, return what to execute in the foreground),
and add it to GATEWAYS.
"""
import os
import shutil
import socket
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass

from .prepare import SPARE_DESCRIPTORS
from .processes import Failure, Supervised

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))))
SERVERS = os.path.join(SOURCE, "tests", "servers")
sys.path += [SERVERS, os.path.join(SOURCE, "tests", "lib")]
import attacks  # noqa: E402
from mail_servers import read_environment  # noqa: E402

START_SECONDS = 15


class Unavailable(Exception):
    """This gateway cannot be measured here; the text says why."""


@dataclass
class Settings:
    """What the command line says about the gateways."""
    posternd: str        # path, or None: look for it
    workers: int         # postern's workers and HAProxy's threads
    sessions: int        # how many clients at a time a gateway must bear, ...
    descriptors: int     # ... and what a process of it may open for that
    servers: str         # folder that tests/servers/fetch-servers fills
    zone: str = ""       # lines of a zone file, for those who check


@dataclass
class Place:
    """Where one instance of a gateway lives."""
    folder: str          # its own, empty
    port: int            # SMTP, plain
    tls_port: int        # the same with TLS from the first byte
    backend_port: int    # load-sink
    chain: str           # PEM: certificate
    key: str             # PEM: its key
    both: str            # PEM: certificate and key in one file


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(textwrap.dedent(text).lstrip())
    return path


def first_line(command):
    """The first line a command prints, for the report; "" when it prints none."""
    try:
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             stdin=subprocess.DEVNULL, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (run.stdout.decode("utf-8", "replace").splitlines() or [""])[0]


def answers(port):
    """Whether an SMTP greeting comes from this port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as client:
            return client.recv(64).startswith(b"220")
    except OSError:
        return False


class Gateway:
    """One gateway; start and stop may alternate."""
    name = ""
    is_measured = True     # False: no process of its own stands between load and sink
    tls = ("implicit", "starttls")
    settle_seconds = 0     # how long mails may be under way after their senders have their replies
    idle_sessions = 2000   # how many are opened to measure the memory of one
    descriptors = 1        # for a session that is idle
    version = ""

    def __init__(self, settings):
        self.settings = settings
        self.place = None
        self.supervised = None

    def max_sessions(self):
        """As many as are wanted, or as the system allows."""
        return min(self.settings.sessions,
                   (self.settings.descriptors - SPARE_DESCRIPTORS) // self.descriptors)

    def prepare(self):
        """Finds the program and fills `version`, or raises Unavailable."""
        raise NotImplementedError

    def command(self, place):
        """Writes the configuration; returns (command line, environment or None)."""
        raise NotImplementedError

    def start(self, place):
        """Starts it and returns when it greets; raises Failure when it does not."""
        self.place = place
        command, environment = self.command(place)
        output = os.path.join(place.folder, "output")
        self.supervised = Supervised(command, output, environment)
        deadline = time.monotonic() + START_SECONDS
        while not answers(place.port):
            if not self.supervised.is_running() or time.monotonic() > deadline:
                self.stop()
                raise Failure(f"{self.name} does not start: {self.last_words()}")
            time.sleep(0.02)

    def stop(self):
        if self.supervised is not None:
            self.supervised.stop()

    def last_words(self):
        return self.supervised.last_words() or "it says nothing"

    def port(self, tls):
        return self.place.tls_port if tls == "implicit" else self.place.port

    def can(self, tls):
        return tls == "none" or tls in self.tls

    def pids(self):
        return self.supervised.pids()

    def cpu_seconds(self):
        return self.supervised.cpu_seconds()

    def memory_kib(self):
        return self.supervised.memory_kib()


class Direct(Gateway):
    """No gateway: load-gen talks to load-sink. What the bench itself takes."""
    name = "direct"
    is_measured = False
    tls = ()

    def prepare(self):
        self.version = "load-gen straight to load-sink"

    def start(self, place):
        self.place = place

    def stop(self):
        pass

    def port(self, tls):
        return self.place.backend_port


class Postern(Gateway):
    """posternd, with checks off and a policy that accepts."""
    name = "postern"
    program = None

    CONFIGURATION = """
        hostname mx.bench.example;
        {user}
        workers {workers};
        max-sessions {sessions};
        log {{ to file {folder}/log; }}
        spool-folder {folder};
        listener inbound {{ listen 127.0.0.1:{port}; tls optional; {limits} }}
        listener inbounds {{ listen 127.0.0.1:{tls_port}; tls implicit; {limits} }}
        certificate {{ names mx.bench.example; chain {chain}; key {key}; }}
        backend sink {{ address 127.0.0.1:{backend_port}; identity none; recipients ask; }}
        domain bench.example {{ backend sink; policy open; }}
        """
    POLICY = "policy open {{ max-size 100M; otherwise accept; }}"
    options = ()

    def prepare(self):
        self.program = self.settings.posternd or self.find()
        if self.program is None or not os.access(self.program, os.X_OK):
            raise Unavailable("no posternd; say where it is with --posternd PATH")
        self.version = first_line([self.program, "--version"]) or self.program

    @staticmethod
    def find():
        """From where the command is run (a build folder), the source tree, and PATH."""
        for folder in (os.getcwd(), SOURCE, os.path.join(SOURCE, "build")):
            program = os.path.join(folder, "posternd")
            if os.access(program, os.X_OK) and os.path.isfile(program):
                return program
        return shutil.which("posternd", path=os.environ.get("PATH", "") + ":/usr/local/sbin:"
                                                                          "/usr/sbin")

    def command(self, place):
        is_root = os.geteuid() == 0
        if is_root:
            shutil.chown(place.folder, "nobody")
        sessions = self.max_sessions() + 50
        limits = " ".join(f"max-sessions{of} {sessions};"
                          for of in ("", "-per-address", "-per-network"))
        configuration = write(os.path.join(place.folder, "postern.conf"),
                              (self.CONFIGURATION + self.POLICY).format(
                                  user="user nobody;" if is_root else "",
                                  workers=self.settings.workers, sessions=sessions,
                                  limits=limits, **vars(place)))
        return [self.program, *self.options, "-c", configuration], None


class CheckingPostern(Postern):
    """The same with checks on; what the DNS says of those who attack is in its local data."""
    CONFIGURATION = Postern.CONFIGURATION.replace(
        "otherwise accept;",
        attacks.RULES.replace("{", "{{").replace("}", "}}") + " otherwise accept;")

    def __init__(self, settings):
        super().__init__(settings)
        self.silent = attacks.listen_in_silence()

    def command(self, place):
        command, environment = super().command(place)
        zone = write(os.path.join(place.folder, "zone"), attacks.make_zone())
        with open(command[-1], "a", encoding="utf-8") as file:
            file.write(attacks.make_checks(zone, self.silent.getsockname()[1]))
        return command, environment


class Haproxy(Gateway):
    """HAProxy passing bytes, without a log: the least that any proxy must do."""
    name = "haproxy"
    descriptors = 2        # it connects to the backend at once
    tls = ("implicit",)    # it does not speak SMTP
    program = None

    CONFIGURATION = """
        global
            nbthread {workers}
            maxconn {connections}
        defaults
            mode tcp
            timeout connect 10s
            timeout client 10m
            timeout server 10m
        frontend plain
            bind 127.0.0.1:{port}
            default_backend sink
        frontend tls
            bind 127.0.0.1:{tls_port} ssl crt {both}
            default_backend sink
        backend sink
            server sink 127.0.0.1:{backend_port}
        """

    def prepare(self):
        self.program = shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin")
        if self.program is None:
            raise Unavailable("no haproxy here (Debian's package haproxy has it)")
        self.version = first_line([self.program, "-v"]).split(" - ")[0]

    def command(self, place):
        configuration = write(os.path.join(place.folder, "haproxy.cfg"),
                              self.CONFIGURATION.format(workers=self.settings.workers,
                                                        connections=self.max_sessions() + 50,
                                                        **vars(place)))
        return [self.program, "-db", "-f", configuration], None


class Postfix(Gateway):
    """
    Postfix as a before-queue proxy (smtpd_proxy_filter): smtpd itself passes
    the mail on, there is no queue. It runs with every folder inside the bench's
    temporary one, and needs root, as master always does. Its programs are those
    that the tests with real mail servers unpack; it runs under accounts that every
    Debian has and nothing else here uses, since the tests' wrapper, which gives it
    accounts of its own, would be measured with it.
    """
    name = "postfix"
    idle_sessions = 200    # one process each: the memory of one does not depend on how many
    root = None            # folder that usr/lib/postfix is in
    linker_path = None    # for LD_LIBRARY_PATH

    MAIN = """
        compatibility_level = 3.6
        config_directory = {folder}/etc
        queue_directory = {folder}/spool
        data_directory = {folder}/data
        daemon_directory = {root}/usr/lib/postfix/sbin
        command_directory = {root}/usr/sbin
        shlib_directory = {root}/usr/lib/postfix
        meta_directory = {folder}/etc
        mail_owner = mail
        setgid_group = uucp
        default_privs = nobody
        import_environment = MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C LD_LIBRARY_PATH
        maillog_file = {folder}/log
        maillog_file_prefixes = {folder}
        myhostname = mx.bench.example
        mydestination =
        mynetworks = 127.0.0.0/8
        inet_interfaces = 127.0.0.1
        inet_protocols = ipv4
        alias_maps =
        local_recipient_maps =
        relay_domains = bench.example
        smtpd_recipient_restrictions =
        smtpd_relay_restrictions = permit_mynetworks, reject
        smtpd_peername_lookup = no
        disable_dns_lookups = yes
        smtpd_proxy_filter = 127.0.0.1:{backend_port}
        smtpd_client_connection_count_limit = 0
        smtpd_client_connection_rate_limit = 0
        default_process_limit = {processes}
        message_size_limit = 104857600
        smtpd_tls_cert_file = {chain}
        smtpd_tls_key_file = {key}
        smtpd_tls_security_level = may
        smtpd_tls_loglevel = 0
        """
    MASTER = """
        127.0.0.1:{port} inet n - n - - smtpd
        127.0.0.1:{tls_port} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
        rewrite unix - - n - - trivial-rewrite
        tlsmgr unix - - n 1000? 1 tlsmgr
        anvil unix - - n - 1 anvil
        proxymap unix - - n - - proxymap
        postlog unix-dgram n - n - 1 postlogd
        """

    def prepare(self):
        if os.geteuid() != 0:
            raise Unavailable("Postfix's master needs root")
        run = subprocess.run([os.path.join(SERVERS, "fetch-servers"), self.settings.servers],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, check=False)
        words = run.stdout.decode("utf-8", "replace").splitlines() or ["fetch-servers failed"]
        if run.returncode != 0:
            raise Unavailable(words[-1])
        environment = read_environment(self.settings.servers)
        self.root, self.linker_path = environment["POSTFIX"], environment["LD_LIBRARY_PATH"]
        self.version = words[-1].split(",")[0]   # Postfix 3.7.11, Exim 4.96, ...

    def command(self, place):
        folder = place.folder
        for name in ("etc", "spool", "data"):
            os.mkdir(os.path.join(folder, name))
        for name in ("pid", "private", "public"):
            os.mkdir(os.path.join(folder, "spool", name))
        for path in ("data", "spool/private", "spool/public"):
            shutil.chown(os.path.join(folder, path), "mail")
        os.chmod(os.path.join(folder, "spool", "private"), 0o700)
        os.chmod(os.path.join(folder, "data"), 0o700)
        words = dict(vars(place), root=self.root, processes=max(self.idle_sessions, 100) + 50)
        write(os.path.join(folder, "etc", "main.cf"), self.MAIN.format(**words))
        write(os.path.join(folder, "etc", "master.cf"), self.MASTER.format(**words))
        environment = dict(os.environ, LD_LIBRARY_PATH=self.linker_path,
                           MAIL_CONFIG=os.path.join(folder, "etc"))
        master = os.path.join(self.root, "usr/lib/postfix/sbin/master")
        return [master, "-c", os.path.join(folder, "etc"), "-d"], environment

    def last_words(self):
        try:
            with open(os.path.join(self.place.folder, "log"), encoding="utf-8") as file:
                logged = [line for line in file if "fatal" in line or "warning" in line]
        except OSError:
            logged = []
        return " | ".join(line.strip() for line in logged[-3:]) or super().last_words()


GATEWAYS = (Direct, Postern, Haproxy, Postfix)
