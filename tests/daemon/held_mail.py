# SPDX-License-Identifier: BSD-2-Clause
"""Held mail through deaths, full disks and impatient owners."""
import json
import os
import pwd
import shutil
import signal
import subprocess
import threading
import time

from gateway import (PATIENCE, POSTERND, Client, GatewayTests, expect, require_mounts,
                     require_root, send, wait_for)
from programs import POSTERN, user

# Mail with "hold" in its subject is held; for held@ alone, where others get it.
RULES = """
quarantine {{ folder {folder}; {settings} }}
policy holding {{
    rule some {{
        when recipient held@held.example and header Subject contains "hold";
        then quarantine;
    }}
    rule all {{
        when header Subject contains "hold";
        except header Subject contains "some";
        then quarantine "held by a test";
    }}
    otherwise accept;
}}
domain held.example {{ backend legacy; policy holding; }}
"""
STORED = ("held", "pending", "uncertain", "releasing")


class HeldClient(Client):
    """Sends to a domain whose policy holds."""

    def send_to(self, subject, recipients=("a@held.example",)):
        code, text = self.hello()
        lines = ["MAIL FROM:<a@example.net>", *[f"RCPT TO:<{one}>" for one in recipients], "DATA"]
        for line in lines:
            if code in (220, 250):
                code, text = self.say(line)
        if code == 354:
            code, text = self.say(f"Subject: {subject}\r\n\r\nbody\r\n.")
        return code, text


def send_held(port, subject="hold it", recipients=("a@held.example",)):
    client = HeldClient(port)
    try:
        return client.send_to(subject, recipients)
    finally:
        client.close()


class HeldLoad:
    """Clients whose mail is held, all of it; `accepted` has the subjects that got 250."""

    def __init__(self, port, clients=4):
        self.port, self.is_over = port, False
        self.accepted, self.refused, self.lost = [], [], []
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self, index):
        number = 0
        while not self.is_over:
            number += 1
            subject = f"hold-{index}-{number}."
            try:
                code, text = send_held(self.port, subject)
                (self.accepted if code == 250 else
                 self.refused if code else self.lost).append(subject)
                if code not in (0, 250):
                    self.text = text
            except OSError:
                self.lost.append(subject)

    def end(self):
        self.is_over = True
        for thread in self.threads:
            thread.join()
        return self


