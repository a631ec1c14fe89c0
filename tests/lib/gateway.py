# SPDX-License-Identifier: BSD-2-Clause
"""A running posternd: started from a text of configuration, and its log as it grows."""
import json
import os
import re
import shutil
import signal
import subprocess
import time

import programs
from client import SLOWNESS, WAIT_S

PAIR = re.compile(r'([a-z_0-9]+)=("(?:[^"\\]|\\.)*"|[^ ]*)')
ESCAPE = re.compile(r"\\(x[0-9a-f]{2}|.)")
# For lists and recipients in a configuration, beside the certificates.
FILES = {
    "partners": "# our partners\npartner.example\n.group.example   # and their group\n",
    "recipients": "bob@known.example\nCarol@known.example\n@all.example\n",
}


def unquote(value):
    """A value of logfmt."""
    if not value.startswith('"'):
        return value
    return ESCAPE.sub(lambda match: chr(int(match.group(1)[1:], 16))
                      if match.group(1).startswith("x") else match.group(1), value[1:-1])


def parse_log_line(line):
    """A dict of texts; None for a line that is not of the log."""
    if line.startswith("{"):
        try:
            record = json.loads(line)
        except ValueError:
            return None
        return {key: ",".join(value) if isinstance(value, list) else
                "yes" if value is True else str(value) for key, value in record.items()}
    if not line.startswith("ts="):
        return None
    return {key: unquote(value) for key, value in PAIR.findall(line)}


class CannotStart(Exception):
    """posternd ended before it was ready."""


class Gateway:
    """One posternd in a folder of its own."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.addresses = {}      # listener -> [(host, port)]
        self.process = None
        self.log_path = os.path.join(folder, "log")
        self.configuration_path = os.path.join(folder, "postern.conf")

    def write_configuration(self, text):
        """Also for a reload."""
        with open(self.configuration_path, "w", encoding="utf-8") as file:
            file.write(text)

    def start(self):
        """Until all listeners are there."""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([self.program, "-c", self.configuration_path],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd=self.folder)
        until = time.monotonic() + WAIT_S
        with open(self.configuration_path, encoding="utf-8") as file:
            wanted = set(re.findall(r"^listener (\S+)", file.read(), re.M))
        while not wanted <= set(self.addresses):
            if self.process.poll() is not None or time.monotonic() > until:
                raise CannotStart(f"posternd is not ready:\n{self.raw_log()}")
            time.sleep(0.01)
            for line in self.lines():
                if line.get("event") == "ready":
                    host, _, port = line["address"].rpartition(":")
                    found = self.addresses.setdefault(line["listener"], [])
                    if (host.strip("[]"), int(port)) not in found:
                        found.append((host.strip("[]"), int(port)))

    def raw_log(self):
        """All that it wrote: to stderr, and to mail.log and its elder brother if it has them."""
        text = ""
        for name in ("log", "mail.log.1", "mail.log"):
            try:
                with open(os.path.join(self.folder, name), encoding="utf-8",
                          errors="replace") as file:
                    text += file.read()
            except FileNotFoundError:
                pass
        return text

    def lines(self):
        """The whole lines of the log, parsed."""
        text = self.raw_log()
        whole = text[:text.rfind("\n") + 1]
        found = [parse_log_line(line) for line in whole.splitlines()]
        return [line for line in found if line is not None]

    def await_line(self, fits, wait_s=WAIT_S):
        """The first line that fits; None when none came in time."""
        until = time.monotonic() + wait_s
        while True:
            for line in self.lines():
                if fits(line):
                    return line
            if time.monotonic() > until:
                return None
            time.sleep(0.01)

    def signal(self, name):
        """"HUP" and the like, to the master."""
        self.process.send_signal(getattr(signal, "SIG" + name))

    def stop(self):
        """Ends it; gives what was wrong with its life."""
        problems = []
        if self.process is None:
            return problems
        if self.process.poll() is None:
            self.process.terminate()
        try:
            status = self.process.wait(10 * SLOWNESS)
            if status != 0:
                problems.append(f"posternd ended with status {status}")
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            problems.append("posternd did not end on SIGTERM")
        log = self.raw_log()
        for word in ("AddressSanitizer", "LeakSanitizer", "runtime error:", "assertion",
                     "Assertion", "event=worker-died"):
            if word in log:
                problems.append(f'its log has "{word}"')
        return problems


def make_folder(certificates):
    """As that of programs.py, with certificates and files."""
    folder = programs.make_folder()
    for name in os.listdir(certificates.folder):
        if name.endswith((".pem", ".key")):
            shutil.copy(os.path.join(certificates.folder, name), folder)
    for name, text in FILES.items():
        with open(os.path.join(folder, name), "w", encoding="ascii") as file:
            file.write(text)
    return folder
