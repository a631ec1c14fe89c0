# SPDX-License-Identifier: BSD-2-Clause
# checks: what can be found out about a mail, as functions over facts and the answers of the DNS.
# The only door to libopendkim (dkim.c), libspf2 (spf2.c) and libpsl (suffix_list.c).
noinst_LIBRARIES += libchecks.a
libchecks_a_SOURCES = \
	gateway/checks/dmarc.c gateway/checks/dmarc.h \
	gateway/checks/dmarc_discovery.c gateway/checks/dmarc_discovery.h \
	gateway/checks/dmarc_record.c gateway/checks/dmarc_record.h \
	gateway/checks/suffix_list.c gateway/checks/suffix_list.h \
	gateway/checks/spf.c gateway/checks/spf.h \
	gateway/checks/spf2.c gateway/checks/spf2.h \
	gateway/checks/spf_macro.c gateway/checks/spf_macro.h \
	gateway/checks/spf_match.c gateway/checks/spf_run.h \
	gateway/checks/spf_parcel.c gateway/checks/spf_parcel.h \
	gateway/checks/spf_record.c gateway/checks/spf_record.h
CHECKS_LIBS = libchecks.a libevidence.a libdns.a $(OPENDKIM_LIBS) $(SPF2_LIBS) \
	$(PSL_LIBS) $(MAIL_LIBS)

# DKIM.
libchecks_a_CPPFLAGS = $(AM_CPPFLAGS) $(OPENDKIM_CFLAGS) $(PSL_CFLAGS)
libchecks_a_SOURCES += \
	gateway/checks/body_length.c gateway/checks/body_length.h \
	gateway/checks/body_reader.c gateway/checks/body_reader.h \
	gateway/checks/dkim_claim.c gateway/checks/dkim_claim.h \
	gateway/checks/dkim_entries.c gateway/checks/dkim_entries.h \
	gateway/checks/dkim_reason.c gateway/checks/dkim_reason.h \
	gateway/checks/dkim_record.c gateway/checks/dkim_record.h \
	gateway/checks/dkim_settings.h \
	gateway/checks/dkim_tags.c gateway/checks/dkim_tags.h \
	gateway/checks/dkim.c gateway/checks/dkim.h

UNIT_TESTS += unit-dkim-cases
unit_dkim_cases_SOURCES = tests/unit/dkim_cases_test.c tests/unit/dkim_unit.h \
	tests/unit/message_cases.c tests/unit/message_cases.h tests/unit/unit.h
unit_dkim_cases_LDADD = $(CHECKS_LIBS) $(CHECK_LIBS)

FUZZ_TARGETS += fuzz-dkim
fuzz_dkim_SOURCES = tests/fuzz/dkim_fuzz.c tests/fuzz/signed_fuzz.h \
	tests/fuzz/answers_fuzz.h $(FUZZ_MAIN)
fuzz_dkim_LDADD = $(CHECKS_LIBS) $(FUZZ_LIBS)

# It signs with libopendkim.
UNIT_TESTS += unit-dkim
unit_dkim_CPPFLAGS = $(AM_CPPFLAGS) $(OPENDKIM_CFLAGS)
unit_dkim_SOURCES = tests/unit/dkim_test.c tests/unit/dkim_unit.h tests/unit/unit.h
unit_dkim_LDADD = $(CHECKS_LIBS) $(CHECK_LIBS)

# Other signers than the library; it runs unit-dkim-cases.
TESTS += tests/checks/dkim_interop_test.py

# ARC.
libchecks_a_SOURCES += \
	gateway/checks/arc.c gateway/checks/arc.h \
	gateway/checks/arc_chain.c gateway/checks/arc_chain.h \
	gateway/checks/arc_claim.c gateway/checks/arc_claim.h \
	gateway/checks/canon.c gateway/checks/canon.h

UNIT_TESTS += unit-arc unit-arc-cases
unit_arc_SOURCES = tests/unit/arc_test.c tests/unit/arc_unit.h tests/unit/dkim_unit.h \
	tests/unit/unit.h
