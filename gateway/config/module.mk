# SPDX-License-Identifier: BSD-2-Clause
# config: the configuration language and its plain structs.
noinst_LIBRARIES += libconfig.a
libconfig_a_SOURCES = \
	gateway/config/diagnostics.c gateway/config/diagnostics.h \
	gateway/config/sources.c gateway/config/sources.h \
	gateway/config/lexer.c gateway/config/lexer.h \
	gateway/config/syntax.c gateway/config/syntax.h
CONFIG_LIBS = libconfig.a $(BASE_LIBS)

UNIT_TESTS += unit-config-syntax
unit_config_syntax_SOURCES = tests/unit/config_syntax_test.c tests/unit/memory_files.h \
	tests/unit/unit.h
unit_config_syntax_LDADD = $(CONFIG_LIBS) $(CHECK_LIBS)
