# SPDX-License-Identifier: BSD-2-Clause
# flow: the life of a mail, read from top to bottom.
noinst_LIBRARIES += libflow.a
libflow_a_SOURCES = \
	gateway/flow/gate.c gateway/flow/gate.h \
	gateway/flow/turnstile.c gateway/flow/turnstile.h \
	gateway/flow/connection.c gateway/flow/connection.h \
	gateway/flow/session.c gateway/flow/session.h \
	gateway/flow/transaction.c gateway/flow/transaction.h \
	gateway/flow/transaction_checks.c gateway/flow/transaction_end.c \
	gateway/flow/transaction_internal.h \
	gateway/flow/check_run.c gateway/flow/check_run.h \
	gateway/flow/spf_trial.c gateway/flow/spf_trial.h \
	gateway/flow/spf_link.c gateway/flow/spf_link.h \
	gateway/flow/holding.c gateway/flow/holding.h \
	gateway/flow/release.c gateway/flow/release.h \
	gateway/flow/recipients.c gateway/flow/recipients.h \
	gateway/flow/intake.c gateway/flow/intake.h \
	gateway/flow/outcome.c gateway/flow/outcome.h \
	gateway/flow/party.h \
	gateway/flow/account.c gateway/flow/account.h \
	gateway/flow/route.c gateway/flow/route.h \
	gateway/flow/shared.c gateway/flow/shared.h
FLOW_LIBS = libflow.a $(QUARANTINE_LIBS)

UNIT_TESTS += unit-spf-link
unit_spf_link_SOURCES = tests/unit/spf_link_test.c tests/unit/net_unit.h tests/unit/unit.h
unit_spf_link_LDADD = libflow.a $(CHECKS_LIBS) $(NET_LIBS) $(CHECK_LIBS)
