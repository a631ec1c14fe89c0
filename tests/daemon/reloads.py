# SPDX-License-Identifier: BSD-2-Clause
"""Reloads under load, where every connection, mail and line is accounted for."""
import signal

from gateway import GatewayTests, Load, expect, wait_for
from ports import hold_port  # tests/lib, which gateway has put in reach


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
