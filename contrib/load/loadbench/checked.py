# SPDX-License-Identifier: BSD-2-Clause
"""
Gateways with SPF, DKIM and DMARC, and the same without, one class each; see
loadbench/gateways.py. `base` names the one that a gateway is compared with, to see what
checks add; `proof` is what a mail that came through must say. `share` is the part of
the mails that a slow one gets, so that a round ends.
"""
import os
import re
import shutil
import subprocess
import time

from .gateways import SOURCE, Postern, Postfix, Unavailable, write
from .processes import Failure

ALL_PASS = (r"spf=pass|received-spf: pass", r"dkim=pass", r"dmarc=pass")
START_SECONDS = 120   # rspamd compiles for 15 s, on a machine that has nothing else to do
TURN = re.compile(r"event=worker-turn .*?text=\"(\d+) us")


class PosternOff(Postern):
    """Checks off."""
    base = None
    proof = ()
    share = 1
    tls = ()
    options = ("-d",)   # for the lines that tell of long turns

    def log_size(self):
        return os.path.getsize(os.path.join(self.place.folder, "log"))

    def longest_turn_ms(self, log_offset):
        """Of the loop, by lines behind this place in the log; 1 ms without any."""
        time.sleep(1.2)   # a worker looks once a second
        with open(os.path.join(self.place.folder, "log"), encoding="utf-8") as file:
            file.seek(log_offset)
            return max([1.0] + [int(us) / 1000 for us in TURN.findall(file.read())])


class PosternDns(PosternOff):
    """Checks on, names asked of the DNS and cached."""
    name = "postern-dns"
    base = "postern"
    proof = ALL_PASS
    RESOLVER = "resolver {{ address 127.0.0.1:53; }}"
    POLICY = """
        policy open {{
            max-size 100M;
            rule forged {{ when dmarc fail and dmarc-policy reject; then reject "forged"; }}
            rule unsent {{ when spf fail and dmarc none; then reject "not from here"; }}
            otherwise accept;
        }}
        """

    def __init__(self, settings):
        super().__init__(settings)
        self.zone = settings.zone
        self.POLICY = self.RESOLVER + self.POLICY


class PosternLocal(PosternDns):
    """Checks on, names from a file."""
    name = "postern-local"
    RESOLVER = "resolver {{ address 127.0.0.1:53; local-data {folder}/local-data; }}"

    def command(self, place):
        write(os.path.join(place.folder, "local-data"), self.zone)
        return super().command(place)


