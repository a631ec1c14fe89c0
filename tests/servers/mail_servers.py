# SPDX-License-Identifier: BSD-2-Clause
"""Real Postfix, Exim and OpenSMTPD, each in a folder of its own.

fetch-servers unpacked them and nothing is installed, so each is told where
everything is. All take mail for bob@example.org, listen on a free port of
loopback and deliver to a Maildir.
"""
import glob
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import time

from ports import hold_port

WAIT_S = 20
DOMAIN, USER = "example.org", "bob"


def read_environment(folder):
    """What fetch-servers wrote: roots of the servers, and the way to their libraries."""
    text = subprocess.run(["sh", "-c", f'. "{folder}/environment" && env -0'],
                          capture_output=True, check=True).stdout.decode()
    return dict(pair.split("=", 1) for pair in text.split("\0") if "=" in pair)


def ids_of(environment, name):
    """(uid, gid) of a user that only the servers know."""
    with open(environment["NSS_WRAPPER_PASSWD"], encoding="ascii") as file:
        for line in file:
            fields = line.split(":")
            if fields[0] == name:
                return int(fields[2]), int(fields[3])
    raise KeyError(name)


def write(path, text):
    """A small file."""
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


class MailServer:
    """What the three have in common."""

    name = ""

    def __init__(self, environment, folder, certificates):
        self.environment = environment
        self.root = environment[self.name.upper()]
        self.folder = os.path.join(folder, self.name)
        os.mkdir(self.folder, 0o755)
        self.held_port = hold_port()
        self.port = self.held_port.getsockname()[1]
        self.certificates, self.process = certificates, None
        self.maildir = os.path.join(self.folder, "mail")

    def run(self, words, **options):
        """Starts the server's process; its words go to a file."""
        with open(os.path.join(self.folder, "stderr"), "wb") as log:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, start_new_session=True, **options)
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended: {self.said()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"{self.name} does not listen: {self.said()}")

    def log(self):
        """All that it wrote."""
        text = ""
        for path in [os.path.join(self.folder, "stderr"), *glob.glob(self.folder + "/log*")]:
            if os.path.isfile(path):
                with open(path, encoding="utf-8", errors="replace") as file:
                    text += file.read()
        return text

    def said(self):
        """The end of it, for a person who has to find out why."""
        return self.log()[-3000:]

    def await_log(self, pattern):
        """Until the log has this."""
        until = time.monotonic() + WAIT_S
        while not re.search(pattern, self.log()):
            if time.monotonic() > until:
                raise AssertionError(f"{self.name} did not log {pattern}: {self.said()}")
            time.sleep(0.1)

    def traces(self, mails):
        """Patterns of what its log says of the (Message-ID, BDATs) that one connection brought."""
        raise NotImplementedError

    def deliver(self):
        """Makes it deliver now what it took; most do so by themselves."""

    def mailbox(self):
        """The messages in the Maildir, oldest first, as bytes."""
        paths = glob.glob(os.path.join(self.maildir, "**", "new", "*"), recursive=True)
        found = []
        for path in sorted(paths, key=os.path.getmtime):
            with open(path, "rb") as file:
                found.append(file.read())
        return found

    def await_mail(self, mark):
        """The message that has these bytes in it."""
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            self.deliver()
            for message in self.mailbox():
                if mark in message:
                    return message
            time.sleep(0.1)
        raise AssertionError(f"no mail with {mark!r} came to {self.name}: {self.said()}")

    def stop(self):
        """Ends it and its children: they are a process group of their own."""
        self.held_port.close()
        if self.process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                pass
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                continue
            time.sleep(0.1)


