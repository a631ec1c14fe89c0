# SPDX-License-Identifier: BSD-2-Clause
"""Where the log goes, and what happens to sessions when it does not go on."""
import json
import os
import pwd
import re
import signal
import subprocess
import threading
import time

from gateway import PATIENCE, Client, GatewayTests, expect, require_mounts, send, wait_for


class LogTests(GatewayTests):
    def test_a_mail_goes_through_and_leaves_a_line(self):
        self.gateway.start()
        code, text = send(self.gateway.port, "hello there")
        expect(code == 250, f"got {code} {text}")
        expect(any(b"Subject: hello there" in mail for mail in self.backend.mails),
               "the backend has no such mail")
        self.gateway.wait_log(r"event=transaction verdict=accept .*from=a@example\.net "
                              r'rcpts="b@example\.org:250" .*backend_qid=Q1')

    def test_lines_can_be_json_all_of_them(self):
        self.gateway.write_config(log="to stderr; format json;")
        self.gateway.start(wait=False)
        self.gateway.wait_log(r'"event":"started"')
        port = int(self.gateway.find(r'"address":"127\.0\.0\.1:(\d+)"')[0])
        send(port)
        self.gateway.wait_log(r'"event":"transaction"')
        self.backend.close()  # of which a worker has something to say
        send(port)
        self.gateway.wait_log(r'"event":"backend-down"')
        expect(self.gateway.stop() == 0, "no clean end")
        lines = [line for line in self.gateway.log().splitlines() if not
                 line.startswith(self.gateway.config_path)]
        events = [json.loads(line)["event"] for line in lines]
        for event in ("ready", "started", "transaction", "stopping", "stopped"):
            expect(event in events, f"no {event} among {events}")

    def test_with_debug_a_long_turn_of_the_loop_is_told(self):
        self.gateway.write_config(workers=1)
        self.gateway.prefix = ["sh", "-c", 'exec "$0" -d "$@"']
        self.gateway.start()
        worker = self.gateway.children("posternd: worker")[0]
        clients = [Client(self.gateway.port) for _ in range(40)]
        for client in clients:
            expect(client.begin()[0] == 354, "no 354")

        def work_is_told():
            os.kill(worker, signal.SIGSTOP)  # so that all of it comes in one turn
            for client in clients:
                client.stream.write((b"x" * 62 + b"\r\n") * 500)
                client.stream.flush()
            os.kill(worker, signal.SIGCONT)
            return self.gateway.find(r"event=worker-turn level=debug text=\"[1-9][0-9]{3,} us")
        wait_for(work_is_told, "a line about a long turn")
        for client in clients:
            client.close()

    def test_sigusr1_opens_the_log_file_again(self):
        path = os.path.join(self.gateway.folder, "mail.log")
        self.gateway.write_config(log=f"to file {path};")
        self.gateway.start(wait=False)
        self.gateway.wait_log(r"event=started ", path=path)
        expect(os.stat(path).st_mode & 0o777 == 0o640, "its mode is not 0640")
        port = int(self.gateway.find(r"address=127\.0\.0\.1:(\d+)", path)[0])
        expect(send(port)[0] == 250, "no mail goes through")
        self.gateway.wait_log(r"verdict=accept ", path=path)
        os.rename(path, path + ".1")
        self.gateway.signal(signal.SIGUSR1)
        wait_for(lambda: os.path.exists(path), "the new file")
        self.gateway.wait_log(r"event=log-reopened ", path=path)
        expect(send(port)[0] == 250, "no mail goes through")
        self.gateway.wait_log(r"verdict=accept ", path=path)
        expect(len(self.gateway.find(r"verdict=accept ", path + ".1")) == 1,
               "the old file has not one line")

    def test_a_pipe_that_nobody_reads_stalls_no_session(self):
        self.gateway.write_config(log="to stderr; ring 64K;", workers=1)
        reader, writer = os.pipe()
        self.gateway.start(stderr=writer, wait=False)
        os.close(writer)
        text = b""
        end = time.monotonic() + PATIENCE
        while b"event=started" not in text and time.monotonic() < end:
            text += os.read(reader, 65536)
        port = int(re.search(rb"address=127\.0\.0\.1:(\d+)", text).group(1))
        codes = []
        begin = time.monotonic()
        while 451 not in codes and time.monotonic() < begin + PATIENCE:
            code, answer = send(port)
            codes.append(code)
        expect(set(codes) == {250, 451}, f"got {set(codes)}")
        expect("log.full" in answer, f"got {answer}")
        for _ in range(40):
            codes.append(send(port)[0])
        expect(len(self.backend.mails) == codes.count(250), "a mail was delivered without a line")
        # Now somebody reads: every accepted mail has its line after all.
        chunks = []
        thread = threading.Thread(target=self.read_to_end, args=(reader, chunks))
        thread.start()
        wait_for(lambda: send(port)[0] == 250, "mail to go through again")
        expect(self.gateway.stop() == 0, "no clean end")
        thread.join(PATIENCE)
        lines = len(re.findall(rb"verdict=accept ", text + b"".join(chunks)))
        expect(lines == len(self.backend.mails), f"{len(self.backend.mails)} mails, {lines} lines")
        expect(re.search(rb"event=log-lost .*count=\d+", b"".join(chunks)), "no word of lost lines")

    def test_a_stuck_pipe_does_not_hold_up_the_end(self):
        self.gateway.write_config(log="to stderr; ring 64K;", workers=1)
        reader, writer = os.pipe()
        self.gateway.start(stderr=writer, wait=False)
        os.close(writer)
        text = b""
        while b"event=started" not in text:
            text += os.read(reader, 65536)
        port = int(re.search(rb"address=127\.0\.0\.1:(\d+)", text).group(1))
        while send(port)[0] == 250:
            pass
        expect(self.gateway.stop() == 0, "no clean end")
        os.close(reader)

    @staticmethod
    def read_to_end(fd, chunks):
        while True:
            chunk = os.read(fd, 65536)
            if not chunk:
                break
            chunks.append(chunk)
        os.close(fd)

    def test_a_full_disk_is_told_and_loses_no_line_that_fits_the_ring(self):
        folder = os.path.join(self.gateway.folder, "small")
        os.mkdir(folder)
        path = os.path.join(folder, "mail.log")
        require_mounts()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k,mode=755", "none", folder],
                       check=True)
        try:
            self.gateway.write_config(log=f"to file {path};", workers=1)
            self.gateway.start(wait=False)
            self.gateway.wait_log(r"event=started ", path=path)
            port = int(self.gateway.find(r"address=127\.0\.0\.1:(\d+)", path)[0])
            for number in range(60):
                code, text = send(port)
                expect(code == 250, f"mail {number}: got {code} {text}")
            self.gateway.wait_log(r"cannot write the log, and keep trying: No space left")
            expect(len(self.gateway.find(r"cannot write the log")) == 1, "it was said twice")
            subprocess.run(["mount", "-o", "remount,size=1m", folder], check=True)
            self.gateway.wait_log(r"verdict=accept ", 60, path=path)
            self.gateway.wait_log(r"the log can be written again")
            expect(self.gateway.stop() == 0, "no clean end")
            expect(not self.gateway.find(r"^(?!ts=).+", path), "there is half a line")
        finally:
            self.gateway.close()
            subprocess.run(["umount", "-l", folder], check=True)

    @staticmethod
    def limit_file_size(pid, limit):
        """As the user whose process it is: only CAP_SYS_RESOURCE gets at those of others."""
        user = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        subprocess.run(["prlimit", f"--pid={pid}", f"--fsize={limit}:"], check=True, **user)

    def test_a_log_file_that_may_not_grow_is_told_and_waited_for(self):
        path = os.path.join(self.gateway.folder, "mail.log")
        self.gateway.write_config(log=f"to file {path};", workers=1)
        self.gateway.start(wait=False)
        self.gateway.wait_log(r"event=started ", path=path)
        port = int(self.gateway.find(r"address=127\.0\.0\.1:(\d+)", path)[0])
        logger = self.gateway.children("posternd: logger")[0]
        self.limit_file_size(logger, "4096")
        for number in range(20):
            code, text = send(port)
            expect(code == 250, f"mail {number}: got {code} {text}")
        self.gateway.wait_log(r"cannot write the log, and keep trying: File too large")
        self.limit_file_size(logger, "unlimited")
        self.gateway.wait_log(r"verdict=accept ", 20, path=path)
        expect(self.gateway.children("posternd: logger") == [logger], "the logger has died")

    def test_a_log_file_that_cannot_be_opened_stops_the_start(self):
        self.gateway.write_config(log="to file /nonexistent/mail.log;")
        got = self.gateway.check("-c", self.gateway.config_path)
        expect(got.returncode == 2 and "cannot open the log file /nonexistent/" in got.stderr,
               f"got {got}")