unit_arc_LDADD = $(CHECKS_LIBS) $(CHECK_LIBS)
unit_arc_cases_SOURCES = tests/unit/arc_cases_test.c tests/unit/arc_unit.h \
	tests/unit/dkim_unit.h tests/unit/message_cases.c tests/unit/message_cases.h tests/unit/unit.h
unit_arc_cases_LDADD = $(CHECKS_LIBS) $(CHECK_LIBS)

FUZZ_TARGETS += fuzz-arc
fuzz_arc_SOURCES = tests/fuzz/arc_fuzz.c tests/fuzz/signed_fuzz.h \
	tests/fuzz/answers_fuzz.h $(FUZZ_MAIN)
fuzz_arc_LDADD = $(CHECKS_LIBS) $(FUZZ_LIBS)

# Other signers than our own; it runs unit-arc-cases.
TESTS += tests/checks/arc_interop_test.py

# SPF and DMARC.
UNIT_TESTS += unit-spf unit-spf-cases
unit_spf_SOURCES = tests/unit/spf_test.c tests/unit/unit.h
unit_spf_LDADD = $(CHECKS_LIBS) $(CHECK_LIBS)
unit_spf_cases_SOURCES = tests/unit/spf_cases_test.c tests/unit/check_cases.c \
	tests/unit/check_cases.h tests/unit/unit.h
unit_spf_cases_LDADD = $(CHECKS_LIBS) $(CHECK_LIBS)

UNIT_TESTS += unit-spf2
unit_spf2_SOURCES = tests/unit/spf2_test.c tests/unit/spf2_unit.h tests/unit/check_cases.h \
	tests/unit/unit.h
unit_spf2_LDADD = $(CHECKS_LIBS) $(CHECK_LIBS)

# Says where the two engines differ; run by the test below.
check_PROGRAMS += spf-engines
spf_engines_SOURCES = tests/unit/spf_engines.c tests/unit/spf2_unit.h tests/unit/check_cases.c \
	tests/unit/check_cases.h tests/unit/unit.h
spf_engines_LDADD = $(CHECKS_LIBS) $(CHECK_LIBS)

TESTS += tests/checks/rfc7208_suite_test.py

FUZZ_TARGETS += fuzz-spf
fuzz_spf_SOURCES = tests/fuzz/spf_fuzz.c tests/fuzz/answers_fuzz.h $(FUZZ_MAIN)
fuzz_spf_LDADD = $(CHECKS_LIBS) $(FUZZ_LIBS)

FUZZ_TARGETS += fuzz-spf-parcel
fuzz_spf_parcel_SOURCES = tests/fuzz/spf_parcel_fuzz.c $(FUZZ_MAIN)
fuzz_spf_parcel_LDADD = $(CHECKS_LIBS) $(FUZZ_LIBS)

UNIT_TESTS += unit-dmarc unit-dmarc-cases unit-suffix-list
unit_suffix_list_SOURCES = tests/unit/suffix_list_test.c tests/unit/unit.h
unit_suffix_list_LDADD = $(CHECKS_LIBS) $(CHECK_LIBS)
unit_dmarc_SOURCES = tests/unit/dmarc_test.c tests/unit/unit.h
unit_dmarc_LDADD = $(CHECKS_LIBS) $(CHECK_LIBS)
unit_dmarc_cases_SOURCES = tests/unit/dmarc_cases_test.c tests/unit/check_cases.c \
	tests/unit/check_cases.h tests/unit/unit.h
unit_dmarc_cases_LDADD = $(CHECKS_LIBS) $(CHECK_LIBS)

FUZZ_TARGETS += fuzz-dmarc
fuzz_dmarc_SOURCES = tests/fuzz/dmarc_fuzz.c tests/fuzz/answers_fuzz.h $(FUZZ_MAIN)
fuzz_dmarc_LDADD = $(CHECKS_LIBS) $(FUZZ_LIBS)
