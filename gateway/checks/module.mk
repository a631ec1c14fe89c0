# SPDX-License-Identifier: BSD-2-Clause
# checks: what is found out of a mail. The only door to libopendkim (dkim.c).
noinst_LIBRARIES += libchecks.a
libchecks_a_SOURCES =
CHECKS_LIBS = libchecks.a libevidence.a libdns.a $(OPENDKIM_LIBS) $(MAIL_LIBS)

# DKIM.
libchecks_a_CPPFLAGS = $(AM_CPPFLAGS) $(OPENDKIM_CFLAGS)
libchecks_a_SOURCES += \
	gateway/checks/body_length.c gateway/checks/body_length.h \
	gateway/checks/dkim_claim.c gateway/checks/dkim_claim.h \
	gateway/checks/dkim_entries.c gateway/checks/dkim_entries.h \
	gateway/checks/dkim_reason.c gateway/checks/dkim_reason.h \
	gateway/checks/dkim_record.c gateway/checks/dkim_record.h \
	gateway/checks/dkim_settings.h \
	gateway/checks/dkim_tags.c gateway/checks/dkim_tags.h \
	gateway/checks/dkim.c gateway/checks/dkim.h

UNIT_TESTS += unit-dkim-cases
unit_dkim_cases_SOURCES = tests/unit/dkim_cases_test.c tests/unit/dkim_unit.h tests/unit/unit.h
unit_dkim_cases_LDADD = $(CHECKS_LIBS) $(CHECK_LIBS)

FUZZ_TARGETS += fuzz-dkim
fuzz_dkim_SOURCES = tests/fuzz/dkim_fuzz.c $(FUZZ_MAIN)
fuzz_dkim_LDADD = $(CHECKS_LIBS) $(FUZZ_LIBS)

# It signs with libopendkim.
UNIT_TESTS += unit-dkim
unit_dkim_CPPFLAGS = $(AM_CPPFLAGS) $(OPENDKIM_CFLAGS)
unit_dkim_SOURCES = tests/unit/dkim_test.c tests/unit/dkim_unit.h tests/unit/unit.h
unit_dkim_LDADD = $(CHECKS_LIBS) $(CHECK_LIBS)

# Other signers than the library; it runs unit-dkim-cases.
TESTS += tests/checks/dkim_interop_test.py