class Postfix(MailServer):
    """Started by its master alone, without the scripts of its package."""

    name = "postfix"
    queue_id = rb"ESMTPS? id ([0-9A-Za-z]+)"
    FOLDERS = "active bounce corrupt defer deferred flush hold incoming private saved trace"
    SERVICES = ["cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr",
                "rewrite unix - - n - - trivial-rewrite", "bounce unix - - n - 0 bounce",
                "defer unix - - n - 0 bounce", "trace unix - - n - 0 bounce",
                "verify unix - - n - 1 verify", "flush unix n - n 1000? 0 flush",
                "proxymap unix - - n - - proxymap", "virtual unix - n n - - virtual",
                "error unix - - n - - error", "retry unix - - n - - error",
                "anvil unix - - n - 1 anvil", "tlsmgr unix - - n 1000? 1 tlsmgr",
                "postlog unix-dgram n - n - 1 postlogd"]

    def start(self):
        """Writes main.cf and master.cf, makes the queue, runs the master."""
        uid, gid = ids_of(self.environment, "postfix")
        queue, config = os.path.join(self.folder, "queue"), os.path.join(self.folder, "etc")
        for path in (config, queue, os.path.join(queue, "pid"), os.path.join(self.folder, "data"),
                     self.maildir):
            os.makedirs(path)
        for name in self.FOLDERS.split() + ["public", "maildrop"]:
            os.mkdir(os.path.join(queue, name), 0o755 if name == "public" else 0o700)
            os.chown(os.path.join(queue, name), uid, gid)
        for path in (os.path.join(self.folder, "data"), self.maildir):
            os.chown(path, uid, gid)
        write(os.path.join(config, "master.cf"), "\n".join(
            [f"127.0.0.1:{self.port} inet n - n - - smtpd", *self.SERVICES, ""]))
        write(os.path.join(config, "main.cf"), self.main_cf(queue, uid, gid))
        # -d: stays in the foreground and in the process group of ours.
        self.run([os.path.join(self.root, "usr/lib/postfix/sbin/master"), "-c", config, "-d"],
                 env={**self.environment, "MAIL_CONFIG": config})

    def traces(self, mails):
        """It counts commands, by connection."""
        count, chunks = len(mails), sum(chunks for _, chunks in mails)
        content = f"bdat={chunks}" if chunks else f"data={count}"
        return [f" mail={count} rcpt={count} {content} "]

    def main_cf(self, queue, uid, gid):
        """All the settings."""
        names = self.environment["SERVER_VARIABLES"].split()
        imported = " ".join(f"{name}={self.environment[name]}" for name in names)
        lib = os.path.join(self.root, "usr/lib/postfix")
        settings = {
            "compatibility_level": "3.6", "queue_directory": queue,
            "data_directory": os.path.join(self.folder, "data"),
            "daemon_directory": lib + "/sbin", "shlib_directory": lib,
            "command_directory": os.path.join(self.root, "usr/sbin"),
            "meta_directory": os.path.join(self.root, "etc/postfix"),
            "mail_owner": "postfix", "setgid_group": "postdrop",
            "import_environment": f"MAIL_CONFIG TZ LANG=C {imported}",
            "export_environment": f"TZ {' '.join(names)}",
            "maillog_file": os.path.join(self.folder, "log"),
            "maillog_file_prefixes": self.folder,
            "myhostname": "backend.internal", "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4", "mynetworks": "", "mydestination": "",
            "alias_maps": "", "alias_database": "",
            "smtpd_relay_restrictions": "reject_unauth_destination",
            "virtual_mailbox_domains": DOMAIN, "virtual_mailbox_base": self.maildir,
            "virtual_mailbox_maps": f"inline:{{{USER}@{DOMAIN}={USER}/}}",
            "virtual_minimum_uid": "1", "virtual_uid_maps": f"static:{uid}",
            "virtual_gid_maps": f"static:{gid}",
            "smtpd_authorized_xclient_hosts": "127.0.0.1",
            "smtpd_tls_security_level": "may", "smtpd_tls_loglevel": "1",
            "smtpd_tls_cert_file": self.certificates.path("backend.pem"),
            "smtpd_tls_key_file": self.certificates.path("backend.key"),
        }
        return "".join(f"{key} = {value}\n" for key, value in settings.items())


class Exim(MailServer):
    """Takes mail as a daemon; the test runs its queue, so that no set-uid program is wanted."""

    name = "exim"
    queue_id = rb"\n\tid ([0-9A-Za-z]+-[0-9A-Za-z]+-[0-9A-Za-z]+)"
    CONFIG = """
exim_path = {program}
keep_environment = {variables}
primary_hostname = backend.internal
spool_directory = {folder}/spool
log_file_path = {folder}/log_%s
pid_file_path = {folder}/pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
queue_only = true
never_users = root
host_lookup =
rfc1413_hosts =
chunking_advertise_hosts = *
tls_advertise_hosts = *
tls_certificate = {certificate}
tls_privatekey = {key}
acl_smtp_rcpt = check_rcpt
begin acl
check_rcpt:
  accept domains = example.org
         verify = recipient
  deny   message = unrouteable
begin routers
bob:
  driver = accept
  domains = example.org
  local_parts = bob
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = {maildir}
  maildir_format
  user = {user}
  group = {group}
"""

    def start(self):
        """Writes its configuration, runs the daemon."""
        uid, gid = ids_of(self.environment, "Debian-exim")
        key = os.path.join(self.folder, "key.pem")
        shutil.copy(self.certificates.path("backend.key"), key)
        os.chown(key, uid, gid)
        for path in (os.path.join(self.folder, "spool"), self.maildir, self.folder):
            os.makedirs(path, exist_ok=True)
            os.chown(path, uid, gid)
        self.program = os.path.join(self.root, "usr/sbin/exim4")
        self.config = os.path.join(self.folder, "exim.conf")
        write(self.config, self.CONFIG.format(
            program=self.program, folder=self.folder, port=self.port, maildir=self.maildir,
            variables=self.environment["SERVER_VARIABLES"].replace(" ", " : "),
            certificate=self.certificates.path("backend.pem"), key=key, user=uid, group=gid))
        self.run([self.program, "-C", self.config, "-bdf"], env=self.environment)

    def traces(self, mails):
        """It marks a mail that came by BDAT with a K."""
        return [rf" P=esmtp{' K' if chunks else ''} S=\d+ id={name}@example\.net"
                for name, chunks in mails]

    def deliver(self):
        """A queue run of root's own."""
        subprocess.run([self.program, "-C", self.config, "-qff"], env=self.environment,
                       capture_output=True, check=False, timeout=WAIT_S)


