# SPDX-License-Identifier: BSD-2-Clause
"""Plays one case: the client's steps, and what must hold afterwards.

Whatever a case says, these hold for all (see check_everywhere): a client never
sees a word of the backend; a mail counts as accepted exactly when the backend
took it; each transaction, and each session without one, leaves one line.
"""
import copy
import os
import re
import shutil
import subprocess
import threading
import time

import programs
from backend import HOSTNAME, SECRET, Script, seconds
from client import Client, Unexpected, WAIT_S
from gateway import parse_log_line
from texts import Mistake, fill_in, fill_known, shown, to_bytes, to_regex, unescape

STEP = re.compile(r"([CSO])(?:\*(\d+))?([:~]) ?(.*)")
# A step of which a table gives the word or the count.
LATE = re.compile(r"(?:[CS]\*)?\{")
# Our own Received field; see stamp.h.
STAMP = re.compile(
    rb"Received: from [^\r\n]+ \(\[[0-9a-fA-F.:IPv]+\]\)\r\n"
    rb"\tby mx\.example\.org with (?:UTF8)?E?SMTPS? id [0-9a-z]+-\d+"
    rb"(?:\r\n\t\([A-Za-z0-9._ -]+\))?(?:\r\n\tfor <[^\r\n]+>)?;\r\n"
    rb"\t[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}\r\n")


