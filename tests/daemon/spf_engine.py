# SPDX-License-Identifier: BSD-2-Clause
"""The process of libspf2: there when it is asked for, and no harm to anyone when it dies."""
import os
import re
import signal
import time

from gateway import Client, GatewayTests, Load, expect, is_alive, wait_for

# libspf2 takes a prefix length of 0 for an error.
ZONE = """
example.net. 60 IN TXT "v=spf1 a:any.example.net/0 -all"
any.example.net. 60 IN A 192.0.2.1
agreed.example.net. 60 IN TXT "v=spf1 ip4:127.0.0.1 include:more.example.net -all"
client.example.net. 60 IN TXT "none"
_dmarc.example.com. 60 IN TXT "v=DMARC1; p=none; psd=n"
_dmarc.com. 60 IN TXT "none"
more.example.net. 60 IN TXT "v=spf1 a:any.example.net ?all"
"""
TITLE = "posternd: spf"


def ask_engine(folder, engine):
    """Blocks for a configuration that has each mail checked."""
    path = os.path.join(folder, "zone")
    with open(path, "w", encoding="ascii") as file:
        file.write(ZONE)
    os.chmod(path, 0o644)
    return (f"resolver {{ address 127.0.0.1:9; local-data {path}; }}\n"
            f"checks {{ authentication-results all; spf-engine {engine}; }}")


