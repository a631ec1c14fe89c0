# SPDX-License-Identifier: BSD-2-Clause
# dns: questions and answers as values, and where they come from but the network.
noinst_LIBRARIES += libdns.a
libdns_a_SOURCES = \
	gateway/dns/dns_answer.c gateway/dns/dns_answer.h \
	gateway/dns/dns_answers.c gateway/dns/dns_answers.h \
	gateway/dns/dns_wire.c gateway/dns/dns_wire.h \
	gateway/dns/zone.c gateway/dns/zone.h gateway/dns/zone_internal.h \
	gateway/dns/zone_lexer.c gateway/dns/zone_lexer.h \
	gateway/dns/zone_parser.c
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

UNIT_TESTS += unit-zone
unit_zone_SOURCES = tests/unit/zone_test.c tests/unit/unit.h
unit_zone_LDADD = $(DNS_LIBS) $(CHECK_LIBS)

FUZZ_TARGETS += fuzz-zone
fuzz_zone_SOURCES = tests/fuzz/zone_fuzz.c $(FUZZ_MAIN)
fuzz_zone_LDADD = $(DNS_LIBS) $(FUZZ_LIBS)
