# SPDX-License-Identifier: BSD-2-Clause
"""Certificates and keys: what is checked before they are used, and reloads of them."""
import os
import signal
import smtplib
import ssl

from gateway import PATIENCE, GatewayTests, expect, require_tool, wait_for
from certificates import make_self_signed, openssl  # tests/lib, which gateway has put in reach


class CertificateTests(GatewayTests):
    def make(self, name, host, days=300, mode=0o600):
        """A certificate for itself, and its key."""
        require_tool("openssl")
        chain, key = (os.path.join(self.gateway.folder, name + end) for end in (".pem", ".key"))
        make_self_signed(chain, key, host, days)
        os.chmod(key, mode)
        return chain, key

    @staticmethod
    def end(chain, key):
        """Makes a certificate that ended yesterday out of one."""
        openssl("x509", "-in", chain, "-signkey", key, "-days", "-1", "-out", chain)

    def configure(self, chain, key, names="mx.example.org", **settings):
        self.gateway.write_config(
            more=f"certificate {{ names {names}; chain {chain}; key {key}; }}", tls="optional",
            **settings)

    def test_certificates_and_keys_are_looked_at_before_they_are_used(self):
        good, good_key = self.make("good", "mx.example.org")
        soon, soon_key = self.make("soon", "mx.example.org", days=3)
        over, over_key = self.make("over", "mx.example.org")
        wide, wide_key = self.make("wide", "mx.example.org", mode=0o644)
        self.end(over, over_key)
        cases = [
            # chain, key, exit status, what stderr has ("": nothing about certificates)
            (good, good_key, 0, ""),
            (good, "none.key", 2, "none.key: No such file or directory [certificate.unusable]"),
            ("none.pem", good_key, 2, "none.pem: No such file or directory [certificate.unusable]"),
            (good, soon_key, 2, "[certificate.unusable]"),
            (good_key, good_key, 2, "[certificate.unusable]"),
            (soon, soon_key, 0, "soon.pem runs out in "),
            (over, over_key, 0, "has run out: those who check it send us no mail"),
            (wide, wide_key, 0, f"run: chmod o= {wide_key} [lint.key-readable]"),
        ]
        for chain, key, status, want in cases:
            self.configure(chain, key)
            got = self.gateway.check("-t", "-c", self.gateway.config_path)
            case = f"{os.path.basename(chain)}, {os.path.basename(key)}"
            expect(got.returncode == status, f"{case}: got {got.returncode}: {got.stderr}")
            expect(want in got.stderr, f"{case}: got {got.stderr}")
            expect(want or "certificate" not in got.stderr, f"{case}: got {got.stderr}")
        self.configure(good, good_key, names="mx.example.org mail.example.org")
        got = self.gateway.check("-t", "-c", self.gateway.config_path)
        expect("is not for mail.example.org" in got.stderr, f"names: got {got.stderr}")

    def resumes(self, context, session):
        """(was it resumed?, the session) of a new connection."""
        with smtplib.SMTP("127.0.0.1", self.gateway.port, timeout=PATIENCE) as client:
            client.ehlo("client.example.net")
            expect(client.docmd("STARTTLS")[0] == 220, "no STARTTLS")
            client.sock = context.wrap_socket(client.sock, session=session)
            client.file = None
            return client.sock.session_reused, client.sock.session

    def start_with_tickets(self, **settings):
        """A started gateway whose time can be skipped; a context of clients."""
        self.configure(*self.make("mx", "mx.example.org"), **settings)
        self.gateway.arrange_time()
        self.gateway.start()
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # its session is complete at once
        return context

    def test_keys_of_tickets_live_over_an_upgrade_and_no_longer_for_it(self):
        context = self.start_with_tickets(log=f"to file {self.gateway.log_path};")
        session = self.resumes(context, None)[1]
        self.gateway.skip_time(3600)
        self.gateway.wait_log(r"event=log-reopened ")
        for number in range(1, 3):
            self.gateway.signal(signal.SIGUSR2)
            self.gateway.wait_log(r"event=upgraded ", number)
            expect(all(self.resumes(context, session)[0] for _ in range(8)),
                   "a ticket of before the upgrade is refused")
        # The second change would be an hour later, had the time of the first begun anew.
        for number, seconds in enumerate((3601, 7201), 2):
            self.gateway.skip_time(seconds)
            self.gateway.wait_log(r"event=log-reopened ", number)
        wait_for(lambda: not any(self.resumes(context, session)[0] for _ in range(8)),
                 "a ticket of before two changes to be refused")

    def test_keys_of_tickets_change_in_every_worker(self):
        context = self.start_with_tickets()
        session = self.resumes(context, None)[1]

        def is_known(times=8):
            return [self.resumes(context, session)[0] for _ in range(times)]
        expect(all(is_known()), "the other worker does not take the ticket")

        def is_forgotten():
            self.gateway.skip_time(2 * 3600 + 1)
            return not any(is_known())
        expect(not is_forgotten(), "a ticket of before one change is refused")
        wait_for(is_forgotten, "a ticket of before two changes to be refused")
        session = self.resumes(context, None)[1]
        expect(all(is_known()), "tickets are taken no more")

    def test_authorities_of_a_backend_are_looked_at_too(self):
        self.gateway.write_config(backend="tls verified; tls-name mx.example.org; tls-ca none.pem;",
                                  backend_tls="")
        got = self.gateway.check("-t", "-c", self.gateway.config_path)
        expect(got.returncode == 2 and "none.pem: No such file" in got.stderr, f"got {got}")

    def served_certificate(self):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with smtplib.SMTP("127.0.0.1", self.gateway.port, timeout=PATIENCE) as client:
            client.starttls(context=context)
            return client.sock.getpeercert(binary_form=True)

    def test_a_reload_reads_certificates_and_keys_anew(self):
        chain, key = self.make("mx", "mx.example.org")
        self.configure(chain, key)
        self.gateway.start()
        before = self.served_certificate()
        self.make("mx", "mx.example.org")
        expect(self.served_certificate() == before, "it was read without being told")
        self.gateway.signal(signal.SIGHUP)
        self.gateway.wait_log(r"event=reloaded ")
        expect(self.served_certificate() != before, "the old one is still served")
        with open(key, "w", encoding="ascii") as file:
            file.write("rubbish\n")
        self.gateway.signal(signal.SIGHUP)
        self.gateway.wait_log(r"event=config-refused .*certificate\.unusable")
        self.served_certificate()