class SpfEngineTests(GatewayTests):
    def write_config(self, engine):
        self.gateway.write_config(more=ask_engine(self.gateway.folder, engine))

    def start(self, engine):
        self.write_config(engine)
        self.gateway.start()

    def engines(self):
        return self.gateway.children(TITLE)

    def engine(self):
        return wait_for(self.engines, "the process of libspf2")[0]

    def send_from(self, sender="a@example.net"):
        """The fields on SPF of the line of such a mail."""
        pattern = r"^.*verdict=accept .*$"
        before = len(self.gateway.find(pattern))
        client = Client(self.gateway.port)
        client.hello()
        for line in (f"MAIL FROM:<{sender}>", "RCPT TO:<b@example.org>", "DATA"):
            client.say(line)
        code, text = client.say("Subject: x\r\nFrom: a@example.com\r\n\r\nbody\r\n.")
        client.close()
        expect(code == 250, f"got {code} {text}")
        lines = wait_for(lambda: self.gateway.find(pattern)[before:], "a line")
        return dict(re.findall(r"\b((?:spf\w*|check_text))=(\"[^\"]*\"|\S+)", lines[0]))

    # ---- Where it is asked ----

    def test_there_is_no_process_unless_it_is_asked_for(self):
        self.start("native")
        expect(not self.engines(), "there is one")
        fields = self.send_from()
        expect(fields["spf"] == "pass" and "spf_libspf2" not in fields, f"got {fields}")

    def test_both_engines_are_asked_and_differences_are_logged(self):
        self.start("both")
        fields = self.send_from()
        expect(fields["spf"] == "pass" and fields.get("spf_libspf2") == "permerror",
               f"got {fields}")
        fields = self.send_from("a@agreed.example.net")
        expect(fields["spf"] == "pass" and "spf_libspf2" not in fields, f"got {fields}")

    def test_libspf2_alone_decides_where_it_is_the_engine(self):
        self.start("libspf2")
        fields = self.send_from()
        expect(fields["spf"] == "permerror" and "libspf2" in fields["check_text"],
               f"got {fields}")
        fields = self.send_from("a@agreed.example.net")
        expect(fields["spf"] == "pass", f"got {fields}")

    # ---- Its deaths ----

    def test_a_killed_engine_is_replaced_and_mail_goes_through(self):
        self.start("both")
        load = Load(self.gateway.port)
        for number in range(1, 4):
            wait_for(lambda: len(load.accepted) > 20 * number, "mail to go through")
            pid = self.engine()
            os.kill(pid, signal.SIGKILL)
            self.gateway.wait_log(r"event=spf-died .*signal 9", number)
            wait_for(lambda pid=pid: self.engines() not in ([], [pid]), "a new one")
        load.end()
        expect(not load.troubles, f"{load.troubles[:3]}")
        expect(not self.gateway.find(r"event=worker-died"), "a worker has died")
        wait_for(lambda: self.send_from().get("spf_libspf2") == "permerror", "word of the new one")

    def test_an_engine_that_stands_still_is_a_temperror(self):
        self.start("libspf2")
        pid = self.engine()
        os.kill(pid, signal.SIGSTOP)
        fields = self.send_from("a@agreed.example.net")
        expect(fields["spf"] == "temperror" and "no answer in time" in fields["check_text"],
               f"got {fields}")
        os.kill(pid, signal.SIGCONT)
        wait_for(lambda: self.send_from("a@agreed.example.net")["spf"] == "pass", "pass")
        expect(self.engines() == [pid], "it is another one")

    def test_an_engine_that_dies_of_a_request_is_a_temperror(self):
        self.start("libspf2")
        pid = self.engine()
        os.kill(pid, signal.SIGSTOP)
        client = Client(self.gateway.port)
        client.begin()
        client.stream.write(b"Subject: x\r\n\r\nbody\r\n.\r\n")
        client.stream.flush()
        time.sleep(0.1)
        os.kill(pid, signal.SIGKILL)
        expect(client.read()[0] == 250, "the mail was not taken")
        client.close()
        self.gateway.wait_log(r"verdict=accept .* spf=(temperror|permerror) ")
        self.gateway.wait_log(r"event=spf-died .*signal 9")
        wait_for(lambda: self.send_from("a@agreed.example.net")["spf"] == "pass", "pass")

    def test_an_engine_that_never_starts_is_a_temperror(self):
        path = self.gateway.arrange_early_death(TITLE)
        with open(path, "w", encoding="ascii"):
            pass
        self.start("both")
        fields = self.send_from()
        expect(fields["spf"] == "pass" and fields.get("spf_libspf2") == "temperror",
               f"got {fields}")
        os.unlink(path)
        wait_for(lambda: self.send_from().get("spf_libspf2") == "permerror", "it to start")

    # ---- Reloads and the end ----

    def reload(self, engine, count):
        self.write_config(engine)
        self.gateway.signal(signal.SIGHUP)
        self.gateway.wait_log(r"event=reloaded ", count)

    def test_reloads_bring_it_and_take_it_away(self):
        self.start("native")
        self.reload("both", 1)
        pid = self.engine()
        expect(self.send_from().get("spf_libspf2") == "permerror", "it is not asked")
        self.reload("libspf2", 2)
        expect(self.engines() == [pid], "it is another one")
        expect(self.send_from()["spf"] == "permerror", "it is not asked")
        self.reload("native", 3)
        wait_for(lambda: not self.engines(), "it to end")
        expect(self.send_from()["spf"] == "pass", "it is asked")
        expect(not self.gateway.find(r"event=spf-died"), "its end is called a death")

    def test_a_bad_configuration_leaves_it_alone(self):
        self.start("both")
        pid = self.engine()
        self.gateway.write_config(more="nonsense;")
        self.gateway.signal(signal.SIGHUP)
        self.gateway.wait_log(r"event=config-refused ")
        expect(self.engines() == [pid], "it is another one")
        expect(self.send_from().get("spf_libspf2") == "permerror", "it is not asked")

    def test_it_ends_with_the_gateway(self):
        self.start("both")
        pid = self.engine()
        expect(self.gateway.stop() == 0, "no clean end")
        wait_for(lambda: not is_alive(pid), "it to end")

    def test_it_ends_when_master_and_workers_are_gone(self):
        self.start("both")
        pid = self.engine()
        self.gateway.process.kill()
        wait_for(lambda: not is_alive(pid), "it to end")

