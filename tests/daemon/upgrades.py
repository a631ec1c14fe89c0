# SPDX-License-Identifier: BSD-2-Clause
"""Upgrades: the program is replaced while it runs, as a package manager does it, under load too."""
import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

from gateway import (PATIENCE, POSTERND, Client, GatewayTests, Load, expect, is_alive, send,
                     wait_for)
from spf_engine import TITLE as SPF_TITLE, ask_engine

NEXT_VERSION = b"9.9.9"
# Of enum handover_type, which never change.
HANDOVER_ESTATE = 0
HANDOVER_DIAGNOSTIC = 1


def version():
    got = subprocess.run([POSTERND, "-V"], capture_output=True, check=True, timeout=PATIENCE)
    return got.stdout.split()[-1]


def next_program():
    """The bytes of a program that differs from ours in its version, if that is as long."""
    with open(POSTERND, "rb") as file:
        program = file.read()
    own = version()
    return program.replace(own, NEXT_VERSION) if len(own) == len(NEXT_VERSION) else program


class UpgradeTests(GatewayTests):
    def install(self, program=None, mode=0o755):
        """Puts other bytes in the place of the program: a new file, and no other one."""
        path = self.gateway.program + ".new"
        with open(path, "wb") as file:
            file.write(next_program() if program is None else program)
        os.chmod(path, mode)
        os.rename(path, self.gateway.program)

    def start(self, **settings):
        self.gateway.program = shutil.copy(POSTERND, os.path.join(self.gateway.folder, "posternd"))
        if settings:
            self.gateway.write_config(**settings)
        self.gateway.start()

    def upgrade(self, count=1):
        self.install()
        self.gateway.signal(signal.SIGUSR2)
        self.gateway.wait_log(r"event=upgraded ", count)

    def wait_alone(self, workers=2):
        """Until the workers of the generation before have ended."""
        wait_for(lambda: len(self.gateway.children("posternd: worker")) == workers,
                 "the old workers to end")

    def is_new(self, pid):
        """Does this process run the file that lies there now?"""
        return os.path.samefile(f"/proc/{pid}/exe", self.gateway.program)

    def expect_still_old(self, workers):
        expect(self.gateway.children("posternd: worker") == workers, "the workers have changed")
        expect(send(self.gateway.port)[0] == 250, "no mail goes through")

    def test_libspf2_of_either_program_answers_its_own_workers(self):
        self.start(more=ask_engine(self.gateway.folder, "both"))
        old = self.gateway.children(SPF_TITLE)[0]
        client = Client(self.gateway.port)
        expect(client.begin()[0] == 354, "no 354")
        self.upgrade()
        wait_for(lambda: self.gateway.children(SPF_TITLE) not in ([], [old]), "a new one")
        expect(is_alive(old), "the old one has left a worker alone")
        code, text = client.say("Subject: x\r\nFrom: a@example.com\r\n\r\nbody\r\n.")
        expect(code == 250, f"got {code} {text}")
        client.close()
        self.gateway.wait_log(r"verdict=accept .*spf_libspf2=permerror ")
        wait_for(lambda: not is_alive(old), "the old one to end")
        expect(send(self.gateway.port)[0] == 250, "no mail goes through after that")
        self.gateway.wait_log(r"verdict=accept .*spf_libspf2=permerror ", 2)

    def test_a_replaced_program_takes_over_with_the_same_process_and_sockets(self):
        self.start()
        port, pid = self.gateway.port, self.gateway.process.pid
        before = self.gateway.children("posternd: ")
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            command = file.read()
        expect(send(port)[0] == 250, "no mail goes through")
        self.upgrade()
        self.wait_alone()
        expect(self.gateway.process.poll() is None and self.is_new(pid), "the old one runs")
        wait_for(lambda: len(self.gateway.children("posternd: logger")) == 1, "one logger")
        after = self.gateway.children("posternd: ")
        expect(len(after) == 3 and not set(before) & set(after), f"{before} became {after}")
        expect(all(self.is_new(child) for child in after), "a child is of the old program")
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            expect(file.read() == command, "people see another command")
        with open(f"/proc/{pid}/comm", encoding="ascii") as file:
            expect(file.read() == "posternd\n", "it goes by another name")
        with open(f"/proc/{pid}/environ", "rb") as file:
            expect(file.read().count(b"POSTERN_ESTATE") == 1, "nothing was handed over")
        expect(send(port)[0] == 250, "no mail goes through after it")
        expect(self.gateway.stop() == 0, "no clean end")
        own = version().decode()
        expect(self.gateway.find(rf"event=started .*postern {re.escape(own)} serves"), "no start")
        expect(self.gateway.find(rf"event=upgrading .* goes on in place of {re.escape(own)}"),
               "nobody says who goes on")
        if len(own) == len(NEXT_VERSION):
            expect(self.gateway.find(r"event=upgraded .*postern 9\.9\.9 serves in place of .*"
                                     r"generation 2, 2 workers"), "nobody says who serves")
        expect(len(self.gateway.find(r"event=ready ")) == 1, "the address was told twice")
        expect([len(self.gateway.find(rf"verdict=accept .*gen={number}$")) for number in (1, 2)]
               == [1, 1], "a mail has no line, or two")

    def test_upgrades_under_load_lose_no_connection_no_mail_and_no_line(self):
        self.start()
        load = Load(self.gateway.port, clients=6)
        for number in range(1, 6):
            wait_for(lambda: len(load.accepted) > 25 * number, "mail to go through")
            self.gateway.write_config(workers=1 + number % 3)
            self.upgrade(number)
        load.end()
        load.expect_accounted(self.gateway, self.backend)

    def test_upgrades_and_reloads_in_a_row_leave_nothing_behind(self):
        self.start()
        counts = []
        for number in range(1, 5):
            self.upgrade(number)
            self.gateway.signal(signal.SIGHUP)
            self.gateway.wait_log(r"event=reloaded ", number)
            self.wait_alone()
            self.gateway.signal(signal.SIGUSR1)  # its answer: what was before is over
            wait_for(lambda: len(self.gateway.children("posternd: ")) == 3, "three children")
            time.sleep(0.3)
            counts.append(len(os.listdir(f"/proc/{self.gateway.process.pid}/fd")))
        expect(counts[-1] == counts[0], f"its descriptors grow: {counts}")
        expect(self.gateway.stop() == 0, "no clean end")

    def test_a_session_goes_on_over_an_upgrade(self):
        self.start(drain="20s")
        client = Client(self.gateway.port)
        expect(client.begin()[0] == 354, "no 354")
        self.upgrade()
        code, text = client.say("Subject: old\r\n\r\nbody\r\n.")
        expect(code == 250, f"got {code} {text}")
        client.close()
        expect(send(self.gateway.port)[0] == 250, "no mail goes through")
        expect(self.gateway.stop() == 0, "no clean end")
        for number in (1, 2):
            expect(len(self.gateway.find(rf"verdict=accept .*gen={number}$")) == 1,
                   f"not one line of generation {number}")

    def test_who_has_just_come_sends_a_mail_over_an_upgrade(self):
        self.start()
        client = Client(self.gateway.port)
        expect(client.hello()[0] == 250, "no greeting")
        self.upgrade()
        for line, want in (("MAIL FROM:<a@example.net>", 250), ("RCPT TO:<b@example.org>", 250),
                           ("DATA", 354), ("Subject: y\r\n\r\nbody\r\n.", 250)):
            code, text = client.say(line)
            expect(code == want, f"{line}: got {code} {text}")
        client.close()
        self.gateway.wait_log(r"verdict=accept .*gen=1$")

    def test_a_link_to_the_program_is_followed_to_where_it_leads_then(self):
        self.start()
        expect(self.gateway.stop() == 0, "no clean end")
        versions = [shutil.copy(POSTERND, os.path.join(self.gateway.folder, name))
                    for name in ("posternd-1", "posternd-2")]
        link = os.path.join(self.gateway.folder, "link")
        os.symlink(versions[0], link)
        self.gateway.program = os.path.relpath(link, self.gateway.folder)
        self.gateway.program = "./" + self.gateway.program
        self.gateway.start(wait=False)
        self.gateway.wait_log(r"event=started ", 2)
        os.symlink(versions[1], link + ".new")
        os.rename(link + ".new", link)
        self.gateway.signal(signal.SIGUSR2)
        self.gateway.wait_log(r"event=upgraded ")
        expect(os.path.samefile(f"/proc/{self.gateway.process.pid}/exe", versions[1]),
               "the link was not followed")

    # ---- Refusals: everything stays.

    def expect_refused(self, pattern):
        workers = self.gateway.children("posternd: worker")
        refused = r"event=upgrade-refused .*the program that runs goes on"
        count = len(self.gateway.find(refused))
        self.gateway.signal(signal.SIGUSR2)
        self.gateway.wait_log(refused, count + 1)
        expect(self.gateway.find(rf"event=upgrade-refused .*{pattern}"),
               f"no sentence with {pattern}")
        self.expect_still_old(workers)

    def test_what_cannot_take_over_is_refused_and_everything_stays(self):
        self.start()
        with open("/bin/true", "rb") as file:
            willing = file.read()
        for program, mode, pattern in (
                (b"\x7fELF and nothing else", 0o755, "the system cannot run it"),
                (b"#!/bin/sh\nexit 0\n", 0o755, "does not take over"),
                (b"x", 0o644, "is no program that may be run"),
                (willing, 0o755, "it ended with exit status 0")):
            self.install(program, mode)
            self.expect_refused(pattern)
        os.unlink(self.gateway.program)
        self.expect_refused("cannot open .*: No such file")
        self.upgrade()
        expect(self.gateway.stop() == 0, "no clean end")

    def ask_heir(self, description, seals):
        """What our program says as an heir: (exit status, its sentence)."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        high = os.dup2(theirs.fileno(), 100)
        theirs.close()
        heir = subprocess.Popen(["bash", "-c", 'exec -a "posternd: heir" "$0" 3<&100 100<&-',
                                 POSTERND], pass_fds=[high])
        os.close(high)
        file = os.memfd_create("test", os.MFD_ALLOW_SEALING)
        os.write(file, description)
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, seals)
        socket.send_fds(ours, [HANDOVER_ESTATE.to_bytes(4, sys.byteorder)], [file])
        os.close(file)
        status = heir.wait(PATIENCE)
        answer = ours.recv(8192)
        ours.close()
        expect(answer[:4] == HANDOVER_DIAGNOSTIC.to_bytes(4, sys.byteorder), f"got {answer}")
        return status, answer[8:].decode()

    def test_an_heir_takes_over_nothing_that_it_cannot_read(self):
        sealed = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
        mark = b"postern-estate\n\0"
        for description, seals, want in (
                (b"", sealed, "it ends too early"),
                (b"x" * 5000, sealed, "it is none at all"),
                (mark + (77).to_bytes(8, sys.byteorder) + b"x" * 5000, sealed,
                 "written in a way that this version does not know"),
                (mark + (1).to_bytes(8, sys.byteorder) + b"x" * 5000, sealed,
                 "its workers speak in another way than those of this version"),
                (mark, fcntl.F_SEAL_GROW, "cannot be read")):
            status, sentence = self.ask_heir(description, seals)
            expect(status == 2 and want in sentence, f"want {want}; got {status} {sentence}")

    def test_an_heir_that_dies_is_a_refusal(self):
        path = self.gateway.arrange_early_death("posternd: heir")
        self.start()
        open(path, "wb").close()
        self.expect_refused("asked whether it could, it ended with exit status 3")

    def test_a_configuration_that_the_new_program_does_not_load_is_a_refusal(self):
        self.start()
        self.gateway.write_config(more="nonsense 1;")
        self.install()
        self.expect_refused(r"postern\.conf:\d+:1: error: .*nonsense")
        self.gateway.write_config()
        self.upgrade()

    def test_an_heir_that_hangs_is_a_refusal_and_what_was_asked_meanwhile_follows(self):
        path = self.gateway.arrange_hang("posternd: heir")
        self.gateway.arrange_time()
        self.start()
        workers = self.gateway.children("posternd: worker")
        open(path, "wb").close()
        self.gateway.signal(signal.SIGUSR2)
        heir = wait_for(lambda: self.gateway.children("posternd: heir"), "the heir")
        self.gateway.signal(signal.SIGHUP)
        self.gateway.wait_log(r"event=reload-waits ")
        self.gateway.skip_time(55)
        time.sleep(0.5)
        expect(self.gateway.children("posternd: heir") == heir, "it was ended too soon")
        self.expect_still_old(workers)
        self.gateway.skip_time(10)
        self.gateway.wait_log(r"event=upgrade-refused .*not answered in 60 s; the program ")
        self.gateway.wait_log(r"event=reloaded ")
        expect(not self.gateway.children("posternd: heir"), "it was left alive")
        expect(self.gateway.stop() == 0, "no clean end")

    def test_workers_of_the_new_program_that_do_not_start_leave_the_old_ones(self):
        path = self.gateway.arrange_early_death("posternd: worker")
        self.start()
        workers = self.gateway.children("posternd: worker")
        open(path, "wb").close()
        self.install()
        self.gateway.signal(signal.SIGUSR2)
        self.gateway.wait_log(r"event=upgrading ")
        self.gateway.wait_log(r"event=generation-failed ")
        wait_for(lambda: self.gateway.children("posternd: worker") == workers,
                 "none but the old workers to be left")
        self.expect_still_old(workers)
        os.unlink(path)
        self.gateway.signal(signal.SIGHUP)
        self.gateway.wait_log(r"event=upgraded ")
        expect(send(self.gateway.port)[0] == 250, "no mail goes through")
        self.wait_alone()
        expect(not set(workers) & set(self.gateway.children("posternd: worker")), "one stays")
        expect(self.gateway.stop() == 0, "no clean end")

    def test_a_program_that_dies_as_it_takes_over_loses_no_mail(self):
        """The worst there is: nobody is left to go back to."""
        path = self.gateway.arrange_early_death(os.path.join(self.gateway.folder, "posternd"))
        self.start()
        client = Client(self.gateway.port)
        expect(client.begin()[0] == 354, "no 354")
        everyone = self.gateway.children("posternd: ")
        open(path, "wb").close()
        self.install()
        self.gateway.signal(signal.SIGUSR2)
        expect(self.gateway.process.wait(PATIENCE) == 3, "it did not die")
        code, text = client.say("Subject: x\r\n\r\nbody\r\n.")
        expect(code == 250, f"got {code} {text}")
        client.close()
        wait_for(lambda: not [pid for pid in everyone if os.path.exists(f"/proc/{pid}/fd/2")],
                 "the others to end")
        expect(len(self.gateway.find(r"verdict=accept ")) == 1, "not one line of it")

    def test_what_is_not_handed_over_is_not_taken_over(self):
        for value, pattern in (("99", "cannot be read"), ("0", "nothing was handed over"),
                               ("x", "nothing was handed over")):
            self.gateway.environment["POSTERN_ESTATE"] = value
            got = self.gateway.check("-c", self.gateway.config_path)
            expect(got.returncode == 1 and pattern in got.stderr, f"{value}: got {got}")

    # ---- Several things at once.

    def test_an_upgrade_during_a_reload_follows_it_and_a_reload_during_an_upgrade_too(self):
        self.start(drain="20s")
        client = Client(self.gateway.port)
        expect(client.begin()[0] == 354, "no 354")
        self.gateway.signal(signal.SIGHUP)
        self.gateway.wait_log(r"event=reloaded ")
        self.install()
        self.gateway.signal(signal.SIGUSR2)
        self.gateway.wait_log(r"event=upgrade-waits ")
        time.sleep(0.2)
        expect(not self.gateway.find(r"event=upgrading "), "three generations live")
        second = Client(self.gateway.port)
        expect(second.begin()[0] == 354, "no 354")
        expect(client.say("Subject: x\r\n\r\nbody\r\n.")[0] == 250, "no mail goes through")
        client.close()
        self.gateway.wait_log(r"event=upgraded ")
        self.gateway.signal(signal.SIGHUP)
        self.gateway.wait_log(r"event=reload-waits ")
        time.sleep(0.2)
        expect(len(self.gateway.find(r"event=reloaded ")) == 1, "three generations live")
        expect(second.say("Subject: y\r\n\r\nbody\r\n.")[0] == 250, "no mail goes through")
        second.close()
        self.gateway.wait_log(r"event=reloaded .*generation 4 ")
        expect(self.gateway.stop() == 0, "no clean end")

    def test_an_upgrade_that_is_asked_for_during_another_follows_it(self):
        path = self.gateway.arrange_hang("posternd: heir")
        self.start()
        open(path, "wb").close()
        self.gateway.signal(signal.SIGUSR2)
        wait_for(lambda: self.gateway.children("posternd: heir"), "the heir")
        self.gateway.signal(signal.SIGUSR2)
        self.gateway.wait_log(r"event=upgrade-waits ")
        os.unlink(path)
        self.gateway.wait_log(r"event=upgraded ", 2)
        expect(send(self.gateway.port)[0] == 250, "no mail goes through")
        expect(self.gateway.stop() == 0, "no clean end")

    def test_a_stop_at_any_moment_of_an_upgrade_is_the_end(self):
        self.start()
        for number in range(10):
            self.gateway.signal(signal.SIGUSR2)
            time.sleep(0.006 * number)
            expect(self.gateway.stop() == 0, f"no clean end, {6 * number} ms after it")
            expect(len(self.gateway.find(r"event=stopped ")) == number + 1, "no word of the end")
            if number < 9:
                self.gateway.start(wait=False)
                self.gateway.wait_log(r"event=started ", number + 2)

    def test_signals_without_a_pause_do_an_upgrade_no_harm(self):
        """One that found nobody to follow it would be the end of the process."""
        self.start()
        end = threading.Event()

        def send_signals():
            while not end.wait(0.0005):
                self.gateway.signal(signal.SIGUSR1)
        sender = threading.Thread(target=send_signals)
        sender.start()
        try:
            for number in range(1, 4):
                self.upgrade(number)
        finally:
            end.set()
            sender.join()
        expect(send(self.gateway.port)[0] == 250, "no mail goes through")
        expect(self.gateway.stop() == 0, "no clean end")

    def test_a_stop_while_the_heir_is_asked_ends_it_too(self):
        path = self.gateway.arrange_hang("posternd: heir")
        self.start()
        open(path, "wb").close()
        self.gateway.signal(signal.SIGUSR2)
        heir = wait_for(lambda: self.gateway.children("posternd: heir"), "the heir")[0]
        expect(self.gateway.stop() == 0, "no clean end")
        wait_for(lambda: not os.path.exists(f"/proc/{heir}/fd/2"), "the heir to end")

    def test_old_workers_that_die_during_an_upgrade_are_replaced_under_load(self):
        self.start()
        load = Load(self.gateway.port)
        wait_for(lambda: len(load.accepted) > 20, "mail to go through")
        self.backend.script.greeting = ["wait 1s"]  # so long the new workers are not ready
        old = self.gateway.children("posternd: worker")
        self.install()
        self.gateway.signal(signal.SIGUSR2)
        self.gateway.wait_log(r"event=upgrading ")
        for number, pid in enumerate(old):
            os.kill(pid, signal.SIGKILL)
            self.gateway.wait_log(r"event=worker-died .*signal 9", number + 1)
        self.backend.script.greeting = []
        self.gateway.wait_log(r"event=upgraded ")
        count = len(load.accepted)
        wait_for(lambda: len(load.accepted) > count + 20, "mail to go through after that")
        load.end()
        load.expect_accounted(self.gateway, self.backend, killed=2)

    def test_an_old_logger_that_is_stuck_is_replaced_and_no_line_is_lost(self):
        self.gateway.arrange_time()
        self.start()
        logger = self.gateway.children("posternd: logger")[0]
        os.kill(logger, signal.SIGSTOP)
        for number in range(5):
            expect(send(self.gateway.port, str(number))[0] == 250, "no mail goes through")
        self.install()
        self.gateway.signal(signal.SIGUSR2)
        wait_for(lambda: self.is_new(self.gateway.process.pid), "the new program")
        wait_for(lambda: len(self.gateway.children("posternd: worker")) > 2, "the new workers")
        time.sleep(0.5)
        expect(self.gateway.children("posternd: logger") == [logger], "two loggers write")
        self.gateway.skip_time(6)
        self.gateway.wait_log(r"event=upgraded ")
        transactions = self.gateway.find(r"verdict=accept .* txn=(\S+)")
        expect(len(set(transactions)) == 5, f"5 mails, {len(set(transactions))} in the log")
        expect(self.gateway.stop() == 0, "no clean end")

    def test_a_stop_while_an_old_logger_is_stuck_loses_no_line(self):
        self.gateway.arrange_time()
        self.start()
        logger = self.gateway.children("posternd: logger")[0]
        os.kill(logger, signal.SIGSTOP)
        expect(send(self.gateway.port)[0] == 250, "no mail goes through")
        self.install()
        self.gateway.signal(signal.SIGUSR2)
        wait_for(lambda: self.is_new(self.gateway.process.pid), "the new program")
        self.gateway.signal(signal.SIGTERM)
        wait_for(lambda: not self.gateway.children("posternd: worker"), "the workers to end")
        self.gateway.skip_time(6)
        expect(self.gateway.process.wait(PATIENCE) == 0, "no clean end")
        expect(len(set(self.gateway.find(r"verdict=accept .* txn=(\S+)"))) == 1, "a line is lost")
        expect(self.gateway.find(r"event=stopped "), "the last line is lost")

    def test_clients_that_wait_for_a_stopped_worker_are_served_after_an_upgrade(self):
        """Their connections lie in a socket that no process may close meanwhile."""
        self.start(workers=1)
        port = self.gateway.port
        worker = self.gateway.children("posternd: worker")[0]
        os.kill(worker, signal.SIGSTOP)
        clients = [Client(port) for _ in range(20)]
        self.upgrade()
        for number, client in enumerate(clients):
            code, text = client.hello()
            expect(code == 250, f"client {number} got {code} {text}")
            client.close()
        os.kill(worker, signal.SIGKILL)

    def test_addresses_change_with_an_upgrade(self):
        self.start()
        port = self.gateway.port
        self.gateway.write_config(listen="listen 127.0.0.1:0 127.0.0.2:0;")
        self.upgrade()
        self.gateway.wait_log(r"event=ready .*address=127\.0\.0\.2:\d+")
        other = int(self.gateway.find(r"address=127\.0\.0\.2:(\d+)")[0])
        expect(send(other, host="127.0.0.2")[0] == 250, "no mail goes through there")
        self.wait_alone()
        self.gateway.write_config()
        self.upgrade(2)

        def is_closed():
            try:
                socket.create_connection(("127.0.0.2", other), 1).close()
                return False
            except ConnectionError:
                return True
        wait_for(is_closed, "the removed address to be closed")
        expect(send(port)[0] == 250, "no mail goes through")
