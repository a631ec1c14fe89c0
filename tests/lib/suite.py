# SPDX-License-Identifier: BSD-2-Clause
"""Finds the cases, gives each a gateway, and runs them side by side.

Cases that change neither the configuration nor what the backend offers share
one posternd with the others of their file, one after the other; all else get
one of their own.
"""
import glob
import os
import queue
import re
import shutil
import socket
import threading
import time
import traceback

import configuration
from backend import Backend, Script
from casefile import File
from client import SLOWNESS, Unexpected
from gateway import CannotStart, Gateway, make_folder
from player import Player
from programs import user
from texts import Mistake, fill_in, fill_known

SETTINGS_OF_BACKEND = ("offers ", "down", "tls implicit", "tls-version ", "others-certificate",
                       "from-the-start")
NEEDS = {"alone", "ipv6"}


class Run:
    """One row of one case, and its outcome."""

    def __init__(self, case, name, values, steps):
        self.case, self.values, self.steps = case, values, steps
        folder = os.path.basename(os.path.dirname(case.path))
        self.name = f"{folder}/{os.path.splitext(os.path.basename(case.path))[0]}: {name}"
        self.outcome, self.words, self.seconds = None, "", 0

    def backend_lines(self, name):
        """The section about a backend."""
        return self.case.lines("backend", None if name == "legacy" else name)

    def backend_names(self):
        """All that the configuration and the case speak of."""
        names = re.findall(r"\{port ([a-z0-9-]+)\}", self.case.text("config"))
        return sorted({"legacy", *names, *self.case.backends()})

    def settings(self, name):
        """Lines that hold for all of a backend's life."""
        lines = self.backend_lines(name)
        if any(line.text.strip() == "from-the-start" for line in lines):
            return lines
        return [line for line in lines if line.text.strip().startswith(SETTINGS_OF_BACKEND)]

    def needs(self):
        """What the case cannot share or may not find."""
        words = set(self.case.text("needs").split())
        if words - NEEDS:
            raise Mistake(f"{self.case.path}:{self.case.number}: no such need: {words - NEEDS}")
        return words

    def key(self):
        """Runs with the same key share one posternd."""
        changes = self.case.text("config")
        settings = [(name, line.text) for name in self.backend_names()
                    for line in self.settings(name)]
        if "alone" in self.needs():
            return self.case.path, self.name
        zone = self.case.text("zone")
        if not changes and not settings and not zone:
            return self.case.path, ""
        return (self.case.path, self.case.name, zone, fill_known(changes, self.values),
                fill_in("\n".join(text for _, text in settings), self.values))


def has_ipv6():
    """Can ::1 be listened on?"""
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
        return True
    except OSError:
        return False


