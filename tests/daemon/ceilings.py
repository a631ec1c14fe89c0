# SPDX-License-Identifier: BSD-2-Clause
"""How many sessions one client may have, as all workers of both generations count them."""
import contextlib
import os
import resource
import signal
import socket
import time

from gateway import PATIENCE, Client, GatewayTests, expect, send, wait_for

CEILING = 6
LISTEN = f"listen 127.0.0.1:0; max-sessions-per-address {CEILING};"


def is_open(client):
    """The other side has not closed; for a client that has read all that came."""
    client.socket.setblocking(False)
    try:
        return client.socket.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False
    finally:
        client.socket.settimeout(PATIENCE)


def hear(sock, part, count):
    """Reads until this has come so often."""
    heard = b""
    while heard.count(part) < count:
        more = sock.recv(65536)
        expect(more, f"closed, with {heard.count(part)} of {count} times {part}")
        heard += more


class CeilingTests(GatewayTests):
    def connect(self, lines=()):
        """A client that has said EHLO and these lines; with it the code and text it got last."""
        client = Client(self.gateway.port)
        code, text = client.hello()
        for line in lines:
            if code == 250:
                code, text = client.say(line)
        return client, code, text

    def fill(self, lines=()):
        """As many as may come in."""
        clients = []
        for number in range(CEILING):
            client, code, text = self.connect(lines)
            expect(code == 250, f"client {number} got {code} {text}")
            clients.append(client)
        return clients

    def expect_full(self, when):
        for _ in range(10):
            client, code, text = self.connect()
            expect(code == 421 and "(limit.address)" in text, f"{when}: {code} {text}")
            client.close()

    def test_sessions_of_an_address_are_counted_over_all_workers(self):
        self.gateway.write_config(workers=4, listen=LISTEN)
        self.gateway.start()
        clients = self.fill()
        self.expect_full("with all of them open")
        for client in clients:
            expect(client.say("QUIT")[0] == 221, "no goodbye")
        for client in self.fill() + clients:
            client.close()

    def test_sessions_of_a_dead_worker_are_counted_no_more(self):
        self.gateway.write_config(workers=2, listen=LISTEN)
        self.gateway.start()
        for number in range(1, 4):
            clients = self.fill()
            os.kill(self.gateway.children("posternd: worker")[0], signal.SIGKILL)
            self.gateway.wait_log(r"event=worker-died ", number)
            wait_for(lambda: len(self.gateway.children("posternd: worker")) == 2, "a new worker")
            living = [client for client in clients if is_open(client)]
            more = []
            for _ in range(CEILING - len(living)):
                client, code, text = self.connect()
                expect(code == 250, f"with {len(living) + len(more)} open, got {code} {text}")
                more.append(client)
            self.expect_full("with as many as may be")
            for client in living + more:
                expect(client.say("QUIT")[0] == 221, "no goodbye")
            for client in clients + more:
                client.close()

    def test_sessions_are_counted_over_a_reload(self):
        self.gateway.write_config(workers=2, listen=LISTEN, drain="60s")
        self.gateway.start()
        clients = self.fill(["MAIL FROM:<a@example.net>"])
        self.gateway.signal(signal.SIGHUP)
        self.gateway.wait_log(r"event=reloaded ")
        self.expect_full("while the old workers still have them")
        for client in clients:
            expect(client.say("RSET")[0] in (250, 421), "no answer")
            client.close()
        wait_for(lambda: len(self.gateway.children("posternd: worker")) == 2, "the old to end")
        for client in self.fill():
            client.close()

    def test_a_client_that_never_listens_is_cut_off(self):
        self.gateway.write_config(workers=1, listen="listen 127.0.0.1:0; write-timeout 300ms; "
                                                    "max-commands-without-mail 100000;")
        self.gateway.start()
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(PATIENCE)
        client.connect(("127.0.0.1", self.gateway.port))
        heard = client.recv(1000)
        client.sendall(b"EHLO client.example.net\r\n")
        while b"\r\n250 " not in heard:
            heard += client.recv(1000)
        with contextlib.suppress(OSError):  # it may be cut off before all is said
            client.sendall(95000 * b"VRFY bob\r\n")
        self.gateway.wait_log(r"event=session .*close=timeout\.write")
        client.close()

    def test_a_client_that_does_not_listen_is_not_served(self):
        """Else what one read has brought makes many times as much to say, all of it in memory."""
        count = 80
        round_of_commands = 90 * b"VRFY b\r\n" + (b"MAIL FROM:<a@example.net>\r\n"
                                                  b"RCPT TO:<b@example.org>\r\n"
                                                  b"BDAT 3 LAST\r\na\r\n")
        self.gateway.write_config(workers=1, listen="listen socket smtp;")
        with socket.create_server(("127.0.0.1", 0)) as given, socket.socket() as client:
            given.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            self.start_with_sockets([given], "smtp")
            self.gateway.wait_log(r"event=started ")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(PATIENCE)
            client.connect(given.getsockname())
            client.sendall(b"EHLO a\r\n")
            hear(client, b"\r\n250 ", 1)
            client.sendall(count * round_of_commands)
            self.gateway.wait_log(r"event=transaction verdict=accept")
            served = -1
            while served != len(self.gateway.find(r"event=transaction")):
                served = len(self.gateway.find(r"event=transaction"))
                time.sleep(0.3)
            expect(served < 20, f"{served} mails of a client that reads nothing")
            hear(client, b"\r\n250 2.0.0 accepted", count)

    def test_recipients_have_a_memory_of_their_own(self):
        self.gateway.write_config(workers=1, more="max-spool-memory 1M;",
                                  listen="listen 127.0.0.1:0; max-recipients 10000;")
        self.gateway.start()
        client, code, text = self.connect(["MAIL FROM:<a@example.net>"])
        expect(code == 250, f"MAIL got {code} {text}")
        count = 0
        while code == 250 and count < 10000:
            code, text = client.say(f"RCPT TO:<{count}.{100 * 'b'}@example.org>")
            count += 1
        is_told = code == 452 and "(system.no-recipient-space " in text
        expect(is_told, f"{count} got {code} {text}")
        expect(100 < count < 400, f"{count} found room in 256 KB")
        self.expect_small_mails("beside them")
        few, code, text = self.connect(["MAIL FROM:<a@example.net>"] +
                                       [f"RCPT TO:<{number}@example.org>" for number in range(10)])
        expect(code == 250, f"a few beside many got {code} {text}")
        expect(client.say("DATA")[0] == 354, "those that were taken get no mail")
        expect(client.say("Subject: many\r\n\r\nbody\r\n.")[0] == 250, "nor afterwards")
        count, code = 0, client.say("MAIL FROM:<a@example.net>")[0]
        while code == 250 and count < 100:
            code, text = client.say(f"RCPT TO:<{count}.{100 * 'b'}@example.org>")
            count += 1
        expect(code == 250, f"behind it, RCPT got {code} {text}")
        few.close()
        client.close()

    def test_recipients_of_a_crowd_leave_room_for_one(self):
        """Also where all of them have no more than a few."""
        self.gateway.write_config(workers=1, more="max-spool-memory 1M;",
                                  listen="listen 127.0.0.1:0; max-sessions-per-address 1000; "
                                         "max-sessions-per-network 1000;")
        self.gateway.start()
        clients, codes = [], []
        for _ in range(500):
            client, code, text = self.connect(
                ["MAIL FROM:<a@example.net>", f"RCPT TO:<{60 * 'b'}@example.org>"])
            expect(code == 250, f"beside {codes.count(250)} more of others, the first got {text}")
            codes += [client.say(f"RCPT TO:<{60 * 'c'}@example.org>")[0] for _ in range(3)]
            clients.append(client)
        expect(codes[-1] == 452 and set(codes) == {250, 452}, f"no end of memory: {codes}")
        self.expect_small_mails("beside them")
        for client in clients:
            client.close()

    def hold(self, content):
        """A client that has sent so much of a message and falls silent."""
        client, code, text = self.connect(["MAIL FROM:<a@example.net>", "RCPT TO:<b@example.org>",
                                           "DATA"])
        expect(code == 354, f"DATA got {code} {text}")
        client.socket.sendall(content)
        return client

    def expect_small_mails(self, when):
        for number in range(5):
            code, text = send(self.gateway.port, f"small {number}")
            expect(code == 250, f"{when}, a small mail got {code} {text}")

    def check_small_mails_beside(self, contents, before_the_end=lambda: None):
        self.gateway.write_config(workers=1, more="max-spool-memory 1M;",
                                  listen="listen 127.0.0.1:0; max-sessions-per-address 1000;")
        self.gateway.start()
        clients = [self.hold(content) for content in contents]
        self.expect_small_mails("beside what others hold")
        before_the_end()
        heard = [client.say("\r\n.") for client in clients]
        for code, text in heard:
            expect(code == 250 or (code == 452 and "(system.no-space " in text), f"{code} {text}")
            self.expect_small_mails("behind it")
        for client in clients:
            client.close()
        return [code for code, _ in heard]

    def test_small_mails_find_room_beside_large_headers(self):
        sizes = (240, 240, 240, 120, 60, 30, 15, 15, 7, 7)
        codes = self.check_small_mails_beside(
            [size * (b"X-A: " + 1017 * b"x" + b"\r\n") for size in sizes])
        expect(452 in codes, "nobody had to go, so this tests nothing")
        expect(codes.index(452) == 0, f"it was not the first of the largest: {codes}")
        expect(codes[-1] == 250, f"a small one had to go: {codes}")

    def test_small_mails_find_room_beside_many_small_ones(self):
        """Those who hold it are silent: the disk takes what they have, and they may end it.

        Memory has room for 60 of them; where the disk is slower than they are, some have to go."""
        codes = self.check_small_mails_beside(
            150 * [b"Subject: hello\r\n\r\n" + 15 * (998 * b"x" + b"\r\n")])
        expect(codes.count(250) > 100, f"too many had to go: {codes}")

    def test_small_mails_find_room_while_the_disk_stands_still(self):
        """Then those have to go who have held theirs for longest."""
        disk = self.gateway.arrange_stuck_disk()
        disk.stop()
        codes = self.check_small_mails_beside(
            150 * [b"Subject: hello\r\n\r\n" + 15 * (998 * b"x" + b"\r\n")], disk.go_on)
        expect(codes[:50] == 50 * [452], f"it was not the first that had to go: {codes}")
        expect(codes[-20:] == 20 * [250], f"the last had to go: {codes}")

    def test_every_session_may_have_a_file_for_its_message(self):
        """The descriptors of a worker are enough for all of them, and for whoever comes."""
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        self.gateway.write_config(
            workers=1, more="max-spool-memory 1M; max-sessions 420;",
            listen="listen 127.0.0.1:0; max-sessions-per-address 1000; "
                   "max-sessions-per-network 1000;")
        self.gateway.start(
            preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard)))
        content = b"Subject: hello\r\n\r\n" + 40 * (998 * b"x" + b"\r\n")
        clients = [self.hold(content) for _ in range(400)]
        self.expect_small_mails("beside files of others")
        codes = [client.say(".")[0] for client in clients]
        expect(codes == 400 * [250], f"not all were taken: {codes}")
        for client in clients:
            client.close()

    def test_those_who_are_turned_away_do_not_fill_the_log(self):
        self.gateway.write_config(workers=1, listen="listen 127.0.0.1:0; max-sessions 1;")
        self.gateway.start()
        inside, code, _ = self.connect()
        expect(code == 250, "nobody comes in")
        for _ in range(150):
            client, code, text = self.connect()
            expect(code == 421 and "(limit.sessions)" in text, f"got {code} {text}")
            client.close()
        inside.close()
        expect(self.gateway.stop() == 0, "no clean end")
        lines = len(self.gateway.find(r"event=session .*close=limit\.sessions"))
        counted = sum(int(count) for count in self.gateway.find(
            r'event=turned-away level=warning text="(\d+) more .*: limit\.sessions"'))
        expect(lines + counted == 150, f"{lines} lines, and {counted} in those of the program")
        expect(lines < 150, "each of them has a line")
