# SPDX-License-Identifier: BSD-2-Clause
"""What a disk that does not answer means to those who need it, and to those who do not."""
from gateway import Client, GatewayTests, expect, send, wait_for

LARGE = "\r\n".join(["", *["x" * 70] * 40000, "."])


def send_large(port):
    client = Client(port)
    expect(client.begin()[0] == 354, "no 354")
    try:
        return client.say(LARGE)
    finally:
        client.close()


class DiskTests(GatewayTests):
    def test_a_stuck_disk_puts_off_large_mail_and_nothing_else(self):
        self.gateway.write_config(workers=1, more="spool-timeout 500ms;")
        disk = self.gateway.arrange_stuck_disk()
        self.gateway.start()
        disk.stop()
        code, text = send_large(self.gateway.port)
        expect(code == 451 and "timeout.disk" in text, f"got {code} {text}")
        expect(send(self.gateway.port)[0] == 250, "small mail does not go through")
        self.gateway.wait_log(r"verdict=tempfail .*reason=timeout\.disk")
        disk.go_on()
        wait_for(lambda: send_large(self.gateway.port)[0] == 250, "the disk to be of use again")
        expect(self.gateway.stop() == 0, "no clean end")

    def test_a_disk_that_is_stuck_at_the_end_of_data_is_given_up_too(self):
        self.gateway.write_config(workers=1, more="spool-timeout 500ms;")
        disk = self.gateway.arrange_stuck_disk()
        self.gateway.start()
        disk.stop()
        client = Client(self.gateway.port)
        expect(client.begin()[0] == 354, "no 354")
        code, text = client.say("\r\n".join(["", *["x" * 70] * 5000, "."]))
        expect(code == 451 and "timeout.disk" in text, f"got {code} {text}")
        client.close()
        disk.go_on()
        expect(not self.backend.mails, "it was delivered all the same")