class Opensmtpd(MailServer):
    """Its paths are fixed, so it has a root directory of its own with what it needs in it.

    Without TLS: the OpenSMTPD of Debian 12 fails in every handshake with its OpenSSL.
    """

    name = "opensmtpd"
    queue_id = rb"ESMTPS? id ([0-9a-f]+)"
    PROGRAMS = ["usr/sbin/smtpd", "usr/sbin/smtpctl", "usr/libexec/opensmtpd/mail.maildir",
                "usr/libexec/opensmtpd/mail.local"]

    def start(self):
        """Builds the root directory, writes smtpd.conf, runs smtpd in it."""
        self.jail = os.path.join(self.folder, "jail")
        for name in ("etc", "dev", "tmp", "bin", "mail", "run", "var/spool/smtpd", "var/log",
                     "var/empty", "var/lib/opensmtpd/empty", "usr/sbin", "usr/libexec/opensmtpd"):
            os.makedirs(os.path.join(self.jail, name))
        os.chmod(os.path.join(self.jail, "tmp"), 0o1777)
        os.chmod(os.path.join(self.jail, "var/spool/smtpd"), 0o711)
        os.symlink("../run", os.path.join(self.jail, "var/run"))
        os.mknod(os.path.join(self.jail, "dev/null"), 0o20666, os.makedev(1, 3))
        os.chmod(os.path.join(self.jail, "dev/null"), 0o666)
        for name in self.PROGRAMS:
            self.install(os.path.join(self.root, name), name)
        self.install("/bin/sh", "bin/sh")
        self.write_etc()
        self.maildir = os.path.join(self.jail, "mail")
        self.run(["/usr/sbin/smtpd", "-d", "-f", "/etc/smtpd.conf"], env={"PATH": "/usr/sbin:/bin"},
                 preexec_fn=lambda: (os.chroot(self.jail), os.chdir("/")))

    def traces(self, mails):
        """It has no CHUNKING, and says nothing of it."""
        return []

    def install(self, source, name):
        """A program, and the libraries that it is linked with, at their usual places."""
        shutil.copy(source, os.path.join(self.jail, name))
        environment = {key: value for key, value in self.environment.items()
                       if key != "LD_PRELOAD"}
        lines = subprocess.run(["ldd", source], env=environment, capture_output=True,
                               check=True).stdout.decode()
        for path in re.findall(r"(/\S+) \(0x", lines):
            folder = "lib64" if "ld-linux" in path else "lib"
            os.makedirs(os.path.join(self.jail, folder), exist_ok=True)
            shutil.copy(path, os.path.join(self.jail, folder))
            if folder == "lib64":
                shutil.copy(path, os.path.join(self.jail, "lib"))

    def write_etc(self):
        """Users, and what smtpd is to do."""
        nobody = pwd.getpwnam("nobody")
        lines, groups = ["root:x:0:0:root:/:/bin/sh"], ["root:x:0:"]
        for name in ("opensmtpd", "opensmtpq"):
            uid, gid = ids_of(self.environment, name)
            lines.append(f"{name}:x:{uid}:{gid}::/var/lib/opensmtpd/empty:/bin/false")
            groups.append(f"{name}:x:{gid}:")
        lines.append(f"vmail:x:{nobody.pw_uid}:{nobody.pw_gid}::/mail:/bin/sh")
        groups.append(f"vmail:x:{nobody.pw_gid}:")
        os.chown(os.path.join(self.jail, "mail"), nobody.pw_uid, nobody.pw_gid)
        etc = os.path.join(self.jail, "etc")
        write(os.path.join(etc, "passwd"), "\n".join(lines) + "\n")
        write(os.path.join(etc, "group"), "\n".join(groups) + "\n")
        write(os.path.join(etc, "hosts"), "127.0.0.1 localhost\n")
        write(os.path.join(etc, "mailname"), "backend.internal\n")
        write(os.path.join(etc, "smtpd.conf"), f"""
table users {{ "{USER}@{DOMAIN}" = "vmail" }}
table known {{ "{USER}@{DOMAIN}" }}
listen on 127.0.0.1 port {self.port} hostname backend.internal
action "in" maildir "/mail/{USER}" virtual <users>
match from any for rcpt-to <known> action "in"
""")


SERVERS = (Postfix, Exim, Opensmtpd)
