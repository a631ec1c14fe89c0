# SPDX-License-Identifier: BSD-2-Clause
"""Starting and ending: options, refusals, privileges, signals, limits."""
import contextlib
import ctypes
import os
import pwd
import re
import resource
import shutil
import signal
import socket
import time

from gateway import (POSTERND, PATIENCE, Client, Failure, GatewayTests, expect, require_root,
                     send)

# See capabilities(7) and prctl(2).
CAP_SYS_RESOURCE = 24
PR_CAPBSET_DROP = 24


def may_raise_hard_limits():
    with open("/proc/self/status", encoding="ascii") as file:
        return int(re.search(r"CapEff:\s+(\w+)", file.read()).group(1), 16) >> CAP_SYS_RESOURCE & 1


def give_up_raising_hard_limits():
    """For what this process becomes by exec; without the capability there is nothing to do."""
    if may_raise_hard_limits() and ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_SYS_RESOURCE) != 0:
        raise OSError("CAP_SYS_RESOURCE cannot be given up")


class StartTests(GatewayTests):
    def test_checking_says_what_is_wrong_and_by_its_status(self):
        good = self.gateway.check("-t", "-c", self.gateway.config_path)
        expect(good.returncode == 0, f"good: got {good.returncode}: {good.stderr}")
        expect("can be loaded" in good.stdout, f"good: got {good.stdout}")
        self.gateway.write_config(more="nonsense 1;")
        bad = self.gateway.check("-t", "-c", self.gateway.config_path)
        expect(bad.returncode == 2, f"bad: got {bad.returncode}")
        expect(re.search(r"postern\.conf:\d+:1: error: .*nonsense", bad.stderr),
               f"bad: got {bad.stderr}")
        missing = self.gateway.check("-t", "-c", "/nonexistent/postern.conf")
        expect(missing.returncode == 2 and "/nonexistent/postern.conf" in missing.stderr,
               f"missing: got {missing.returncode}: {missing.stderr}")

    def test_a_configuration_with_errors_does_not_start(self):
        self.gateway.write_config(more="nonsense 1;")
        bad = self.gateway.check("-c", self.gateway.config_path)
        expect(bad.returncode == 2, f"got {bad.returncode}")
        expect("nonsense" in bad.stderr, f"got {bad.stderr}")

    def test_unknown_options_and_words_are_refused(self):
        for arguments in (("-x",), ("start",)):
            got = self.gateway.check(*arguments)
            expect(got.returncode == 2 and "usage:" in got.stderr, f"{arguments}: got {got}")
        version = self.gateway.check("-V")
        expect(version.returncode == 0 and re.match(r"posternd \(postern\) \d", version.stdout),
               f"got {version}")

    def test_an_address_in_use_stops_the_start_with_its_name(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            self.gateway.write_config(listen=f"listen {address};")
            got = self.gateway.check("-c", self.gateway.config_path)
        expect(got.returncode == 2 and f"cannot listen on {address}" in got.stderr, f"got {got}")

    def test_root_without_a_user_is_refused(self):
        require_root()
        self.gateway.write_config(user_line="")
        for arguments in (("-t",), ()):
            got = self.gateway.check(*arguments, "-c", self.gateway.config_path)
            expect(got.returncode == 2 and '"user postern;"' in got.stderr, f"got {got}")
        self.gateway.write_config(user_line="user root;")
        got = self.gateway.check("-t", "-c", self.gateway.config_path)
        expect(got.returncode == 2 and "root itself" in got.stderr, f"got {got}")
        self.gateway.write_config(user_line="user no-such-user;")
        got = self.gateway.check("-t", "-c", self.gateway.config_path)
        expect(got.returncode == 2 and "no user" in got.stderr, f"got {got}")

    def test_privileges_are_given_up_and_cannot_come_back(self):
        require_root()
        # The program may lie where its user cannot see it.
        hidden = os.path.join(self.gateway.folder, "hidden")
        os.mkdir(hidden, 0o700)
        self.gateway.program = shutil.copy2(POSTERND, hidden)
        self.gateway.start()
        nobody = str(pwd.getpwnam("nobody").pw_uid)
        for pid in self.gateway.children("posternd: "):
            with open(f"/proc/{pid}/status", encoding="ascii") as file:
                status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
            expect(status["Uid"].split() == [nobody] * 4, f"Uid: got {status['Uid']}")
            expect("0" not in status["Groups"].split(), f"Groups: got {status['Groups']}")
            expect(int(status["CapEff"], 16) == 0, f"CapEff: got {status['CapEff']}")
            expect(status["NoNewPrivs"] == "1", f"NoNewPrivs: got {status['NoNewPrivs']}")
        expect(send(self.gateway.port)[0] == 250, "no mail goes through")

    def test_a_spool_folder_that_the_user_cannot_write_to_is_refused(self):
        require_root()
        os.chown(self.gateway.spool, 0, 0)
        os.chmod(self.gateway.spool, 0o700)
        got = self.gateway.check("-t", "-c", self.gateway.config_path)
        expect(got.returncode == 2 and "nobody cannot write to the spool-folder" in got.stderr,
               f"got {got}")

    def test_sigterm_lets_sessions_end_and_refuses_new_ones(self):
        self.gateway.start()
        port = self.gateway.port
        client = Client(port)
        idle = Client(port)
        expect(client.begin()[0] == 354, "no 354")
        expect(idle.hello()[0] == 250, "no greeting")
        self.gateway.signal(signal.SIGTERM)
        self.gateway.wait_log(r"event=stopping ")
        code, text = idle.read()
        expect(code == 421, f"the idle session got {code} {text}")
        code, text = client.say("Subject: late\r\n\r\nbody\r\n.")
        expect(code == 250, f"the open transaction got {code} {text}")
        code, text = client.read()
        expect(code == 421, f"after it, got {code} {text}")
        client.close()
        idle.close()
        expect(self.gateway.process.wait(PATIENCE) == 0, "the exit status is not 0")
        self.gateway.wait_log(r"event=transaction verdict=accept ")
        with contextlib.suppress(ConnectionError):
            Client(port).close()
            raise Failure("somebody still listens")

    def test_sessions_that_do_not_end_are_cut_off_after_the_drain_timeout(self):
        self.gateway.write_config(drain="300ms")
        self.gateway.start()
        client = Client(self.gateway.port)
        expect(client.begin()[0] == 354, "no 354")
        begin = time.monotonic()
        expect(self.gateway.stop() == 0, "the exit status is not 0")
        expect(0.25 < time.monotonic() - begin < 10, f"it took {time.monotonic() - begin} s")
        client.close()
        self.gateway.wait_log(r"verdict=(abort|tempfail) ")
        expect(not self.backend.mails, "half a mail was delivered")

    def test_a_second_sigterm_cuts_sessions_off_at_once(self):
        self.gateway.write_config(drain="1h")
        self.gateway.start()
        client = Client(self.gateway.port)
        expect(client.begin()[0] == 354, "no 354")
        self.gateway.signal(signal.SIGTERM)
        self.gateway.wait_log(r"event=stopping ")
        expect(self.gateway.stop() == 0, "the exit status is not 0")
        client.close()

    def test_children_have_only_their_own_descriptors(self):
        require_root()  # nobody else may look at them
        with open("/dev/null", "rb") as stray:
            os.set_inheritable(stray.fileno(), True)
            self.gateway.start(pass_fds=(stray.fileno(),))
            for pid in self.gateway.children("posternd: "):
                for number in os.listdir(f"/proc/{pid}/fd"):
                    target = os.readlink(f"/proc/{pid}/fd/{number}")
                    expect(number in ("0", "1") or target != "/dev/null",
                           f"descriptor {number} of {pid} is {target}")
                    expect("posternd" not in target and self.gateway.config_path != target,
                           f"descriptor {number} of {pid} is {target}")

    def limit_of_descriptors(self):
        """(soft, hard) of a worker."""
        pid = self.gateway.children("posternd: worker")[0]
        with open(f"/proc/{pid}/limits", encoding="ascii") as file:
            found = re.search(r"Max open files\s+(\d+)\s+(\d+)", file.read())
        return int(found.group(1)), int(found.group(2))

    def test_the_limit_of_descriptors_is_raised(self):
        # The hard limit, too, where that is allowed.
        hard = 256 if may_raise_hard_limits() else resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        self.gateway.write_config(more="max-sessions 300;", backend="max-connections 30;",
                                  listen="listen" + 60 * " 127.0.0.1:0" + ";", workers=4)
        self.gateway.start(preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard)))
        soft, now = self.limit_of_descriptors()
        expect(2 * 300 + 30 + 4 * 60 + 300 < soft < 1600, f"the limit is {soft}")
        expect(now == max(soft, hard), f"the hard limit was {hard} and is {now}")
        expect(not self.gateway.find(r"event=few-descriptors"), "there is a warning")

    def test_a_limit_of_descriptors_that_may_not_be_raised_is_named(self):
        def lower():
            give_up_raising_hard_limits()
            resource.setrlimit(resource.RLIMIT_NOFILE, (200, 256))
        self.gateway.start(preexec=lower)
        expect(self.limit_of_descriptors() == (256, 256), f"got {self.limit_of_descriptors()}")
        self.gateway.wait_log(r"event=few-descriptors .* 256")
