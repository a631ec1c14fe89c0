# SPDX-License-Identifier: BSD-2-Clause
# dns: questions and answers as values, and where they come from but the network.
noinst_LIBRARIES += libdns.a
libdns_a_SOURCES = \
	gateway/dns/dns_answer.c gateway/dns/dns_answer.h \
	gateway/dns/dns_answers.c gateway/dns/dns_answers.h
DNS_LIBS = libdns.a $(BASE_LIBS)

UNIT_TESTS += unit-dns-answers
unit_dns_answers_SOURCES = tests/unit/dns_answers_test.c tests/unit/unit.h
unit_dns_answers_LDADD = $(DNS_LIBS) $(CHECK_LIBS)
