# SPDX-License-Identifier: BSD-2-Clause
# verdict: from facts and policy to what is done, and what is written into the message.
noinst_LIBRARIES += libverdict.a
libverdict_a_SOURCES = \
	gateway/verdict/authres.c gateway/verdict/authres.h gateway/verdict/authres_reader.c \
	gateway/verdict/decide.c gateway/verdict/decide.h \
	gateway/verdict/stamp.c gateway/verdict/stamp.h
VERDICT_LIBS = libverdict.a $(POLICY_LIBS)

UNIT_TESTS += unit-policy-findings unit-decide unit-stamp
unit_decide_SOURCES = tests/unit/decide_test.c tests/unit/policy_unit.h \
	tests/unit/memory_files.h tests/unit/unit.h
unit_decide_LDADD = $(VERDICT_LIBS) $(CHECK_LIBS)
unit_policy_findings_SOURCES = tests/unit/policy_findings_test.c tests/unit/policy_unit.h \
	tests/unit/memory_files.h tests/unit/unit.h
unit_policy_findings_LDADD = $(VERDICT_LIBS) $(CHECK_LIBS)
unit_stamp_SOURCES = tests/unit/stamp_test.c tests/unit/unit.h
unit_stamp_LDADD = $(VERDICT_LIBS) $(CHECK_LIBS)

# The target walks the policies that it parses.
FUZZ_TARGETS += fuzz-policy
fuzz_policy_SOURCES = tests/fuzz/policy_fuzz.c $(FUZZ_MAIN)
fuzz_policy_LDADD = $(VERDICT_LIBS) $(FUZZ_LIBS)

UNIT_TESTS += unit-authres
unit_authres_SOURCES = tests/unit/authres_test.c tests/unit/unit.h
unit_authres_LDADD = $(VERDICT_LIBS) $(CHECK_LIBS)

FUZZ_TARGETS += fuzz-authres
fuzz_authres_SOURCES = tests/fuzz/authres_fuzz.c $(FUZZ_MAIN)
fuzz_authres_LDADD = $(VERDICT_LIBS) $(FUZZ_LIBS)
