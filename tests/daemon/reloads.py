# SPDX-License-Identifier: BSD-2-Clause
"""Reloads under load, where every connection, mail and line is accounted for."""
import os
import signal
import socket
import ssl
import time

from gateway import PATIENCE, Client, GatewayTests, Load, expect, wait_for
from certificates import make_self_signed  # tests/lib, which gateway has put in reach
from ports import hold_port


class ReloadTests(GatewayTests):
    def reload(self, count=1, **settings):
        self.gateway.write_config(**settings)
        self.gateway.signal(signal.SIGHUP)
        self.gateway.wait_log(r"event=reloaded ", count)

    def load_after(self, **settings):
        """A started gateway under load."""
        self.gateway.write_config(**settings)
        self.gateway.start()
        load = Load(self.gateway.port, clients=6)
        wait_for(lambda: len(load.accepted) > 20, "mail to go through")
        return load

    def let_some_through(self, load):
        count = len(load.accepted)
        wait_for(lambda: len(load.accepted) > count + 20, "mail to go through after that")

    def test_who_has_just_come_sends_a_mail_over_a_reload(self):
        self.gateway.write_config(drain="20s")
        self.gateway.start()
        fresh, used = Client(self.gateway.port), Client(self.gateway.port)
        expect(fresh.hello()[0] == 250 and used.begin()[0] == 354, "no greeting, or no 354")
        expect(used.say("Subject: x\r\n\r\nbody\r\n.")[0] == 250, "no mail goes through")
        self.reload(1, drain="20s")
        code, text = used.read()
        expect(code == 421, f"who had sent a mail and was idle got {code} {text}")
        for line, want in (("MAIL FROM:<a@example.net>", 250), ("RCPT TO:<b@example.org>", 250),
                           ("DATA", 354), ("Subject: y\r\n\r\nbody\r\n.", 250)):
            code, text = fresh.say(line)
            expect(code == want, f"{line}: got {code} {text}")
        code, text = fresh.read()
        expect(code == 421, f"behind its mail it got {code} {text}")
        self.gateway.wait_log(r"verdict=accept .*gen=1$", 2)
        fresh.close()
        used.close()

    def test_who_has_come_and_says_nothing_is_not_waited_for_for_long(self):
        self.gateway.write_config(drain="60s")
        self.gateway.start()
        client = Client(self.gateway.port)
        expect(client.hello()[0] == 250, "no greeting")
        begin = time.monotonic()
        self.reload(1, drain="60s")
        code, text = client.read()
        expect(code == 421, f"got {code} {text}")
        expect(3 < time.monotonic() - begin < 15, f"after {time.monotonic() - begin:.1f} s")
        client.close()
        # The end is something else.
        client = Client(self.gateway.port)
        expect(client.hello()[0] == 250, "no greeting")
        begin = time.monotonic()
        expect(self.gateway.stop() == 0, "no clean end")
        expect(client.read()[0] == 421 and time.monotonic() - begin < 3, "it was waited for")
        client.close()

    def test_a_handshake_goes_on_over_a_reload(self):
        chain, key = (os.path.join(self.gateway.folder, name) for name in ("mx.pem", "mx.key"))
        make_self_signed(chain, key, "mx.example.org", 300)
        settings = {"tls": "implicit", "more":
                    f"certificate {{ names mx.example.org; chain {chain}; key {key}; }}"}
        self.gateway.write_config(**settings)
        self.gateway.start()
        client = socket.create_connection(("127.0.0.1", self.gateway.port), PATIENCE)
        time.sleep(0.2)  # the worker has it
        self.reload(1, **settings)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(client) as secured, secured.makefile("rb") as stream:
            expect(stream.readline().startswith(b"220 "), "no greeting")
            secured.sendall(b"EHLO client.example.net\r\n")
            expect(stream.readline().startswith(b"250-"), "no answer")

    def test_ten_reloads_in_a_row_lose_nothing(self):
        load = self.load_after()
        for number in range(1, 11):
            self.reload(number)
        load.end().expect_accounted(self.gateway, self.backend)

    def test_reloads_with_more_and_fewer_workers_lose_nothing(self):
        load = self.load_after(workers=1)
        for number, workers in enumerate((4, 1, 3, 2), 1):
            self.reload(number, workers=workers)
            self.let_some_through(load)
        load.end().expect_accounted(self.gateway, self.backend)

    def test_a_broken_configuration_loses_nothing(self):
        load = self.load_after()
        for number in range(1, 4):
            self.gateway.write_config(more="nonsense 1;")
            self.gateway.signal(signal.SIGHUP)
            self.gateway.wait_log(r"event=config-refused .*configuration in force stays", number)
            self.reload(number)
        load.end().expect_accounted(self.gateway, self.backend)

    def test_listeners_that_come_move_and_go_lose_nothing_elsewhere(self):
        """One address goes from listener to listener, and others come and go beside it."""
        with hold_port() as held, hold_port("127.0.0.2") as other:
            address = "127.0.0.1:%d" % held.getsockname()[1]
            beside = "127.0.0.2:%d" % other.getsockname()[1]
            load = self.load_after(listen=f"listen {address};")
            more = f"listener second {{ listen {beside}; tls off; }}"
            self.reload(1, listen=f"listen {address};", more=more)
            self.gateway.wait_log(rf"event=ready .*listener=second address={beside}$")
            self.let_some_through(load)
            # They change places: the load's address is the second listener's now.
            self.reload(2, listen=f"listen {beside};", more=more.replace(beside, address))
            self.let_some_through(load)
            self.gateway.wait_log(r"verdict=accept .*listener=second .*gen=3$")
            self.reload(3, listen=f"listen {address};")
            self.let_some_through(load)
            load.end().expect_accounted(self.gateway, self.backend)
        expect(len(self.gateway.find(r"event=ready ")) == 2, "an address was opened anew")
