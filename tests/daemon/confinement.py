# SPDX-License-Identifier: BSD-2-Clause
"""Each process keeps what it needs: code that gets into one can do no more than that.

trespass.c is that code. Every attempt must fail, or be the end of the process, which the master
then replaces; and mail must go through all the while.
"""
import contextlib
import ctypes
import os
import re
import signal
import socket

from disks import send_large
from gateway import Failure, GatewayTests, Skip, expect, is_alive, require_root, send, wait_for
from held_mail import RULES, send_held

HERE = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(HERE, "trespass.c"), encoding="ascii") as source:
    ATTEMPTS = re.findall(r'^    \{ "(\w+)", \w+ \},$', source.read(), re.M)

# Whoever they come from.
DEADLY = ("start_program", "start_process", "trace_master", "make_namespace")
REFUSED = ("read_system_file", "read_beside_folder", "make_file_in_tmp",
           "make_unnamed_file_in_tmp", "connect_unix", "send_udp", "listen_on_port",
           "signal_master", "let_kernel_signal", "run_written_memory")
# In the folder that it has, a worker makes files without names, and a keeper is at home.
OF_WORKER = {"read_known_file": "refused", "list_folder": "refused",
             "make_file_in_folder": "refused", "make_unnamed_file_in_folder": "done"}
OF_KEEPER = {"read_known_file": "done", "list_folder": "done", "make_file_in_folder": "done",
             "connect_elsewhere": "refused"}
OF_LOGGER = {"connect_elsewhere": "refused"}
OF_SPF = {"connect_elsewhere": "refused"}
WITH_SPF = "checks { spf-engine both; }"

NO_LANDLOCK = r"event=sandbox-partial .*this kernel has no landlock"


def landlock_version():
    """As the kernel has it; below 1: not at all."""
    create_ruleset, give_version = 444, 1
    return ctypes.CDLL(None, use_errno=True).syscall(create_ruleset, None, ctypes.c_size_t(0),
                                                     give_version)


def read_proc(pid, name):
    """{key: first word} of /proc/PID/NAME with lines "KEY: WORD"."""
    with open(f"/proc/{pid}/{name}", encoding="ascii") as file:
        return dict(re.findall(r"^(\w[\w ]*?)(?::|  )\s*(\S+)", file.read(), re.M))