class PostfixQueue(Postfix):
    """
    Postfix with a queue: milters see no message behind smtpd_proxy_filter, so those who
    check with milters run it like this.
    """
    base = None
    proof = ()
    share = 0.5
    tls = ()
    settle_seconds = 30   # its queue may be full when the client has its last reply
    sockets = ()          # files that must be there before mail comes
    more_main = ""
    more_master = ""

    MAIN = Postfix.MAIN.replace(
        "smtpd_proxy_filter = 127.0.0.1:{backend_port}",
        "relay_transport = relay:[127.0.0.1]:{backend_port}").replace(
        "permit_mynetworks, reject", "reject_unauth_destination")
    MASTER = Postfix.MASTER + """
        cleanup unix n - n - 0 cleanup
        qmgr unix n - n 300 1 qmgr
        bounce unix - - n - 0 bounce
        defer unix - - n - 0 bounce
        trace unix - - n - 0 bounce
        relay unix - - n - - smtp
        error unix - - n - - error
        retry unix - - n - - error
        """
    FOLDERS = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming",
               "saved", "trace")

    def helpers(self, place):
        """Configures what runs beside Postfix; gives command lines for the shell."""
        return []

    def command(self, place):
        master, environment = super().command(place)
        for name in self.FOLDERS:
            folder = os.path.join(place.folder, "spool", name)
            os.mkdir(folder)
            shutil.chown(folder, "mail")
            os.chmod(folder, 0o700)
        for name, text in (("main.cf", self.more_main), ("master.cf", self.more_master)):
            with open(os.path.join(place.folder, "etc", name), "a", encoding="ascii") as file:
                file.write(text.format(folder=place.folder))
        helpers = self.helpers(place)
        if not helpers:
            return master, environment
        libraries = [os.path.join(self.peers_root(), path)
                     for path in ("usr/lib/" + self.triplet(), "usr/lib/rspamd", "usr/lib")]
        environment["LD_LIBRARY_PATH"] += ":" + ":".join(libraries)
        script = "".join(f"{helper} &\n" for helper in helpers) + 'exec "$@"'
        return ["sh", "-c", script, "sh"] + master, environment

    def start(self, place):
        super().start(place)
        deadline = time.monotonic() + START_SECONDS
        for name in self.sockets:
            while not os.path.exists(os.path.join(place.folder, name)):
                if time.monotonic() > deadline:
                    self.stop()
                    raise Failure(f"{self.name}: {name} does not come: {self.last_words()}")
                time.sleep(0.05)

    def peers_root(self):
        return os.path.join(self.settings.servers, "peers", "root")

    @staticmethod
    def triplet():
        return subprocess.run(["gcc", "-dumpmachine"], stdout=subprocess.PIPE, text=True,
                              check=False).stdout.strip()

    def fetch_peers(self):
        """What fetch-peers says it has."""
        run = subprocess.run(
            [os.path.join(SOURCE, "contrib/load/fetch-peers"),
             os.path.join(self.settings.servers, "peers")], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        words = run.stdout.splitlines() or ["fetch-peers failed"]
        if run.returncode != 0:
            raise Unavailable(words[-1])
        return words[-1].split(", ")


class PostfixRspamd(PostfixQueue):
    """The same with rspamd as a milter: one process scans, and only these three modules."""
    name = "postfix-rspamd"
    base = "postfix"
    proof = ALL_PASS
    share = 0.3
    sockets = ("rspamd.sock",)
    more_main = """
smtpd_milters = unix:{folder}/rspamd.sock
milter_default_action = tempfail
"""
    CONFIGURATION = """
        options {{
            pidfile = "{folder}/rspamd.pid";
            filters = "dkim";
            dns {{ nameserver = ["127.0.0.1"]; timeout = 1s; sockets = 16; retransmits = 5; }}
            tempdir = "{folder}";
            url_tld = "{share}/effective_tld_names.dat";
            control_socket = "{folder}/control.sock mode=0600";
            cache_file = "{folder}/symbols.cache";
            hs_cache_dir = "{folder}/";
            local_addrs = [];
            explicit_modules = [];
        }}
        logging {{ type = "file"; filename = "{folder}/rspamd.log"; level = "warning"; }}
        worker "rspamd_proxy" {{
            bind_socket = "{folder}/rspamd.sock mode=0666";
            milter = yes;
            timeout = 120s;
            upstream "local" {{ default = yes; self_scan = yes; }}
            count = 1;
        }}
        lua = "{folder}/rspamd.lua";
        metric {{ name = "default"; }}
        actions {{ reject = 1000; add_header = 900; greylist = null; }}
        group "policies" {{ .include "{root}/etc/rspamd/scores.d/policies_group.conf" }}
        modules {{
            path = "{share}/plugins/spf.lua";
            path = "{share}/plugins/dmarc.lua";
            path = "{share}/plugins/milter_headers.lua";
        }}
        spf {{ spf_cache_size = 2k; spf_cache_expire = 1d; }}
        dkim {{ dkim_cache_size = 2k; dkim_cache_expire = 1d; time_jitter = 6h; }}
        dmarc {{ }}
        milter_headers {{ use = ["authentication-results"]; skip_local = false; }}
        """

    def prepare(self):
        super().prepare()
        self.version += " with a queue, " + self.fetch_peers()[0]

    def helpers(self, place):
        root = self.peers_root()
        share = os.path.join(root, "usr/share/rspamd")
        write(os.path.join(place.folder, "rspamd.lua"), "")
        configuration = write(os.path.join(place.folder, "rspamd.conf"),
                              self.CONFIGURATION.format(folder=place.folder, root=root,
                                                        share=share))
        return [f"'{root}/usr/bin/rspamd' -f -i -c '{configuration}' "
                f"--var SHAREDIR='{share}' --var LUALIBDIR='{share}/lualib' "
                f"--var DBDIR='{place.folder}' --var RUNDIR='{place.folder}'"]


class PostfixMilters(PostfixQueue):
    """The same with opendkim and opendmarc as milters, and policyd-spf as a policy service."""
    name = "postfix-milters"
    base = "postfix"
    proof = ALL_PASS
    share = 0.1
    sockets = ("dkim.sock", "dmarc.sock")
    more_main = """
smtpd_milters = unix:{folder}/dkim.sock, unix:{folder}/dmarc.sock
milter_default_action = tempfail
smtpd_recipient_restrictions = check_policy_service unix:private/policyd-spf
policyd-spf_time_limit = 3600
"""
    more_master = """
policyd-spf unix - n n - 0 spawn user=nobody
    argv=/usr/bin/env PYTHONPATH={folder}/python
    /usr/bin/python3 {folder}/policyd-spf {folder}/spf.conf
"""
    DKIM = """
        Mode v
        Socket local:{folder}/dkim.sock
        UMask 000
        AuthservID mx.bench.example
        Nameservers 127.0.0.1
        Syslog no
        """
    DMARC = """
        Socket local:{folder}/dmarc.sock
        UMask 000
        AuthservID mx.bench.example
        TrustedAuthservIDs mx.bench.example
        RejectFailures true
        Syslog false
        """
    SPF = """
        debugLevel = 0
        TestOnly = 1
        HELO_reject = Fail
        Mail_From_reject = Fail
        PermError_reject = False
        TempError_Defer = False
        Header_Type = AR
        Authserv_Id = mx.bench.example
        """

    def prepare(self):
        super().prepare()
        self.version += " with a queue, " + ", ".join(self.fetch_peers()[1:])

    def helpers(self, place):
        root, folder = self.peers_root(), place.folder
        # nobody, who runs it, may not read where it was unpacked
        shutil.copytree(os.path.join(root, "usr/lib/python3/dist-packages"),
                        os.path.join(folder, "python"))
        shutil.copy(os.path.join(root, "usr/bin/policyd-spf"), folder)
        for name, text in (("dkim.conf", self.DKIM), ("dmarc.conf", self.DMARC),
                           ("spf.conf", self.SPF)):
            write(os.path.join(folder, name), text.format(folder=folder))
        return [f"'{root}/usr/sbin/opendkim' -f -x '{folder}/dkim.conf'",
                f"'{root}/usr/sbin/opendmarc' -f -c '{folder}/dmarc.conf'"]


CHECKED = (PosternOff, PosternDns, PosternLocal, PostfixQueue, PostfixRspamd, PostfixMilters)