class HeldMailTests(GatewayTests):
    def configure(self, settings="", workers=2, more="", folder=None):
        self.folder = folder or os.path.join(self.gateway.folder, "held")
        rules = RULES.format(folder=self.folder, settings=settings)
        self.gateway.write_config(workers=workers, more=rules + more)

    def start(self, **settings):
        self.configure(**settings)
        self.gateway.start()

    def ask(self, *words, status=0):
        """What `postern quarantine` prints."""
        done = subprocess.run([POSTERN, "quarantine", words[0], "-c", self.gateway.config_path,
                               *words[1:]], capture_output=True, text=True, timeout=PATIENCE,
                              check=False)
        expect(status is None or done.returncode == status,
               f"{words} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def mails(self, *words):
        """The list, as dicts."""
        return [json.loads(line) for line in self.ask("list", "--json", *words).splitlines()]

    def held_subjects(self):
        return [mail["subject"] for mail in self.mails()]

    def only_id(self):
        ids = self.ask("list", "--ids").split()
        expect(len(ids) == 1, f"{len(ids)} mails are held")
        return ids[0]

    def kill(self, title, number=signal.SIGKILL):
        pids = wait_for(lambda: self.gateway.children(title), title)
        os.kill(pids[0], number)
        return pids[0]

    # ---- Deaths ----

    def test_a_killed_keeper_is_replaced_and_nothing_is_lost_or_held_twice(self):
        self.start()
        load = HeldLoad(self.gateway.port)
        for number in range(1, 5):
            wait_for(lambda: len(load.accepted) > 30 * number, "mail to be held")
            self.kill("posternd: keeper")
            self.gateway.wait_log(r"event=keeper-died .*signal 9", number)
        count = len(load.accepted)
        wait_for(lambda: len(load.accepted) > count + 30, "mail to be held after that")
        load.end()
        expect(not load.refused and not load.lost,
               f"refused {len(load.refused)}, lost {len(load.lost)}")
        held = self.held_subjects()
        expect(sorted(held) == sorted(load.accepted),
               f"{len(load.accepted)} accepted, {len(held)} held, {len(set(held))} different")
        expect(not self.backend.mails, "the backend got held mail")

    def test_a_killed_worker_leaves_what_was_accepted(self):
        self.start()
        load = HeldLoad(self.gateway.port)
        for number in range(1, 5):
            wait_for(lambda: len(load.accepted) > 30 * number, "mail to be held")
            self.kill("posternd: worker")
            self.gateway.wait_log(r"event=worker-died .*signal 9", number)
        load.end()
        held = self.held_subjects()
        expect(set(load.accepted) <= set(held), "accepted mail is not held")
        expect(len(held) == len(set(held)), "a mail is held twice")
        extra = set(held) - set(load.accepted)
        expect(extra <= set(load.lost), f"held without an answer that was lost: {extra}")

    def test_a_worker_killed_behind_the_dot_leaves_an_uncertain_copy(self):
        self.start(workers=1)
        self.backend.script.dot_gate.clear()
        client = HeldClient(self.gateway.port)
        thread = threading.Thread(target=client.send_to, args=(
            "hold some", ("b@held.example", "held@held.example")))
        thread.start()
        wait_for(lambda: self.backend.script.waiting == 1, "the backend to have the dot")
        expect([r["state"] for m in self.mails() for r in m["recipients"]] == ["pending"],
               "the copy is not pending")
        self.kill("posternd: worker")
        thread.join()
        client.close()
        self.gateway.wait_log(r"event=quarantine-uncertain ")
        mails = self.mails("--state", "uncertain")
        expect(len(mails) == 1 and mails[0]["recipients"][0]["address"] == "held@held.example",
               f"got {mails}")
        self.backend.script.dot_gate.set()
        wait_for(lambda: self.gateway.children("posternd: worker"), "a new worker")
        wait_for(lambda: send(self.gateway.port)[0] == 250, "mail to go through")
        expect("uncertain" in self.ask("release", mails[0]["id"], status=1), "it was released")
        expect("released" in self.ask("release", "--again", mails[0]["id"]), "it was not released")

    def test_all_killed_at_once_leaves_what_was_accepted(self):
        self.start()
        load = HeldLoad(self.gateway.port)
        wait_for(lambda: len(load.accepted) > 50, "mail to be held")
        everyone = self.gateway.children("posternd: ")
        for pid in [self.gateway.process.pid, *everyone]:
            os.kill(pid, signal.SIGKILL)
        self.gateway.process.wait()
        load.end()
        self.gateway.log_path += "2"
        self.gateway.start()
        held = self.held_subjects()
        expect(set(load.accepted) <= set(held), "accepted mail is not held")
        expect(len(held) == len(set(held)), "a mail is held twice")

    def test_a_start_joins_each_worker_once(self):
        self.start(workers=3)
        expect(send_held(self.gateway.port)[0] == 250, "mail is not held")
        expect(not self.gateway.find(r"event=quarantine-failed "), "the keeper could not serve one")

    # ---- Standstill ----

    def test_a_keeper_that_stands_still_puts_off_held_mail_and_nothing_else(self):
        self.configure(workers=1)
        with open(self.gateway.config_path, encoding="utf-8") as file:
            text = file.read().replace("listener inbound {",
                                       "listener inbound { post-dot-budget 300ms;")
        with open(self.gateway.config_path, "w", encoding="utf-8") as file:
            file.write(text)
        self.gateway.start()
        expect(send_held(self.gateway.port)[0] == 250, "mail is not held")
        keeper = self.kill("posternd: keeper", signal.SIGSTOP)
        code, text = send_held(self.gateway.port, "hold this too")
        expect(code == 451 and "timeout.quarantine" in text, f"got {code} {text}")
        expect(send(self.gateway.port)[0] == 250, "other mail does not go through")
        os.kill(keeper, signal.SIGCONT)
        wait_for(lambda: len(self.mails()) == 1, "the copy to be erased that was given up")
        expect(send_held(self.gateway.port, "hold once more")[0] == 250, "mail is not held")

    def test_a_worker_does_not_end_before_the_keeper_knows_what_it_gave_up(self):
        self.configure(workers=1)
        with open(self.gateway.config_path, encoding="utf-8") as file:
            text = file.read().replace("drain-timeout 3s", "drain-timeout 300ms")
        with open(self.gateway.config_path, "w", encoding="utf-8") as file:
            file.write(text)
        self.gateway.start()
        worker = self.gateway.children("posternd: worker")[0]
        keeper = self.kill("posternd: keeper", signal.SIGSTOP)
        client, answers = HeldClient(self.gateway.port), []
        thread = threading.Thread(target=lambda: answers.append(client.send_to("hold it")))
        thread.start()
        time.sleep(0.3)
        self.gateway.process.send_signal(signal.SIGHUP)
        thread.join()
        client.close()
        expect(answers[0][0] == 421, f"got {answers[0]}")
        time.sleep(0.5)
        expect(worker in self.gateway.children("posternd: worker"), "the worker has ended")
        os.kill(keeper, signal.SIGCONT)
        wait_for(lambda: worker not in self.gateway.children("posternd: worker"),
                 "the worker to end")
        expect(not self.mails(), f"mail is there that was given up: {self.mails()}")

    def test_more_than_max_waiting_are_put_off(self):
        self.start(settings="max-waiting 2;", workers=1)
        expect(send_held(self.gateway.port)[0] == 250, "mail is not held")
        keeper = self.kill("posternd: keeper", signal.SIGSTOP)
        clients = [HeldClient(self.gateway.port) for _ in range(2)]
        threads = [threading.Thread(target=client.send_to, args=(f"hold {number}",))
                   for number, client in enumerate(clients)]
        for thread in threads:
            thread.start()

        def is_busy():
            code, text = send_held(self.gateway.port, "hold busy")
            return code == 451 and "quarantine.busy" in text
        time.sleep(0.5)
        expect(is_busy(), "a third mail was not put off")
        os.kill(keeper, signal.SIGCONT)
        for thread in threads:
            thread.join()
        expect(len(self.mails()) == 3, "what waited was not held")

    def test_a_full_disk_is_452_and_loses_nothing(self):
        require_root()
        require_mounts()
        folder = os.path.join(self.gateway.folder, "small")
        os.mkdir(folder)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=700,"
                        f"uid={pwd.getpwnam(user()).pw_uid}", "tmpfs", folder], check=True)
        try:
            self.start(folder=folder, workers=1)
            accepted, refused = [], 0
            for number in range(400):
                subject = f"hold-{number}-" + " ".join(["x" * 900] * 25)
                code, text = send_held(self.gateway.port, subject)
                if code == 250:
                    accepted.append(f"hold-{number}-")
                else:
                    expect(code == 452 and "quarantine.full" in text, f"got {code} {text}")
                    refused += 1
                    if refused == 3:
                        break
            expect(refused == 3, "the disk did not fill")
            self.gateway.wait_log(r"event=quarantine-full ")
            expect(len(self.gateway.find(r"event=quarantine-full ")) == 1, "said again and again")
            expect(send(self.gateway.port)[0] == 250, "other mail does not go through")
            mails = self.mails()
            expect(sorted(mail["subject"][:len("hold-100-")].split("-")[1] for mail in mails) ==
                   sorted(name.split("-")[1] for name in accepted), "not what was accepted")
            self.ask("delete", *[mail["id"] for mail in mails[:30]])
            answer = send_held(self.gateway.port)
            expect(answer[0] == 250, f"there is room, and no mail is held: {answer}")
            self.gateway.close()
        finally:
            subprocess.run(["umount", "-l", folder], check=True)

    # ---- Owners ----

    def test_a_release_that_is_asked_for_ten_times_at_once_goes_once(self):
        self.start()
        expect(send_held(self.gateway.port)[0] == 250, "mail is not held")
        mail_id = self.only_id()
        self.backend.script.dot_gate.clear()
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(self.ask("release", mail_id)))
                   for _ in range(10)]
        for thread in threads:
            thread.start()
        wait_for(lambda: self.backend.script.waiting == 1, "the backend to have the dot")
        time.sleep(0.3)
        self.backend.script.dot_gate.set()
        for thread in threads:
            thread.join()
        expect(len(self.backend.mails) == 1, f"{len(self.backend.mails)} were delivered")
        expect(all("released" in answer for answer in answers), f"{answers}")

    def test_a_release_whose_worker_dies_is_uncertain(self):
        self.start(workers=1)
        expect(send_held(self.gateway.port)[0] == 250, "mail is not held")
        mail_id = self.only_id()
        self.backend.script.dot_gate.clear()
        answers = []
        thread = threading.Thread(
            target=lambda: answers.append(self.ask("release", mail_id, status=1)))
        thread.start()
        wait_for(lambda: self.backend.script.waiting == 1, "the backend to have the dot")
        self.kill("posternd: worker")
        thread.join()
        expect("uncertain" in answers[0], f"got {answers}")
        self.backend.script.dot_gate.set()
        expect(self.mails()[0]["recipients"][0]["state"] == "uncertain", "not uncertain")

    def test_a_release_whose_keeper_dies_is_uncertain(self):
        self.start(workers=1)
        expect(send_held(self.gateway.port)[0] == 250, "mail is not held")
        mail_id = self.only_id()
        self.backend.script.dot_gate.clear()
        answers = []
        thread = threading.Thread(
            target=lambda: answers.append(self.ask("release", mail_id, status=None)))
        thread.start()
        wait_for(lambda: self.backend.script.waiting == 1, "the backend to have the dot")
        self.kill("posternd: keeper")
        thread.join()
        self.gateway.wait_log(r"event=keeper-died ")
        wait_for(lambda: self.ask("list", status=None).count(mail_id) == 1, "a new keeper")
        expect(self.mails()[0]["recipients"][0]["state"] == "uncertain", "not uncertain")
        self.backend.script.dot_gate.set()

    def test_an_index_that_is_deleted_is_made_anew(self):
        self.start()
        for number in range(5):
            expect(send_held(self.gateway.port, f"hold {number}")[0] == 250, "mail is not held")
        ids = self.ask("list", "--ids").split()
        self.ask("release", ids[0])
        self.ask("delete", ids[1])
        before = self.ask("list", "--json", "--state", "all")
        expect(self.gateway.stop() == 0, "no clean end")
        for name in os.listdir(self.folder):
            if name.startswith("index"):
                os.unlink(os.path.join(self.folder, name))
        self.gateway.log_path += "2"
        self.gateway.start()
        # The keeper may be a moment behind the workers, whose start ends the wait above.
        wait_for(lambda: len(self.ask("list", "--ids", status=None).split()) == 3,
                 "those that were held, in the list")
        after = self.ask("list", "--json", "--state", "all")
        expect(after == before, f"the list was\n{before}and is\n{after}")

    def test_a_damaged_copy_is_not_released_and_stays(self):
        self.start()
        expect(send_held(self.gateway.port)[0] == 250, "mail is not held")
        mail_id = self.only_id()
        path = os.path.join(self.folder, "mail", mail_id)
        with open(path, "r+b") as file:
            file.seek(10)
            byte = file.read(1)
            file.seek(10)
            file.write(bytes([byte[0] ^ 1]))
        answer = self.ask("release", mail_id, status=1)
        expect("held" in answer and "released" not in answer, f"got {answer}")
        expect(not self.backend.mails, "it was delivered")
        self.ask("export", mail_id, status=1)
        expect(os.path.exists(path), "it is gone")

    def test_everything_that_owners_did_stands_in_the_audit(self):
        self.start()
        for number in range(3):
            expect(send_held(self.gateway.port, f"hold {number}")[0] == 250, "mail is not held")
        ids = self.ask("list", "--ids").split()
        self.ask("release", ids[0])
        self.ask("delete", ids[1])
        with open(os.path.join(self.folder, "audit"), encoding="ascii") as file:
            audit = file.read()
        by = "root" if os.geteuid() == 0 else f"uid {os.geteuid()}"
        for mail_id, event in ((ids[0], "release"), (ids[0], "released"), (ids[1], "delete"),
                               (ids[2], "hold")):
            expect(any(mail_id in line and f"event={event} " in line
                       for line in audit.splitlines()), f"no {event} of {mail_id} in\n{audit}")
        by = f'by="{by}"' if " " in by else f"by={by}"
        expect(audit.count(by) == 2, f"not by whom:\n{audit}")

    def test_header_values_are_cut_in_the_list_and_not_in_the_mail(self):
        self.start()
        subject = "hold " + "x" * 700
        expect(send_held(self.gateway.port, subject)[0] == 250, "mail is not held")
        expect(self.held_subjects() == [subject[:500]], f"listed as {self.held_subjects()}")
        expect(f"Subject: {subject}" in self.ask("export", self.only_id()), "it was cut itself")
        with open(os.path.join(self.folder, "mail", self.only_id()), encoding="ascii") as file:
            expect(f"\nsubject {subject[:500]}\n" in file.read(), "not so in the file")

    def test_held_mail_is_for_its_owner_alone(self):
        self.start()
        expect(send_held(self.gateway.port)[0] == 250, "mail is not held")
        for folder, _, names in os.walk(self.folder):
            for name in [".", *names]:
                mode = os.stat(os.path.join(folder, name)).st_mode & 0o077
                expect(mode == 0, f"{folder}/{name} has mode {mode:o} for others")

    # ---- Configurations and versions ----

    def test_a_reload_may_move_or_end_the_quarantine(self):
        self.start(workers=1)
        expect(send_held(self.gateway.port, "hold old")[0] == 250, "mail is not held")
        second = os.path.join(self.gateway.folder, "second")
        os.mkdir(second, 0o700)
        if user():
            os.chown(second, pwd.getpwnam(user()).pw_uid, -1)
        self.configure(folder=second, workers=1)
        self.gateway.signal(signal.SIGHUP)
        self.gateway.wait_log(r"event=reloaded ")
        wait_for(lambda: send_held(self.gateway.port, "hold new")[0] == 250, "mail to be held")
        expect(self.held_subjects() == ["hold new"], f"held are {self.held_subjects()}")
        wait_for(lambda: len(self.gateway.children("posternd: keeper")) == 1, "the old one to end")
        self.gateway.write_config(workers=1)
        self.gateway.signal(signal.SIGHUP)
        self.gateway.wait_log(r"event=reloaded ", 2)
        wait_for(lambda: not self.gateway.children("posternd: keeper"), "the keeper to end")
        expect("no quarantine block" in self.ask("list", status=2), "what is asked then?")
        expect(self.gateway.stop() == 0, "no clean end")
        expect(not self.gateway.find(r"event=keeper-died "), "a keeper died of it")

    def test_a_release_goes_on_through_an_upgrade(self):
        self.gateway.program = shutil.copy(POSTERND, os.path.join(self.gateway.folder, "posternd"))
        self.start(workers=1)
        expect(send_held(self.gateway.port)[0] == 250, "mail is not held")
        mail_id = self.only_id()
        self.backend.script.dot_gate.clear()
        thread = threading.Thread(target=self.ask, args=("release", mail_id),
                                  kwargs={"status": None})
        thread.start()
        wait_for(lambda: self.backend.script.waiting == 1, "the backend to have the dot")
        self.gateway.signal(signal.SIGUSR2)
        self.gateway.wait_log(r"event=upgraded ")

        def states():
            return [r["state"] for mail in self.mails("--state", "all")
                    for r in mail["recipients"]]
        wait_for(lambda: self.ask("list", status=None).count(mail_id) == 1, "the new keeper")
        expect(states() == ["releasing"], f"it is {states()}")
        answer = self.ask("release", "--again", mail_id, status=1)
        expect("releasing" in answer, f"got {answer}")
        self.backend.script.dot_gate.set()
        thread.join()
        wait_for(lambda: states() == ["released"], "the mail to be released")
        expect(len(self.backend.mails) == 1, f"{len(self.backend.mails)} were delivered")

    def test_mail_is_held_all_the_way_through_reloads_and_upgrades(self):
        self.gateway.program = shutil.copy(POSTERND, os.path.join(self.gateway.folder, "posternd"))
        self.start()
        load = HeldLoad(self.gateway.port)
        for number in range(1, 4):
            wait_for(lambda: len(load.accepted) > 25 * number, "mail to be held")
            self.gateway.signal(signal.SIGHUP)
            self.gateway.wait_log(r"event=reloaded ", number)
            wait_for(lambda: len(self.gateway.children("posternd: worker")) == 2,
                     "the old workers to end")
            self.gateway.signal(signal.SIGUSR2)
            self.gateway.wait_log(r"event=upgraded ", number)
            wait_for(lambda: len(self.gateway.children("posternd: worker")) == 2,
                     "the old workers to end")
        load.end()
        expect(not load.refused and not load.lost,
               f"refused {len(load.refused)}, lost {len(load.lost)}")
        wait_for(lambda: len(self.gateway.children("posternd: keeper")) == 1, "one keeper")
        held = self.held_subjects()
        expect(sorted(held) == sorted(load.accepted),
               f"{len(load.accepted)} accepted, {len(held)} held, {len(set(held))} different")
        expect(not self.gateway.find(r"event=keeper-died "), "a keeper died of it")
        expect(self.gateway.stop() == 0, "no clean end")