class ConfinementTests(GatewayTests):
    def start(self, more="", **settings):
        held = os.path.join(self.gateway.folder, "held")
        for path in (os.path.join(self.gateway.spool, "known"), os.path.join(held, "known"),
                     os.path.join(self.gateway.folder, "beside")):
            with open(path, "w", encoding="ascii") as file:
                file.write("mail of others\n")
            os.chmod(path, 0o644)
        rules = RULES.format(folder=held, settings="")
        self.gateway.write_config(workers=1, more=f"max-spool-memory 1M; {more} {rules}",
                                  **settings)
        self.gateway.start()
        if self.gateway.find(r"event=sandbox-off .*built to watch itself"):
            raise Skip("this build has no sandbox: it watches itself")

    def pid(self, role, filters="2"):
        """Of one that has got as far as its sandbox, or with "0" that has none."""
        def look():
            for pid in self.gateway.children(f"posternd: {role}"):
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    if read_proc(pid, "status").get("Seccomp") == filters:
                        return pid
            return None
        return wait_for(look, f"a {role} whose filters of system calls are {filters}")

    def trespass(self, role, name, filters="2"):
        """What became of it: done, refused, or killed."""
        pid = self.pid(role, filters)
        told = rf"^trespass: {name}: (\w+)"
        died = rf"event={role}-died .*process {pid}, ended with (.*?)[;\"]"
        before = len(self.gateway.find(told))
        os.kill(pid, signal.SIGRTMIN + ATTEMPTS.index(name))
        wait_for(lambda: len(self.gateway.find(told)) > before or self.gateway.find(died),
                 f"word of {name} in the {role}")
        if len(self.gateway.find(told)) > before:
            return self.gateway.find(told)[-1]
        end = self.gateway.find(died)[0]
        expect(end.startswith("signal 31 "), f"{name} in the {role}: it ended with {end}")
        return "killed"

    def try_all(self, role, others):
        wanted = {**dict.fromkeys(REFUSED, "refused"), **others, **dict.fromkeys(DEADLY, "killed")}
        for name, want in wanted.items():
            got = self.trespass(role, name)
            expect(got == want, f"{name} in the {role}: {got}, and not {want}")
        self.expect_mail()

    def expect_mail(self):
        """Of each kind: small, through the spool, and held."""
        port = self.gateway.port
        for kind, how in (("small", send), ("large", send_large), ("held", send_held)):
            wait_for(lambda how=how: self.is_taken(how, port), f"{kind} mail to go through")

    @staticmethod
    def is_taken(how, port):
        with contextlib.suppress(OSError, Failure):
            return how(port)[0] == 250
        return False

    # ---- Who breaks in ----

    def test_a_worker_opens_nothing_outside_its_spool_and_starts_nothing(self):
        self.gateway.preload("trespass")
        self.start()
        self.try_all("worker", OF_WORKER)

    def test_a_worker_that_asks_the_dns_sends_datagrams_and_can_do_no_more(self):
        self.gateway.preload("trespass")
        self.start(more="resolver { address 127.0.0.1:53; }")
        self.try_all("worker", dict(OF_WORKER, send_udp="done"))

    def test_a_worker_connects_to_ports_of_backends_alone(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            self.gateway.preload("trespass", TRESPASS_PORT=str(other.getsockname()[1]))
            self.start()
            # Landlock knows ports since its version 4; without that, the manual says so.
            want = "refused" if landlock_version() >= 4 else "done"
            got = self.trespass("worker", "connect_elsewhere")
            expect(got == want, f"got {got}, want {want}")
            self.expect_mail()

    def test_a_keeper_has_its_folder_and_nothing_else(self):
        if os.geteuid() != 0 and landlock_version() < 1:
            raise Skip("neither root nor landlock: what keeps a keeper to its folder is missing")
        self.gateway.preload("trespass", TRESPASS_PORT="25")
        self.start()
        self.try_all("keeper", OF_KEEPER)

    def test_a_logger_has_its_descriptors_and_nothing_else(self):
        self.gateway.preload("trespass", TRESPASS_PORT="25")
        self.start()
        self.try_all("logger", OF_LOGGER)

    def test_libspf2_has_its_descriptors_and_nothing_else(self):
        self.gateway.preload("trespass", TRESPASS_PORT="25")
        self.start(more=WITH_SPF)
        self.try_all("spf", OF_SPF)

    def test_who_breaks_in_could_do_all_that_without_a_sandbox(self):
        """So that the others show what they seem to show."""
        with socket.create_server(("127.0.0.1", 0)) as other, contextlib.ExitStack() as stack:
            stack.callback(self.remove_made_file)
            self.gateway.preload("trespass", TRESPASS_PORT=str(other.getsockname()[1]))
            self.start(more="sandbox off; " + WITH_SPF)
            expect(self.gateway.find(r"event=sandbox-off .*the configuration says so"), "not said")
            expect(self.gateway.find(r"lint\.sandbox-off"), "no warning")
            self.expect_mail()  # everyone is at work
            for role in ("worker", "keeper", "logger", "spf"):
                for name in ("read_system_file", "make_file_in_tmp", "start_process",
                             "connect_unix", "send_udp", "listen_on_port", "connect_elsewhere",
                             "run_written_memory"):
                    got = self.trespass(role, name, filters="0")
                    expect(got == "done", f"{name} in the {role}: {got}")
            for name in ("read_known_file", "make_file_in_folder", "list_folder"):
                expect(self.trespass("worker", name, filters="0") == "done", f"{name}")
            self.expect_mail()

    @staticmethod
    def remove_made_file():
        with contextlib.suppress(FileNotFoundError):
            os.unlink("/tmp/postern-trespass")

    # ---- What a system lacks ----

    def test_without_landlock_that_is_said_once_and_the_filter_holds(self):
        self.gateway.preload("no_landlock")
        self.gateway.preload("trespass")
        self.start()
        others = dict(OF_WORKER)
        if os.geteuid() != 0:
            others["make_unnamed_file_in_tmp"] = "done"
        self.try_all("worker", others)
        self.gateway.signal(signal.SIGHUP)
        self.gateway.wait_log(r"event=reloaded ")
        expect(len(self.gateway.find(NO_LANDLOCK)) == 1, "it is not said once")
        self.expect_mail()

    def test_a_kernel_with_landlock_lacks_nothing(self):
        self.start()
        expect(bool(self.gateway.find(NO_LANDLOCK)) == (landlock_version() < 1),
               f"landlock has version {landlock_version()}")

    def test_a_file_system_without_unnamed_files_will_do(self):
        self.gateway.preload("no_unnamed_files")
        self.gateway.preload("trespass")
        self.start()
        self.expect_mail()
        for name in ("read_known_file", "list_folder", "read_beside_folder", "read_system_file",
                     "make_file_in_tmp"):
            got = self.trespass("worker", name)
            expect(got == "refused", f"{name}: {got}")
        self.expect_mail()
        expect(os.listdir(self.gateway.spool) == ["known"], "a file is left in the spool folder")

    def test_a_system_without_filters_is_told_and_nothing_starts_unconfined_unasked(self):
        self.gateway.preload("no_filters")
        self.start(more="sandbox off;")
        self.gateway.write_config()
        self.gateway.signal(signal.SIGHUP)
        self.gateway.wait_log(r"event=config-refused .*filter of system calls.*sandbox\.refused")
        self.expect_mail()
        expect(self.gateway.stop() == 0, "no clean end")
        got = self.gateway.check("-c", self.gateway.config_path)
        expect(got.returncode == 2 and "cannot enter the sandbox" in got.stderr, f"got {got}")

    # ---- From outside ----

    def test_every_process_but_the_master_is_confined(self):
        self.start(more=WITH_SPF)
        for role in ("worker", "keeper", "logger", "spf"):
            pid = self.pid(role)
            status, limits = read_proc(pid, "status"), read_proc(pid, "limits")
            expect(status["Seccomp"] == "2" and status["NoNewPrivs"] == "1", f"{role}: {status}")
            expect(limits["Max core file size"] == "0", f"{role}: {limits}")
            expect(role == "worker" or limits["Max processes"] == "0", f"{role}: {limits}")
        limits = read_proc(self.pid("spf"), "limits")
        expect(limits["Max data size"] == str(64 << 20), f"memory of spf: {limits}")
        limits = read_proc(self.pid("worker"), "limits")
        expect(limits["Max file size"] == str(2**30), f"not max-spool-disk: {limits}")

    def test_roots_are_as_small_as_can_be(self):
        require_root()
        self.start()
        root = f"/proc/{self.pid('worker')}/root"
        expect(re.fullmatch(r"/proc/\d+/fdinfo", os.readlink(root)), f"got {os.readlink(root)}")
        with contextlib.suppress(OSError):  # it is the folder of a process that is no more
            expect(not os.listdir(root), "a worker's root is not empty")
        expect(os.path.samefile(f"/proc/{self.pid('keeper')}/root",
                                os.path.join(self.gateway.folder, "held")),
               "the keeper's root is not its folder")

    def test_memory_of_others_is_out_of_reach_for_their_user(self):
        """Another process of the user, a worker that was taken over say, can look into none."""
        require_root()
        self.start()
        for pid in (self.gateway.process.pid, *[self.pid(role) for role in
                                                ("worker", "keeper", "logger")]):
            owner = os.stat(f"/proc/{pid}/environ").st_uid
            expect(owner == 0, f"/proc/{pid}/environ belongs to {owner}")

    def test_a_reload_takes_the_sandbox_away_and_brings_it_back(self):
        self.start(more="sandbox off;")
        for setting, want in (("on", "2"), ("off", "0")):
            old = self.gateway.children("posternd: worker")[0]
            self.gateway.write_config(workers=1, more=f"sandbox {setting};")
            self.gateway.signal(signal.SIGHUP)
            wait_for(lambda old=old: not is_alive(old), "the old worker to end")
            self.pid("worker", filters=want)
            expect(send(self.gateway.port)[0] == 250, f"{setting}: no mail goes through")