class Player:
    """One run of one case against a gateway and its backends."""

    def __init__(self, case, values, steps, gateway, backends, certificates, configure):
        self.case, self.values, self.steps = case, dict(values), steps
        self.configure = configure
        self.gateway, self.backends, self.certificates = gateway, backends, certificates
        self.clients = {}
        self.current = None
        self.pending = b""
        self.scripts = {}
        self.sessions = {}      # TLS sessions by name
        self.first_line = len(gateway.lines())
        self.output = []        # of the last `postern`, lines that were not looked at yet

    # ---- The run ----

    def play(self):
        """Raises Unexpected, or Mistake for a case that cannot be read."""
        for name, backend in self.backends.items():
            lines = self.case.lines("backend", None if name == "legacy" else name)
            self.scripts[name] = backend.script = Script(lines, self.values)
        lines = self.case.lines("client")
        try:
            if not self.resolve(lines[0]).startswith("connect"):
                self.step_connect("", lines[0])
            self.run(lines, self.values)
            self.flush()
            self.check_output()
        finally:
            for client in self.clients.values():
                client.close()
        self.check_everywhere()
        self.check_received()
        self.check_seen()
        self.check_log()

    def resolve(self, line):
        """The first plain step behind `do`."""
        text = line.text
        while text.startswith("do "):
            steps = self.steps.get(text.split()[1])
            if not steps:
                break
            text = steps[0].text
        return text

    def run(self, lines, values):
        """The steps one after the other."""
        for line in lines:
            if line.text.strip():
                try:
                    self.step(line, values)
                except Unexpected as error:
                    if not hasattr(error, "place"):
                        error.place = line.place()
                        error.step = line.text.strip()
                    raise
                except (ValueError, KeyError, IndexError) as error:
                    raise line.mistake(f"{line.text.strip()}: {error}") from error

    def step(self, line, values):
        """One step: what is said, what is expected, or an action."""
        text = fill_in(line.text, values) if LATE.match(line.text) else line.text
        match = STEP.fullmatch(text)
        if match and match.group(1) == "C":
            self.say(match, values)
            return
        self.flush()
        if match and match.group(1) == "O":
            self.expect_output(match, values)
            return
        if match:
            self.expect(match, values)
            return
        word, _, rest = text.strip().partition(" ")
        action = getattr(self, "step_" + word.replace("-", "_"), None)
        if action is None:
            raise line.mistake(f"no such step: {line.text}")
        if word == "reconfigure":
            rest = fill_known(rest, values)
        elif word != "do":
            rest = fill_in(rest, values)
        action(rest, line)

    def say(self, match, values):
        """"C: line", "C~ bytes", "C*3: line {n}": sent together at the next other step."""
        count, end = int(match.group(2) or 1), b"\r\n" if match.group(3) == ":" else b""
        if "{n}" not in match.group(4):
            self.pending += count * (to_bytes(match.group(4), {**values, "n": ""}) + end)
            return
        lines = [to_bytes(match.group(4), {**values, "n": number}) + end
                 for number in range(1, count + 1)]
        self.pending += b"".join(lines)

    def flush(self):
        """What was said together goes out in one piece."""
        if self.pending:
            data, self.pending = self.pending, b""
            self.current.send(data)

    def expect(self, match, values):
        """"S: pattern", "S: 250 ...", "S: (closed)"."""
        text = fill_in(match.group(4), values)
        if text == "(closed)":
            self.current.expect_end()
            return
        if text == "(closed or reset)":
            self.current.expect_end(allow_reset=True)
            return
        if text.startswith("(silence"):
            self.current.expect_silence(seconds(text.strip("()").split()[1]))
            return
        for number in range(1, int(match.group(2) or 1) + 1):
            now = {**values, "n": number}
            if text.endswith(" ..."):
                lines = self.current.last_reply = self.current.read_reply(None)
                pattern = to_regex(text[:-4] + "*", now)
                got = lines[-1]
            else:
                got = self.current.read_reply()[0]
                pattern = to_regex(text, now)
            if not pattern.fullmatch(got):
                raise Unexpected(f"expected {fill_in(text, now)}\n       got      {shown(got)}")

    def expect_output(self, match, values):
        """"O: pattern": the next line that `postern` has printed."""
        pattern = to_regex(fill_in(match.group(4), values), values)
        got = self.output.pop(0) if self.output else "(nothing)"
        if not pattern.fullmatch(got.encode()):
            raise Unexpected(f"expected {pattern.pattern.decode()}\n       got      {got}")

    def check_output(self):
        """All that was printed must have been expected."""
        if self.output:
            raise Unexpected("postern also printed\n         " + "\n         ".join(self.output))

    # ---- Steps by their first word ----

    def step_do(self, rest, line):
        """do NAME argument, argument"""
        name, _, arguments = rest.partition(" ")
        if name == "nothing":
            return
        if name not in self.steps:
            raise line.mistake(f"no steps are called {name}")
        values = dict(self.values)
        for number, word in enumerate(arguments.split(", ") if arguments else [], 1):
            values[str(number)] = fill_in(word, self.values)
        self.run(self.steps[name], values)

    def step_connect(self, rest, line):
        """connect [as NAME] [from ADDRESS] [to LISTENER]"""
        words = rest.split()
        options = dict(zip(words[::2], words[1::2]))
        if set(options) - {"as", "from", "to"} or len(words) % 2:
            raise line.mistake("connect [as NAME] [from ADDRESS] [to LISTENER]")
        name = options.get("as", f"#{len(self.clients) + 1}")
        address = self.gateway.addresses[options.get("to", "inbound")][0]
        self.current = self.clients[name] = Client(name, address, options.get("from"))

    def step_crowd(self, rest, line):
        """crowd 50 STEPS: so many connections at the same time, each doing these steps"""
        count, _, name = rest.partition(" ")
        failures = []

        def run(number):
            one = copy.copy(self)
            one.pending, one.values = b"", {**self.values, "n": number}
            try:
                one.step_connect(f"as crowd{number}", line)
                one.step_do(name, line)
                one.flush()
                one.current.close()
            except (Unexpected, Mistake, OSError) as error:
                failures.append(error)

        threads = [threading.Thread(target=run, args=(number + 1,)) for number in range(int(count))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise Unexpected(f"{len(failures)} of {count} failed, the first: {failures[0]}")

    def step_flood(self, rest, _line):
        """flood 500ms: text   says the line again and again, and reads nothing meanwhile"""
        wait, _, text = rest.partition(": ")
        self.current.flood(to_bytes(text, self.values) + b"\r\n", seconds(wait))

    def step_on(self, rest, _line):
        """on NAME: go on with that connection"""
        self.current = self.clients[rest]

    def step_split(self, rest, _line):
        """split 3: text"""
        size, _, text = rest.partition(": ")
        self.current.split(to_bytes(text, self.values) + b"\r\n", int(size))

    def step_offers(self, rest, _line):
        """offers WORD, WORD: lines of the last `S: 250 ...`, in this order, among others"""
        lines = [line[4:].decode() for line in self.current.last_reply[1:]]
        wanted = [unescape(word.strip()).strip() for word in rest.split(",")]
        if [line for line in lines if line in wanted] != wanted:
            raise Unexpected(f"expected among the lines: {rest}\n       got      {lines}")

    def step_offers_not(self, rest, _line):
        """offers-not WORD, WORD: no line of the last `S: 250 ...` begins so"""
        lines = [line[4:].decode() for line in self.current.last_reply[1:]]
        for word in rest.split(","):
            if any(line.split()[0] == word.strip() for line in lines):
                raise Unexpected(f"{word.strip()} is not to be among {lines}")

    def step_pause(self, rest, _line):
        """pause 50ms"""
        time.sleep(seconds(rest))

    def step_half_close(self, _rest, _line):
        """No more comes from us, and we still listen."""
        self.current.half_close()

    def step_close(self, _rest, _line):
        """The connection is closed."""
        self.current.close()

    def step_reset(self, _rest, _line):
        """It is torn down."""
        self.current.reset()

    def step_tls(self, rest, line):
        """tls [name NAME] [version 1.2] [resume FIRST] [fails]"""
        words = rest.split()
        fails = "fails" in words
        words = [word for word in words if word != "fails"]
        options = dict(zip(words[::2], words[1::2]))
        if set(options) - {"name", "version", "resume"}:
            raise line.mistake("tls [name NAME] [version 1.2] [resume CONNECTION] [fails]")
        session, context = None, None
        if "resume" in options:
            session, context = self.sessions[options["resume"]]
        context = context or self.certificates.client_context(options.get("version"))
        try:
            self.current.secure(context, options.get("name", "mx.example.org"), session)
        except Unexpected:
            if fails:
                self.current.dialogue.append("   (TLS failed, as expected)")
                return
            raise
        if fails:
            raise Unexpected("TLS was expected to fail")
        self.current.tls_context = context

    def step_keep_session(self, _rest, _line):
        """keep-session: for `tls resume NAME` of a later connection"""
        self.sessions[self.current.name] = (self.current.tls.session, self.current.tls_context)

    def step_tls_is(self, rest, _line):
        """tls-is PATTERN: version, names of the certificate, "resumed"."""
        said = [line for line in self.current.dialogue if line.startswith("   (TLS: ")][-1][9:-1]
        if not to_regex(rest, self.values).fullmatch(said.encode()):
            raise Unexpected(f"expected TLS as {rest}\n       got      {said}")

    def step_signal(self, rest, _line):
        """signal HUP"""
        self.gateway.signal(rest)

    def step_await_log(self, rest, line):
        """await-log key=value: such a line has come since the case began"""
        wanted = parse_expected(rest, line, self.values)
        until = time.monotonic() + WAIT_S
        while not any(fits(wanted, found) for found in self.gateway.lines()[self.first_line:]):
            if time.monotonic() > until:
                raise Unexpected(f"no line in the log has {rest}")
            time.sleep(0.01)

    def step_await_backend(self, rest, _line):
        """await-backend [NAME] PATTERN: the backend has seen such a command"""
        name, _, pattern = rest.partition(" ")
        if name not in self.scripts:
            name, pattern = "legacy", rest
        wanted = to_regex(pattern, self.values)
        until = time.monotonic() + WAIT_S
        while not any(wanted.fullmatch(seen.encode()) for seen in self.scripts[name].seen):
            if time.monotonic() > until:
                raise Unexpected(f"the backend did not see {pattern}")
            time.sleep(0.005)

    def step_rename(self, rest, _line):
        """rename FROM TO: a file of the gateway's folder"""
        source, target = (os.path.join(self.gateway.folder, name) for name in rest.split())
        os.rename(source, target)

    def step_log_file_has(self, rest, line):
        """log-file-has FILE key=value: a line in just this file of the gateway's folder"""
        name, _, pairs = rest.partition(" ")
        wanted, until = parse_expected(pairs, line, self.values), time.monotonic() + WAIT_S
        while True:
            with open(os.path.join(self.gateway.folder, name), encoding="utf-8") as file:
                found = [parse_log_line(text.rstrip("\n")) for text in file]
            if any(fits(wanted, one) for one in found if one):
                return
            if time.monotonic() > until:
                raise Unexpected(f"no line in {name} has {pairs}")
            time.sleep(0.01)

    def step_install(self, rest, _line):
        """install FROM TO: copies a file of the gateway's folder over another"""
        source, target = (os.path.join(self.gateway.folder, name) for name in rest.split())
        shutil.copy(source, target)

    def step_reconfigure(self, rest, _line):
        """reconfigure STATEMENTS: writes the configuration anew; `signal HUP` reads it"""
        self.gateway.write_configuration(self.configure(rest))

    def step_quarantine(self, rest, line):
        """quarantine [fails STATUS] WORDS: `postern quarantine`; QID is of the last mail held"""
        self.check_output()
        words, status = rest.split(), 0
        if words[0] == "fails":
            status, words = int(words[1]), words[2:]
        if "QID" in words:
            self.step_await_log("qid=*", line)
            held = [found["qid"] for found in self.gateway.lines()[self.first_line:]
                    if "qid" in found]
            words = [held[-1] if word == "QID" else word for word in words]
        done = subprocess.run(
            [programs.POSTERN, "quarantine", words[0], "-c", self.gateway.configuration_path,
             *words[1:]], stdin=subprocess.DEVNULL, capture_output=True, timeout=WAIT_S * 2)
        printed = (done.stdout + done.stderr).decode("latin-1")
        self.output = printed.replace("\r\n", "\n").splitlines()
        if done.returncode != status:
            raise Unexpected(f"postern quarantine {' '.join(words)} ended with status "
                             f"{done.returncode}:\n{done.stdout + done.stderr}")

    # ---- What must hold ----

    def own_lines(self, wait_for):
        """Lines of the log about this case's connections; waits until there are enough."""
        until = time.monotonic() + WAIT_S
        while True:
            found, ids = [], set()
            ends = {print_address(client.address) for client in self.clients.values()}
            for line in self.gateway.lines()[self.first_line:]:
                if line.get("client") in ends or line.get("sid") in ids:
                    found.append(line)
                    ids.add(line.get("sid"))
            if wait_for(found) or time.monotonic() > until:
                return found
            time.sleep(0.01)

    def has_all_lines(self, lines):
        """One for each transaction, a MAIL that was refused included, or one for the session."""
        for client in self.clients.values():
            count = client.heard.count(b"\r\n250 2.1.0 sender ok") + \
                client.heard.count(b"\r\n250 sender ok")
            own = [line for line in lines if line.get("client") == print_address(client.address)]
            transactions = [line for line in own if line["event"] == "transaction"]
            # Refused at MAIL: there was no recipient yet, and no chunk out of sequence either.
            at_mail = [line for line in transactions
                       if line["verdict"] == "reject" and "rcpts" not in line
                       and not line["reason"].startswith("sequence.")]
            sessions = [line for line in own if line["event"] == "session"]
            if len(transactions) - len(at_mail) != count:
                return False
            # A session that is cut off has a line of its own, also behind mails.
            if len(sessions) > 1 or (not sessions and not transactions):
                return False
        return True

    def check_everywhere(self):
        """The rules that hold for every case."""
        for client in self.clients.values():
            for word in (SECRET, HOSTNAME):
                if word.encode() in client.heard:
                    raise Unexpected(f"the client could read {word}, which is the backend's")
        taken = sum(len(script.received) for script in self.scripts.values())
        lines = self.own_lines(lambda found: self.has_all_lines(found)
                               and count_verdicts(found, "accept", "unknown") >= taken)
        if not self.has_all_lines(lines):
            raise Unexpected("not one line for each transaction, or session without one")
        accepted = count_verdicts(lines, "accept")
        unknown = count_verdicts(lines, "unknown")
        if not accepted <= taken <= accepted + unknown:
            raise Unexpected(f"{accepted} mails accepted, {taken} taken by the backend")
        for script in self.scripts.values():
            for sentence in script.broken:
                raise Unexpected(f"the backend got {sentence}")

    def check_received(self):
        """received: the messages that the backends took, byte for byte but for `*`."""
        if not self.case.has("received"):
            return
        got = [message for script in self.scripts.values() for message in script.received]
        wanted = [[]]
        for line in self.case.lines("received"):
            if line.text.strip() == "---":
                wanted.append([])
            elif fill_known(line.text.strip(), self.values) != "nothing":
                wanted[-1].append(line)
        wanted = [lines for lines in wanted if lines]
        if len(wanted) != len(got):
            raise Unexpected(f"{len(wanted)} messages expected behind the gateway, {len(got)} came")
        for lines, message in zip(wanted, got):
            self.check_message(lines, message)

    def check_message(self, lines, message):
        """<stamp> is our Received field; every other line is a pattern."""
        rest = message
        for line in lines:
            if line.text == "<stamp>":
                match = STAMP.match(rest)
            else:
                pattern = to_regex(line.text, self.values).pattern.replace(b".*", b"[^\r\n]*")
                match = re.compile(pattern + b"\r\n", re.S).match(rest)
            if not match:
                error = Unexpected(f"expected {line.text}\n       got      {shown(rest, 500)}")
                error.place = line.place()
                raise error
            rest = rest[match.end():]
        if rest:
            raise Unexpected(f"the message has more behind: {shown(rest, 500)}")

    def check_seen(self):
        """seen: the commands that a backend got."""
        for (word, name), lines in self.case.sections.items():
            if word == "seen":
                self.check_transcript(name or "legacy", lines)

    def check_transcript(self, name, lines):
        """In order; RSET, QUIT and the end may be left out at the end."""
        wanted = [line for line in lines if line.text.strip()]
        patterns = [to_regex(line.text, self.values) for line in wanted]
        if [line.text.strip() for line in wanted] == ["nothing"]:
            patterns = []
        script = self.scripts[name]
        until = time.monotonic() + WAIT_S / 4
        while len(script.seen) < len(patterns) and time.monotonic() < until:
            time.sleep(0.01)
        seen = list(script.seen)
        while len(seen) > len(patterns) and seen[-1] in ("RSET", "QUIT", "(gone)"):
            seen.pop()
        if len(seen) != len(patterns) or not all(
                pattern.fullmatch(text.encode()) for pattern, text in zip(patterns, seen)):
            raise Unexpected("the backend was to see\n         " +
                             "\n         ".join(line.text for line in wanted))

    def check_log(self):
        """log: each line of it is one of the log, in order, and there are no more."""
        if not self.case.has("log"):
            return
        wanted = [(line, parse_expected(fill_known(line.text, self.values), line, self.values))
                  for line in self.case.lines("log") if line.text.strip()]
        lines = self.own_lines(lambda found: len(found) >= len(wanted)
                               and self.has_all_lines(found))
        if len(lines) != len(wanted):
            raise Unexpected(f"{len(wanted)} lines expected in the log, {len(lines)} came")
        for (line, pairs), found in zip(wanted, lines):
            for key, pattern in pairs.items():
                if not fits({key: pattern}, found):
                    error = Unexpected(f"in the log: expected {line.text.strip()}\n"
                                       f"       got      {key}={found.get(key, '(no such key)')}")
                    error.place = line.place()
                    raise error

    def report(self):
        """What happened, for a person who has to find out why."""
        out = []
        for name, client in self.clients.items():
            out.append(f"  client {name} {print_address(client.address)}")
            out += [f"    {line}" for line in client.dialogue]
        for name, script in self.scripts.items():
            out.append(f"  backend {name} saw")
            out += [f"    {line}" for line in script.seen]
        out.append("  log")
        lines = self.gateway.raw_log().splitlines()
        skip, shown_lines = self.first_line, []
        for line in lines:
            if parse_log_line(line) is not None and skip > 0:
                skip -= 1
            elif not skip or parse_log_line(line) is None:
                shown_lines.append(f"    {line}")
        return "\n".join(out + shown_lines[-30:])


def count_verdicts(lines, *verdicts):
    """How many mails had one of these, when they came or when they were released."""
    return sum(line["event"] in ("transaction", "release") and line.get("verdict") in verdicts
               for line in lines)


def print_address(address):
    """As in the log."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


EXPECTED = re.compile(r'(!?)([a-z0-9_]+)(?:=("(?:[^"\\]|\\.)*"|\S*))?\s*')


def parse_expected(text, line, values):
    """key=pattern pairs; !key: it is not there."""
    pairs, at, text = {}, 0, text.strip()
    while at < len(text):
        match = EXPECTED.match(text, at)
        if not match:
            raise line.mistake(f"no key=value: {text[at:]}")
        absent, key, value = match.groups()
        value = (value or "").strip('"')
        pairs[key] = None if absent else to_regex(value, values)
        at = match.end()
    return pairs


def fits(wanted, found):
    """Does a line of the log have all the pairs?"""
    return all(key not in found if pattern is None else
               key in found and pattern.fullmatch(found[key].encode("latin-1", "replace"))
               for key, pattern in wanted.items())
