# SPDX-License-Identifier: BSD-2-Clause
"""Deaths of every process, and reloads, while mail goes through."""
import os
import signal
import socket
import time

from gateway import PATIENCE, Client, GatewayTests, Load, expect, is_alive, send, wait_for


class LifeTests(GatewayTests):
    def test_a_killed_worker_is_replaced_under_load(self):
        self.gateway.start()
        load = Load(self.gateway.port)
        for number in range(1, 4):
            wait_for(lambda: len(load.accepted) > 40 * number, "mail to go through")
            os.kill(self.gateway.children("posternd: worker")[0], signal.SIGKILL)
            self.gateway.wait_log(r"event=worker-died .*signal 9", number)
            wait_for(lambda: len(self.gateway.children("posternd: worker")) == 2, "a new worker")
        count = len(load.accepted)
        wait_for(lambda: len(load.accepted) > count + 20, "mail to go through after that")
        load.end()
        refused = [trouble for trouble in load.troubles if "Refused" in trouble]
        expect(not refused, f"somebody was refused a connection: {refused[:3]}")
        expect(self.gateway.stop() == 0, "no clean end")
        delivered = b"".join(self.backend.mails)
        for subject in load.accepted:
            expect(f"Subject: {subject}\r\n".encode() in delivered, f"{subject} was lost")
        accepted = len(self.gateway.find(r"verdict=accept "))
        unknown = len(self.gateway.find(r"verdict=unknown .*close=crash"))
        expect(accepted >= len(load.accepted), f"{len(load.accepted)} mails, {accepted} lines")
        expect(accepted + unknown >= len(self.backend.mails),
               f"{len(self.backend.mails)} delivered, {accepted} + {unknown} lines")

    def test_a_worker_killed_behind_the_dot_leaves_a_line_that_says_unknown(self):
        self.gateway.write_config(workers=1)
        self.gateway.start()
        self.backend.script.dot_gate.clear()
        client = Client(self.gateway.port)
        expect(client.begin()[0] == 354, "no 354")
        client.stream.write(b"Subject: x\r\n\r\nbody\r\n.\r\n")
        client.stream.flush()
        wait_for(lambda: self.backend.script.waiting == 1, "the backend to have the dot")
        os.kill(self.gateway.children("posternd: worker")[0], signal.SIGKILL)
        self.gateway.wait_log(r"verdict=unknown .*from=a@example\.net .*close=crash")
        expect(client.read()[0] == 0, "the client got an answer from the dead")
        client.close()
        self.backend.script.dot_gate.set()
        wait_for(lambda: self.gateway.children("posternd: worker"), "a new worker")
        expect(send(self.gateway.port)[0] == 250, "no mail goes through after that")
        expect(len(self.gateway.find(r"close=crash")) == 1, "the line is there more than once")

    def test_connections_that_wait_for_a_dead_worker_are_taken_over(self):
        self.gateway.write_config(workers=3)
        self.gateway.start()
        port = self.gateway.port
        workers = self.gateway.children("posternd: worker")
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        clients = [Client(port) for _ in range(30)]
        time.sleep(0.1)
        for pid in workers[:2]:
            os.kill(pid, signal.SIGKILL)
        os.kill(workers[2], signal.SIGCONT)
        for number, client in enumerate(clients):
            code, text = client.hello()
            expect(code == 250, f"client {number} got {code} {text}")
            client.close()

    def expect_known_backend(self, when):
        client = Client(self.gateway.port)
        code, text = client.hello()
        client.close()
        expect(code == 250 and "8BITMIME" in text, f"{when}: got {code} {text}")

    def test_a_new_worker_knows_its_backend_before_it_serves(self):
        self.backend.script.greeting = ["wait 2s"]
        self.gateway.write_config(workers=1)
        self.gateway.start()
        self.expect_known_backend("at the start")
        self.gateway.signal(signal.SIGHUP)
        self.gateway.wait_log(r"event=reloaded ")
        self.expect_known_backend("behind a reload")
        wait_for(lambda: len(self.gateway.children("posternd: worker")) == 1, "the old one to end")
        os.kill(self.gateway.children("posternd: worker")[0], signal.SIGKILL)
        self.gateway.wait_log(r"event=worker-died ")
        self.expect_known_backend("with a worker in place of a dead one")

    def test_a_reload_that_waits_for_a_backend_leaves_the_sockets_with_the_old_workers(self):
        self.gateway.start()
        self.backend.script.greeting = ["wait 3s"]
        self.gateway.signal(signal.SIGHUP)
        wait_for(lambda: len(self.gateway.children("posternd: worker")) > 2, "the new workers")
        self.expect_known_backend("while the new workers wait")
        expect(not self.gateway.find(r"event=reloaded "), "the new workers did not wait")
        self.gateway.wait_log(r"event=reloaded ")

    def test_a_silent_backend_is_not_waited_for_for_long(self):
        self.backend.script.greeting = ["silence"]
        begin = time.monotonic()
        self.gateway.start()
        waited = time.monotonic() - begin
        expect(4 < waited < 15, f"it started after {waited:.1f} s")
        self.gateway.wait_log(r"event=backend-unknown .*legacy", 2)
        client = Client(self.gateway.port)
        code, text = client.hello()
        client.close()
        expect(code == 250 and "8BITMIME" not in text, f"got {code} {text}")

    def test_a_backend_that_is_down_is_not_waited_for(self):
        self.backend.listener.close()
        self.gateway.start()
        self.gateway.wait_log(r"event=backend-down ")
        expect(not self.gateway.find(r"event=backend-unknown "), "the workers waited for it")

    def test_workers_that_wait_for_a_backend_end_when_they_are_told(self):
        self.backend.script.greeting = ["silence"]
        self.gateway.start(wait=False)
        wait_for(lambda: self.backend.connections, "a worker to ask the backend")
        expect(self.gateway.stop() == 0, "no clean end")
        expect(not self.gateway.find(r"event=worker-late "), "a worker had to be ended")

    def test_workers_that_wait_for_a_backend_end_with_the_master(self):
        self.backend.script.greeting = ["silence"]
        self.gateway.start(wait=False)
        wait_for(lambda: self.backend.connections, "a worker to ask the backend")
        everyone = self.gateway.children("posternd: ")
        self.gateway.process.kill()
        self.gateway.process.wait()
        wait_for(lambda: not any(is_alive(pid) for pid in everyone),
                 "the others to end")
        expect(self.gateway.find(r"event=master-gone "), "no worker has seen its end")

    def test_a_killed_logger_is_replaced_and_no_line_is_lost(self):
        self.gateway.start()
        load = Load(self.gateway.port)
        for number in range(1, 4):
            wait_for(lambda: len(load.accepted) > 40 * number, "mail to go through")
            os.kill(self.gateway.children("posternd: logger")[0], signal.SIGKILL)
            self.gateway.wait_log(r"event=logger-died .*signal 9", number)
        load.end()
        expect(not load.troubles, f"troubles: {load.troubles[:3]}")
        expect(self.gateway.stop() == 0, "no clean end")
        transactions = set(self.gateway.find(r"verdict=accept .* txn=(\S+)"))
        expect(len(transactions) == len(load.accepted),
               f"{len(load.accepted)} mails, {len(transactions)} in the log")

    def test_a_worker_that_dies_again_and_again_is_started_after_a_while(self):
        self.gateway.start()
        for number in range(1, 7):
            pid = wait_for(lambda: len(self.gateway.children("posternd: worker")) == 2
                           and self.gateway.children("posternd: worker 1"), "worker 1")[0]
            os.kill(pid, signal.SIGKILL)
            self.gateway.wait_log(r"event=worker-died ", number)
        begin = time.monotonic()
        expect(send(self.gateway.port)[0] == 250, "no mail goes through beside it")
        wait_for(lambda: self.gateway.children("posternd: worker 1"), "worker 1")
        expect(time.monotonic() - begin > 1, "it was started at once")

    def test_workers_that_never_start_are_the_end_of_the_start(self):
        open(self.gateway.arrange_early_death("posternd: worker"), "wb").close()
        got = self.gateway.check("-c", self.gateway.config_path)
        expect(got.returncode == 2 and "the workers do not start" in got.stderr, f"got {got}")
        expect("exit status 3" in got.stderr, f"the log does not say why: {got.stderr}")

    def test_a_reload_whose_workers_never_start_leaves_the_old_ones(self):
        path = self.gateway.arrange_early_death("posternd: worker")
        self.gateway.start()
        workers = self.gateway.children("posternd: worker")
        port = self.gateway.port
        open(path, "wb").close()
        self.gateway.write_config(listen="listen 127.0.0.1:0 127.0.0.2:0;")
        self.gateway.signal(signal.SIGHUP)
        self.gateway.wait_log(r"event=generation-failed ")
        wait_for(lambda: self.gateway.children("posternd: worker") == workers,
                 "none but the old workers to be left")
        expect(send(port)[0] == 250, "no mail goes through")
        os.unlink(path)
        self.gateway.signal(signal.SIGHUP)
        self.gateway.wait_log(r"event=reloaded ")
        self.gateway.wait_log(r"event=ready .*address=127\.0\.0\.2:")
        expect(send(port)[0] == 250, "no mail goes through after the next reload")

    def test_a_loader_that_dies_is_a_refusal(self):
        path = self.gateway.arrange_early_death("posternd: loader")
        self.gateway.start()
        open(path, "wb").close()
        self.gateway.signal(signal.SIGHUP)
        self.gateway.wait_log(r"event=config-refused .*the loader ended with exit status 3")
        expect(send(self.gateway.port)[0] == 250, "no mail goes through")

    def test_a_loader_that_hangs_is_a_refusal_and_blocks_no_other_reload(self):
        path = self.gateway.arrange_hang("posternd: loader")
        self.gateway.arrange_time()
        self.gateway.start()
        open(path, "wb").close()
        self.gateway.signal(signal.SIGHUP)
        loader = wait_for(lambda: self.gateway.children("posternd: loader"), "the loader")
        self.gateway.signal(signal.SIGHUP)
        self.gateway.wait_log(r"event=reload-waits ")
        self.gateway.skip_time(55)
        time.sleep(0.5)
        expect(self.gateway.children("posternd: loader") == loader, "it was ended too soon")
        os.unlink(path)
        os.kill(loader[0], signal.SIGSTOP)
        self.gateway.skip_time(10)
        self.gateway.wait_log(r"event=config-refused .*postern\.conf is not loaded: .*60 s.*stays")
        self.gateway.wait_log(r"event=reloaded ")
        expect(loader[0] not in self.gateway.children("posternd: loader"), "it was left alive")
        expect(send(self.gateway.port)[0] == 250, "no mail goes through")
        expect(self.gateway.stop() == 0, "no clean end")

    def test_a_loader_that_hangs_at_the_start_is_the_end_of_it(self):
        open(self.gateway.arrange_hang("posternd: loader"), "wb").close()
        self.gateway.arrange_time()
        self.gateway.start(wait=False)
        wait_for(lambda: self.gateway.children("posternd: loader"), "the loader")
        # Again and again: the loader may be seen before the master has begun to count its time.
        wait_for(lambda: self.gateway.skip_time(65) or self.gateway.process.poll() is not None,
                 "the end of the master")
        expect(self.gateway.process.returncode == 2, "the status is not that of a refusal")
        expect(self.gateway.find(r"posternd: .*postern\.conf is not loaded: "), "nobody says why")

    def test_a_loader_that_hangs_does_not_keep_the_others_from_ending(self):
        path = self.gateway.arrange_hang("posternd: loader")
        self.gateway.start()
        open(path, "wb").close()
        self.gateway.signal(signal.SIGHUP)
        wait_for(lambda: self.gateway.children("posternd: loader"), "the loader")
        expect(self.gateway.stop() == 0, "no clean end")

    def test_workers_that_hang_are_ended_and_tried_again(self):
        path = self.gateway.arrange_hang("posternd: worker")
        self.gateway.arrange_time()
        self.gateway.start()
        old = self.gateway.children("posternd: worker")
        open(path, "wb").close()
        self.gateway.signal(signal.SIGHUP)
        wait_for(lambda: len(self.gateway.children("posternd: worker")) == 4, "new workers")
        self.gateway.skip_time(55)
        time.sleep(0.5)
        expect(not self.gateway.find(r"event=worker-stuck "), "they were ended too soon")
        self.gateway.skip_time(10)
        self.gateway.wait_log(r"event=worker-stuck .*does not get ready, and is ended", 2)
        self.gateway.wait_log(r"event=worker-died .*signal 9", 2)
        expect(set(old) < set(self.gateway.children("posternd: worker")), "an old one is gone")
        os.unlink(path)
        self.gateway.wait_log(r"event=reloaded ")
        expect(send(self.gateway.port)[0] == 250, "no mail goes through")

    def test_a_logger_that_dies_at_once_is_tried_again(self):
        path = self.gateway.arrange_early_death("posternd: logger")
        self.gateway.start()
        open(path, "wb").close()
        os.kill(self.gateway.children("posternd: logger")[0], signal.SIGKILL)
        expect(send(self.gateway.port)[0] == 250, "no mail goes through without a logger")
        time.sleep(0.5)
        os.unlink(path)
        self.gateway.wait_log(r"event=transaction verdict=accept ")
        expect(self.gateway.stop() == 0, "no clean end")

    def test_a_worker_that_does_not_end_is_ended(self):
        self.gateway.write_config(drain="10ms", workers=1)
        self.gateway.start()
        os.kill(self.gateway.children("posternd: worker")[0], signal.SIGSTOP)
        expect(self.gateway.stop() == 0, "no clean end")
        expect(self.gateway.find(r"event=worker-late "), "the log does not say so")

    def test_everyone_ends_when_the_master_is_killed(self):
        self.gateway.write_config(drain="500ms")
        self.gateway.start()
        client = Client(self.gateway.port)
        expect(client.hello()[0] == 250, "no greeting")
        everyone = self.gateway.children("posternd: ")
        expect(len(everyone) == 3, f"got {len(everyone)} children")
        self.gateway.process.kill()
        self.gateway.process.wait()

        def alive():
            return [pid for pid in everyone if is_alive(pid)]
        wait_for(lambda: not alive(), "the children to end")
        expect(client.read()[0] == 421, "the client was not told")
        client.close()
        expect(self.gateway.find(r"event=master-gone "), "the log does not say so")
        expect(self.gateway.find(r"event=session .*close="), "the session has no line")

    def test_a_reload_brings_the_new_configuration_and_keeps_the_port(self):
        self.gateway.start()
        port = self.gateway.port
        before = self.gateway.children("posternd: worker")
        expect(send(port)[0] == 250, "no mail goes through")
        self.gateway.write_config(workers=3, more='list x { example.net; } '
                                  'policy closed { rule no { when sender-domain in x; '
                                  'then reject "go away"; } otherwise accept; } '
                                  'domain example.com { backend legacy; policy closed; }')
        self.gateway.signal(signal.SIGHUP)
        self.gateway.wait_log(r"event=reloaded .*generation 2 serves, with 3 workers")
        client = Client(port)
        client.hello()
        client.say("MAIL FROM:<a@example.net>")
        code, text = client.say("RCPT TO:<b@example.com>")
        expect(code == 550, f"got {code} {text}")
        client.close()
        wait_for(lambda: len(self.gateway.children("posternd: worker")) == 3, "the old ones to end")
        expect(not set(before) & set(self.gateway.children("posternd: worker")), "an old one stays")
        expect(len(self.gateway.find(r"event=ready ")) == 1, "the address was told twice")

    def test_a_broken_configuration_is_refused_and_the_old_one_stays(self):
        self.gateway.start()
        workers = self.gateway.children("posternd: worker")
        self.gateway.write_config(more="nonsense 1;")
        self.gateway.signal(signal.SIGHUP)
        self.gateway.wait_log(r"event=config-refused .*postern\.conf:\d+:1: error: .*nonsense")
        self.gateway.wait_log(r"event=config-refused .*the configuration in force stays")
        expect(send(self.gateway.port)[0] == 250, "no mail goes through")
        expect(self.gateway.children("posternd: worker") == workers, "the workers have changed")
        self.gateway.write_config()
        self.gateway.signal(signal.SIGHUP)
        self.gateway.wait_log(r"event=reloaded ")

    def test_an_address_that_cannot_be_had_is_refused_and_the_old_ones_stay(self):
        self.gateway.start()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.gateway.write_config(
                listen="listen 127.0.0.1:0 127.0.0.1:%d;" % taken.getsockname()[1])
            self.gateway.signal(signal.SIGHUP)
            self.gateway.wait_log(r"event=config-refused .*cannot listen on")
        expect(send(self.gateway.port)[0] == 250, "no mail goes through")

    def test_addresses_come_and_go_with_a_reload(self):
        self.gateway.start()
        port = self.gateway.port
        self.gateway.write_config(listen="listen 127.0.0.1:0 127.0.0.2:0;")
        self.gateway.signal(signal.SIGHUP)
        self.gateway.wait_log(r"event=ready .*address=127\.0\.0\.2:\d+")
        other = int(self.gateway.find(r"address=127\.0\.0\.2:(\d+)")[0])
        with socket.create_connection(("127.0.0.2", other), PATIENCE) as client:
            expect(client.recv(3) == b"220", "no greeting on the new address")
        self.gateway.wait_log(r"event=reloaded ")
        self.gateway.write_config()
        self.gateway.signal(signal.SIGHUP)
        self.gateway.wait_log(r"event=reloaded ", 2)

        def is_closed():
            try:
                socket.create_connection(("127.0.0.2", other), 1).close()
                return False
            except ConnectionError:
                return True
        wait_for(is_closed, "the removed address to be closed")
        expect(send(port)[0] == 250, "no mail goes through")

    def test_reloads_under_load_lose_no_connection_and_no_mail(self):
        self.gateway.start()
        load = Load(self.gateway.port, clients=6)
        for number in range(1, 9):
            wait_for(lambda: len(load.accepted) > 25 * number, "mail to go through")
            self.gateway.write_config(workers=1 + number % 3)
            self.gateway.signal(signal.SIGHUP)
            self.gateway.wait_log(r"event=reloaded ", number)
        load.end()
        # A session that is between two commands is told to come back; no other trouble is fine.
        others = [trouble for trouble in load.troubles if not trouble.startswith("421 ")]
        expect(not others, f"troubles: {others[:3]}")
        expect(self.gateway.stop() == 0, "no clean end")
        delivered = b"".join(self.backend.mails)
        for subject in load.accepted:
            expect(f"Subject: {subject}\r\n".encode() in delivered, f"{subject} was lost")
        expect(len(self.backend.mails) == len(load.accepted),
               f"{len(load.accepted)} accepted, {len(self.backend.mails)} delivered")
        lines = len(self.gateway.find(r"verdict=accept "))
        expect(lines == len(load.accepted), f"{len(load.accepted)} accepted, {lines} lines")

    def test_a_session_ends_on_the_configuration_it_began_with(self):
        self.gateway.write_config(drain="20s")
        self.gateway.start()
        client = Client(self.gateway.port)
        expect(client.begin()[0] == 354, "no 354")
        self.gateway.write_config(drain="20s", log="to stderr; addresses domain;")
        self.gateway.signal(signal.SIGHUP)
        self.gateway.wait_log(r"event=reloaded ")
        code, text = client.say("Subject: old\r\n\r\nbody\r\n.")
        expect(code == 250, f"got {code} {text}")
        self.gateway.wait_log(r"from=a@example\.net .*gen=1")
        client.close()
        expect(send(self.gateway.port)[0] == 250, "no mail goes through")
        self.gateway.wait_log(r"from=@example\.net .*gen=2")

    def test_a_reload_during_a_reload_is_done_after_it(self):
        self.gateway.write_config(drain="20s")
        self.gateway.start()
        client = Client(self.gateway.port)
        expect(client.begin()[0] == 354, "no 354")
        self.gateway.signal(signal.SIGHUP)
        self.gateway.wait_log(r"event=reloaded ")
        self.gateway.signal(signal.SIGHUP)
        self.gateway.wait_log(r"event=reload-waits ")
        time.sleep(0.2)
        expect(len(self.gateway.find(r"event=reloaded ")) == 1, "three generations live")
        expect(client.say("Subject: x\r\n\r\nbody\r\n.")[0] == 250, "no mail goes through")
        client.close()
        self.gateway.wait_log(r"event=reloaded ", 2)
