# SPDX-License-Identifier: BSD-2-Clause
# policy: what each domain wants, read from the configuration and merged.
noinst_LIBRARIES += libpolicy.a
libpolicy_a_SOURCES = \
	gateway/policy/block_reader.c gateway/policy/block_reader.h \
	gateway/policy/facts_print.c \
	gateway/policy/parser.c gateway/policy/parser.h \
	gateway/policy/policy.c gateway/policy/policy.h \
	gateway/policy/policy_book.c gateway/policy/policy_book.h \
	gateway/policy/policy_book_private.h \
	gateway/policy/policy_lint.c gateway/policy/policy_lint.h \
	gateway/policy/policy_print.c \
	gateway/policy/rule_parser.c gateway/policy/rule_parser.h \
	gateway/policy/rules.c gateway/policy/rules.h gateway/policy/rules_print.c \
	gateway/policy/term_parser.c gateway/policy/term_parser.h
POLICY_LIBS = libpolicy.a libconfig.a libdns.a $(EVIDENCE_LIBS)

dist_man_MANS += gateway/policy/postern-policy.5
policydir = $(pkgdatadir)/policies
dist_policy_DATA = policies/observe.policy policies/standard.policy policies/strict.policy
# Their cases, for postern test; tests/tools-cli runs them.
policytestsdir = $(policydir)/tests
dist_policytests_DATA = policies/tests/gateway.conf policies/tests/names.zone \
	policies/tests/observe.tests policies/tests/standard.tests policies/tests/strict.tests

UNIT_TESTS += unit-policy-terms unit-policy unit-policy-cases
unit_policy_terms_SOURCES = tests/unit/policy_terms_test.c tests/unit/policy_unit.h \
	tests/unit/memory_files.h tests/unit/unit.h
unit_policy_terms_LDADD = $(POLICY_LIBS) $(CHECK_LIBS)
unit_policy_SOURCES = tests/unit/policy_test.c tests/unit/policy_unit.h \
	tests/unit/memory_files.h tests/unit/unit.h
unit_policy_LDADD = $(POLICY_LIBS) $(CHECK_LIBS)
unit_policy_cases_SOURCES = tests/unit/policy_cases_test.c tests/unit/case_runner.c \
	tests/unit/case_runner.h tests/unit/unit.h
unit_policy_cases_LDADD = $(POLICY_LIBS) $(CHECK_LIBS)
