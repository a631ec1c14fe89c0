# SPDX-License-Identifier: BSD-2-Clause
# dns: questions and answers as values, and where they come from but the network.
noinst_LIBRARIES += libdns.a
libdns_a_SOURCES = \
	gateway/dns/dns_answer.c gateway/dns/dns_answer.h \
	gateway/dns/dns_answers.c gateway/dns/dns_answers.h \
	gateway/dns/dns_wire.c gateway/dns/dns_wire.h
DNS_LIBS = libdns.a $(BASE_LIBS)

UNIT_TESTS += unit-dns-answers
unit_dns_answers_SOURCES = tests/unit/dns_answers_test.c tests/unit/unit.h
unit_dns_answers_LDADD = $(DNS_LIBS) $(CHECK_LIBS)

UNIT_TESTS += unit-dns-wire
unit_dns_wire_SOURCES = tests/unit/dns_wire_test.c tests/unit/unit.h
unit_dns_wire_LDADD = $(DNS_LIBS) $(CHECK_LIBS)

FUZZ_TARGETS += fuzz-dns-wire
fuzz_dns_wire_SOURCES = tests/fuzz/dns_wire_fuzz.c $(FUZZ_MAIN)
fuzz_dns_wire_LDADD = $(DNS_LIBS) $(FUZZ_LIBS)
