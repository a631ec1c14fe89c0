# SPDX-License-Identifier: BSD-2-Clause
# config: the configuration language and its plain structs.
noinst_LIBRARIES += libconfig.a
libconfig_a_SOURCES = \
	gateway/config/diagnostics.c gateway/config/diagnostics.h \
	gateway/config/sources.c gateway/config/sources.h \
	gateway/config/lexer.c gateway/config/lexer.h \
	gateway/config/syntax.c gateway/config/syntax.h \
	gateway/config/settings.c gateway/config/settings.h \
	gateway/config/setting_values.c gateway/config/setting_values.h \
	gateway/config/blocks.c gateway/config/blocks.h \
	gateway/config/block_settings.c gateway/config/block_settings.h \
	gateway/config/resolver_files.c gateway/config/resolver_files.h \
	gateway/config/name_set.c gateway/config/name_set.h \
	gateway/config/entries.c gateway/config/entries.h \
	gateway/config/config.c gateway/config/config.h \
	gateway/config/config_checks.c gateway/config/config_checks.h \
	gateway/config/lint.c gateway/config/lint.h
CONFIG_LIBS = libconfig.a libdns.a $(MAIL_LIBS)

UNIT_TESTS += unit-config-syntax
unit_config_syntax_SOURCES = tests/unit/config_syntax_test.c tests/unit/memory_files.h \
	tests/unit/unit.h
unit_config_syntax_LDADD = $(CONFIG_LIBS) $(CHECK_LIBS)

# Other folders that have configurations as cases link tests/unit/case_runner.c as well.
UNIT_TESTS += unit-config-cases
unit_config_cases_SOURCES = tests/unit/config_cases_test.c tests/unit/case_runner.c \
	tests/unit/case_runner.h tests/unit/unit.h
unit_config_cases_LDADD = $(CONFIG_LIBS) $(CHECK_LIBS)

UNIT_TESTS += unit-config
unit_config_SOURCES = tests/unit/config_test.c tests/unit/memory_files.h tests/unit/unit.h
unit_config_LDADD = $(CONFIG_LIBS) $(CHECK_LIBS)

UNIT_TESTS += unit-config-resolver
unit_config_resolver_SOURCES = tests/unit/config_resolver_test.c tests/unit/memory_files.h \
	tests/unit/unit.h
unit_config_resolver_LDADD = $(CONFIG_LIBS) $(CHECK_LIBS)

FUZZ_TARGETS += fuzz-config
fuzz_config_SOURCES = tests/fuzz/config_fuzz.c $(FUZZ_MAIN)
fuzz_config_LDADD = $(CONFIG_LIBS) $(FUZZ_LIBS)

dist_man_MANS += gateway/config/postern.conf.5