class Group:
    """Runs that share one posternd."""

    def __init__(self, runs, program, certificates):
        self.runs, self.program, self.certificates = runs, program, certificates
        self.backends, self.gateway, self.folder = {}, None, None

    def start(self):
        """The backends, then posternd, until it knows what they can do."""
        first = self.runs[0]
        self.folder = make_folder(self.certificates)
        for name in first.backend_names():
            script = Script(first.settings(name), first.values)
            self.backends[name] = Backend(name, script, self.certificates)
        self.gateway = Gateway(self.program, self.folder)
        self.gateway.write_configuration(self.configure(""))
        self.gateway.start()
        for backend in self.backends.values():
            self.await_learning(backend)

    def configure(self, more):
        """The text of the configuration, with some more changes."""
        first = self.runs[0]
        places = {f"port {name}": backend.port for name, backend in self.backends.items()}
        places["folder"] = self.folder
        changes = first.case.text("config") + "\n" + more
        if first.case.has("zone"):
            changes += f"\nresolver {{ local-data {self.write_zone(first.case)}; }}\n"
        return configuration.make(changes, {**places, **first.values}, user())

    def write_zone(self, case):
        """The names that there are; of all others there is nothing of use. Nobody is asked."""
        path = os.path.join(self.folder, "zone")
        with open(path, "w", encoding="utf-8") as file:
            file.write(case.text("zone") + '\n*. TXT "nothing"\n')
        return path

    def await_learning(self, backend):
        """The gateway asks each backend once what it can do; the case begins after that."""
        if "down" in backend.script.words:
            time.sleep(0.05)
            return
        # Without a pool the connection ends when it has learnt; else it falls silent.
        ends = "max-idle" not in self.runs[0].case.text("config") and not backend.script.rules
        backend.await_quiet(1 * SLOWNESS, (5 if ends else 0.4) * SLOWNESS)

    def play(self):
        """All runs; each gets its outcome."""
        missing = "ipv6" in self.runs[0].needs() and not has_ipv6()
        if missing:
            for run in self.runs:
                run.outcome, run.words = "skipped", "this machine has no IPv6"
            return
        try:
            self.start()
            for run in self.runs:
                self.play_one(run)
        except CannotStart as error:
            self.fail_rest(str(error))
        finally:
            problems = self.stop()
        for problem in problems:
            self.runs[-1].outcome = "failed"
            self.runs[-1].words += f"\n  {problem}"

    def fail_rest(self, words):
        """Those that have no outcome yet."""
        for run in self.runs:
            if run.outcome is None:
                run.outcome, run.words = "failed", words

    def play_one(self, run):
        """One run, its outcome and what is to be told of it."""
        player, began = None, time.monotonic()
        try:
            player = Player(run.case, run.values, run.steps, self.gateway, self.backends,
                            self.certificates, self.configure)
            player.play()
            run.outcome = "passed"
        except Unexpected as error:
            place = getattr(error, "place", f"{run.case.path}:{run.case.number}")
            why = " ".join(line.text.strip() for line in run.case.lines("why"))
            step = f"\n  at   {error.step}" if hasattr(error, "step") else ""
            run.outcome = "failed"
            run.words = f"  {place}\n  why  {why}{step}\n  {error}\n{player.report()}"
        except Mistake as error:
            run.outcome, run.words = "failed", f"  the case is wrong: {error}"
        except Exception:  # of the player: told as such, the other cases go on
            run.outcome, run.words = "failed", traceback.format_exc()
            if player:
                run.words += player.report()
        run.seconds = time.monotonic() - began

    def stop(self):
        """Ends what was started; gives what posternd's end was like."""
        problems = self.gateway.stop() if self.gateway else []
        log = self.gateway.raw_log() if problems else ""
        for backend in self.backends.values():
            backend.stop()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        return problems + [log[-6000:]] if problems else []


class Suite:
    """All cases below a folder."""

    def __init__(self, folder, tree, program, certificates):
        self.program, self.certificates = program, certificates
        common = File(os.path.join(folder, "common.steps"), tree).steps
        self.runs = []
        for path in sorted(glob.glob(os.path.join(folder, "*", "*.cases"))):
            file = File(path, tree)
            for case in file.cases:
                for name, values in case.rows():
                    self.runs.append(Run(case, name, values, {**common, **file.steps}))

    def select(self, pattern):
        """Only those whose name has the pattern in it."""
        self.runs = [run for run in self.runs if re.search(pattern, run.name)]

    def play(self, thread_count, on_done):
        """Runs all groups, several at a time."""
        groups = {}
        for run in self.runs:
            groups.setdefault(run.key(), []).append(run)
        waiting = queue.SimpleQueue()
        for runs in sorted(groups.values(), key=len, reverse=True):
            waiting.put(Group(runs, self.program, self.certificates))

        def work():
            while True:
                try:
                    group = waiting.get_nowait()
                except queue.Empty:
                    return
                try:
                    group.play()
                except Exception:
                    group.fail_rest(traceback.format_exc())
                on_done(group.runs)

        threads = [threading.Thread(target=work) for _ in range(thread_count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
