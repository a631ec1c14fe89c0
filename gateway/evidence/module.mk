# SPDX-License-Identifier: BSD-2-Clause
# evidence: what may be known of a mail, from when on, and the words for it.
noinst_LIBRARIES += libevidence.a
libevidence_a_SOURCES = \
	gateway/evidence/finding.c gateway/evidence/finding.h \
	gateway/evidence/facts.c gateway/evidence/facts.h \
	gateway/evidence/vocabulary.c gateway/evidence/vocabulary.h
EVIDENCE_LIBS = libevidence.a $(MAIL_LIBS)

UNIT_TESTS += unit-evidence
unit_evidence_SOURCES = tests/unit/evidence_test.c tests/unit/unit.h
unit_evidence_LDADD = $(EVIDENCE_LIBS) $(CHECK_LIBS)
