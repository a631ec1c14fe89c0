# SPDX-License-Identifier: BSD-2-Clause
"""SPF, DKIM and DMARC while the DNS answers late, or not at all, and while processes change."""
import os
import signal
import threading
import time

from gateway import Client, GatewayTests, expect, require, send, wait_for
from names import NameServer

RULES = """
resolver {{ address 127.0.0.1:{port}; timeout {timeout}; }}
checks {{ {checks} }}
policy checked {{
    rule spf {{ when spf fail; then reject "not an allowed sender"; }}
    rule dmarc {{ when dmarc fail and dmarc-policy reject; then reject "forged"; }}
    otherwise accept;
}}
domain checked.example {{ backend legacy; policy checked; }}
"""
ALLOWED, FORBIDDEN = "v=spf1 ip4:127.0.0.1 -all", "v=spf1 -all"
SENDER, RECIPIENT = "MAIL FROM:<a@example.net>", "RCPT TO:<b@checked.example>"
CONTENT = "From: a@example.net\r\nSubject: x\r\n\r\nbody\r\n."


class CheckTests(GatewayTests):
    names = None

    def start(self, timeout="10s", workers=1, checks=None, more="",
              listen="listen 127.0.0.1:0;", **names):
        self.names = NameServer(**names)
        rules = RULES.format(port=self.names.port, timeout=timeout,
                             checks=checks or f"timeout {timeout};") + more
        self.gateway.write_config(workers=workers, more=rules, listen=listen)
        self.gateway.start()

    def close(self):
        if self.names is not None:
            self.names.close()

    def line(self, pattern):
        """The first line of the log that is like this."""
        self.gateway.wait_log(pattern)
        return self.gateway.find(pattern)[0]

    def send_checked(self):
        client = Client(self.gateway.port)
        try:
            code, text = client.hello()
            for line in (SENDER, RECIPIENT, "DATA", CONTENT):
                if code in (220, 250, 354):
                    code, text = client.say(line)
            return code, text
        finally:
            client.close()

    # ---- DMARC by a list ----

    def write_suffixes(self, text):
        path = os.path.join(self.gateway.folder, "suffixes")
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path

    def start_by_suffix(self, path, zone):
        zone_path = os.path.join(self.gateway.folder, "zone")
        with open(zone_path, "w", encoding="ascii") as file:
            file.write(zone)
        self.gateway.write_config(
            workers=1, more=f"resolver {{ address 127.0.0.1:9; local-data {zone_path}; }}\n"
                            "checks { authentication-results all; dmarc-discovery suffix; "
                            f"suffix-list {path}; }}")
        self.gateway.start()

    def test_a_list_of_suffixes_says_what_an_organization_is(self):
        """In a sandbox that opens no file; of either form."""
        packaged = "/usr/share/publicsuffix/public_suffix_list.dafsa"
        require(os.path.exists(packaged), packaged)
        # By the tree walk there is no record: it would have to be at net, with psd=y.
        zone = ("_dmarc.a.example.net. 60 IN TXT none\n_dmarc.b.a.example.net. 60 IN TXT none\n"
                "_dmarc.example.net. 60 IN TXT \"v=DMARC1; p=reject\"\n"
                "b.a.example.net. 60 IN TXT none\nclient.example.net. 60 IN TXT none\n")
        self.start_by_suffix(packaged, zone)
        self.send_from_below()
        self.line(r"verdict=accept .* dmarc=fail dmarc_p=reject ")
        path = self.write_suffixes("com\nnet\nexample.net\n")
        with open(self.gateway.config_path, encoding="utf-8") as file:
            text = file.read().replace(packaged, path)
        with open(self.gateway.config_path, "w", encoding="utf-8") as file:
            file.write(text)
        self.gateway.signal(signal.SIGHUP)
        self.gateway.wait_log(r"event=reloaded ")
        self.send_from_below()
        self.line(r"verdict=accept .* dmarc=none ")

    def send_from_below(self):
        client = Client(self.gateway.port)
        client.hello()
        for line in ("MAIL FROM:<a@b.a.example.net>", "RCPT TO:<b@example.org>", "DATA"):
            client.say(line)
        code, text = client.say("From: a@b.a.example.net\r\n\r\nbody\r\n.")
        client.close()
        expect(code == 250, f"got {code} {text}")

    def test_a_file_that_is_no_list_of_suffixes_does_not_load(self):
        self.gateway.start()
        path = self.write_suffixes("nonsense\n")
        self.gateway.write_config(more=f"checks {{ dmarc-discovery suffix; suffix-list {path}; }}")
        self.gateway.signal(signal.SIGHUP)
        self.line(r"event=config-refused .*is no list of public suffixes.*checks\.suffix-list")
        expect(send(self.gateway.port)[0] == 250, "no mail goes through after that")

    # ---- Answers that are late, or never come ----

    def test_a_silent_dns_server_defers_in_time_and_holds_nobody_else_up(self):
        self.start(timeout="2s", silent=["example.net"])
        begun, answers = time.monotonic(), []
        thread = threading.Thread(target=lambda: answers.append(self.send_checked()))
        thread.start()
        wait_for(lambda: self.names.asked, "a question")
        expect(send(self.gateway.port)[0] == 250, "other mail does not go through")
        expect(not answers, "the other mail had to wait")
        thread.join()
        expect(answers[0][0] == 451 and "dns.temperror" in answers[0][1], f"got {answers[0]}")
        expect(time.monotonic() - begun >= 1.9, "it was not waited for")
        line = self.line(r"^.* reason=dns\.temperror .*")
        expect("spf=temperror" in line and "check_text=" in line, line)

    def test_a_silent_dns_server_defers_behind_the_message_and_the_backend_sees_no_dot(self):
        self.start(timeout="1s", texts={"example.net": [ALLOWED]}, silent=["_dmarc.example.net"])
        code, text = self.send_checked()
        expect(code == 451 and "dns.temperror" in text, f"got {code} {text}")
        expect(not self.backend.mails, "the backend got the mail")
        line = self.line(r"^.* reason=dns\.temperror .*")
        expect("spf=pass" in line and "dmarc=temperror" in line and "phase=message" in line, line)

    def test_the_budget_of_the_message_ends_checks_that_have_more_time(self):
        self.start(texts={"example.net": [ALLOWED]}, silent=["_dmarc.example.net"],
                   listen="listen 127.0.0.1:0; post-dot-budget 500ms;")
        code, text = self.send_checked()
        expect(code == 451 and "timeout.decision" in text, f"got {code} {text}")
        expect(not self.backend.mails, "the backend got the mail")
        line = self.line(r"^.* reason=timeout\.decision .*")
        expect(int(line.split(" check_ms=")[1].split()[0]) >= 400, line)
        expect(send(self.gateway.port)[0] == 250, "mail does not go through")

    def test_late_answers_are_waited_for(self):
        self.start(texts={"example.net": [FORBIDDEN]}, delay_s=0.3)
        code, text = self.send_checked()
        expect(code == 550 and "rule.checked.spf" in text, f"got {code} {text}")
        line = self.line(r"^.* reason=rule\.checked\.spf .*")
        expect(int(line.split(" check_ms=")[1].split()[0]) >= 250, line)

    def test_pipelined_commands_wait_for_a_late_answer_and_stay_in_order(self):
        self.start(texts={"example.net": [FORBIDDEN]}, delay_s=0.3)
        client = Client(self.gateway.port)
        client.hello()
        client.socket.sendall(("\r\n".join((SENDER, RECIPIENT, "RCPT TO:<b@example.org>", "DATA"))
                               + "\r\n").encode())
        codes = [client.read()[0] for _ in range(4)] + [client.say(CONTENT)[0]]
        expect(codes == [250, 550, 250, 354, 250], f"got {codes}")
        client.close()

    def test_a_client_that_leaves_while_its_sender_is_checked_harms_nobody(self):
        self.start(timeout="2s", silent=["example.net"])
        for _ in range(20):
            client = Client(self.gateway.port)
            client.hello()
            client.socket.sendall(f"{SENDER}\r\n{RECIPIENT}\r\n".encode())
            client.close()
        self.gateway.wait_log(r"^.* spf=temperror ", 20)
        expect(send(self.gateway.port)[0] == 250, "mail does not go through")

    def test_equal_questions_at_one_time_are_asked_once_and_kept(self):
        self.start(texts={"example.net": [ALLOWED], "_dmarc.example.net": ["v=DMARC1; p=reject"]},
                   delay_s=0.2)
        codes = []
        threads = [threading.Thread(target=lambda: codes.append(self.send_checked()[0]))
                   for _ in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        expect(codes == [250] * 30, f"got {codes}")
        asked = self.names.asked
        expect(asked.count(("example.net", 16)) == 1, f"asked {len(asked)} times: {asked}")
        expect(self.send_checked()[0] == 250, "mail does not go through")

    def check_forged(self, sender, rules, fields=""):
        """Mail in the name of somebody who wants such mail refused."""
        self.start(texts={"_dmarc.victim.example": ["v=DMARC1; p=reject"],
                          **{f"{way}.costly.example":
                             ["v=spf1 " + " ".join(f"exists:{way}{i}.costly.example"
                                                   for i in range(9)) + " ~all"]
                             for way in ("sender", "helo")}},
                   silent=["slow.example"],
                   checks="timeout 1s; max-questions 15; spf-void-lookups 10;", more="""
            policy lax { on dns-temperror ignore; %s
                         rule forged { when dmarc fail and dmarc-policy reject; then reject; }
                         otherwise accept; }
            domain lax.example { backend legacy; policy lax; }""" % rules)
        client = Client(self.gateway.port)
        client.read()
        for line in ("EHLO helo.costly.example", f"MAIL FROM:<{sender}>",
                     "RCPT TO:<b@lax.example>", "DATA"):
            code, text = client.say(line)
            expect(code in (250, 354), f"{line} got {code} {text}")
        code, text = client.say(fields + "From: a@victim.example\r\n\r\nbody\r\n.")
        expect(code == 550 and "rule.lax.forged" in text, f"got {code} {text}")
        client.close()

    def test_a_slow_sender_cannot_take_the_time_of_dmarc(self):
        self.check_forged("a@slow.example", "")
        expect("spf=temperror" in self.line(r"^.* reason=rule\.lax\.forged .*"), "SPF was known")

    def test_a_slow_sender_cannot_take_the_time_of_what_comes_behind_the_message(self):
        self.check_forged("a@slow.example", "rule spf { when spf fail; then reject; }")

    def test_a_sender_of_many_names_cannot_take_the_questions_of_others(self):
        self.check_forged("a@sender.costly.example",
                          "rule spf { when spf fail and spf-helo fail; then reject; }",
                          "DKIM-Signature: v=1; a=rsa-sha256; d=victim.example; s=s; h=from;\r\n"
                          f" bh={43 * 'A'}=; b=AAAA\r\n")

    def test_mail_that_waits_for_the_dns_makes_room_for_others(self):
        """What is held for its signatures is as much as a few may have together."""
        self.start(timeout="5s", more="max-spool-memory 1M;", texts={"example.net": [ALLOWED]},
                   silent=["s._domainkey.slow.example"])
        signature = ("DKIM-Signature: v=1; a=rsa-sha256; d=slow.example; s=s; h=from;\r\n"
                     f" bh={43 * 'A'}=; b=AAAA\r\n")
        padding = "".join(f"X-{number}: {900 * 'x'}\r\n" for number in range(100))
        answers, begun = [], time.monotonic()

        def send_signed():
            client = Client(self.gateway.port)
            client.hello()
            for line in (SENDER, RECIPIENT, "DATA", signature + padding + CONTENT):
                code, text = client.say(line)
            answers.append((code, text, time.monotonic() - begun))
            client.close()

        threads = [threading.Thread(target=send_signed) for _ in range(6)]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(answers) >= 2, "the first to be turned away")
        expect(send(self.gateway.port)[0] == 250, "other mail does not go through")
        for thread in threads:
            thread.join()
        early = [text for code, text, took in answers if code == 452 and took < 4]
        late = [code for code, text, took in answers if took >= 4]
        expect(len(early) >= 2 and all("system.no-space" in text for text in early), f"{answers}")
        expect(late and set(late) == {250}, f"{answers}")

    def test_a_reload_lets_a_mail_that_is_checked_go_on(self):
        self.start(texts={"example.net": [ALLOWED]}, delay_s=0.5)
        answers = []
        thread = threading.Thread(target=lambda: answers.append(self.send_checked()))
        thread.start()
        wait_for(lambda: self.names.asked, "a question")
        self.gateway.process.send_signal(signal.SIGHUP)
        thread.join()
        expect(answers[0][0] == 250, f"got {answers[0]}")

    def test_a_killed_worker_takes_along_only_what_it_checked(self):
        self.start(timeout="5s", workers=2, silent=["example.net"])
        answers = []
        thread = threading.Thread(target=lambda: answers.append(self.send_checked()))
        thread.start()
        wait_for(lambda: self.names.asked, "a question")
        for pid in self.gateway.children("posternd: worker"):
            os.kill(pid, signal.SIGKILL)
        thread.join()
        expect(answers[0][0] == 0, f"got {answers[0]}")
        wait_for(lambda: len(self.gateway.children("posternd: worker")) == 2, "new workers")
        wait_for(lambda: send(self.gateway.port)[0] == 250, "mail to go through")

    def test_a_mail_larger_than_memory_is_checked_whole(self):
        self.start(texts={"example.net": [ALLOWED]})
        client = Client(self.gateway.port)
        client.hello()
        for line in (SENDER, RECIPIENT, "DATA"):
            code, text = client.say(line)
        code, text = client.say("From: a@example.net\r\n\r\n" + ("x" * 70 + "\r\n") * 50000 + ".")
        expect(code == 250, f"got {code} {text}")
        line = self.line(r"^.* verdict=accept .*dkim=none.*")
        expect("size=36" in line, line)
        client.close()
