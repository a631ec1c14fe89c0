# SPDX-License-Identifier: BSD-2-Clause
# base: what every other folder may use, and what uses no other.
noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = \
	gateway/base/slice.c gateway/base/slice.h \
	gateway/base/memory.c gateway/base/memory.h \
	gateway/base/text.c gateway/base/text.h \
	gateway/base/escape.c gateway/base/escape.h \
	gateway/base/number.c gateway/base/number.h \
	gateway/base/ip.c gateway/base/ip.h \
	gateway/base/list.h \
	gateway/base/hoard.c gateway/base/hoard.h \
	gateway/base/map.c gateway/base/map.h \
	gateway/base/sip_hash.c gateway/base/sip_hash.h \
	gateway/base/clock.c gateway/base/clock.h \
	gateway/base/crypto.c gateway/base/crypto.h \
	gateway/base/id.c gateway/base/id.h \
	gateway/base/log.c gateway/base/log.h
libbase_a_CPPFLAGS = $(AM_CPPFLAGS) $(OPENSSL_CFLAGS)
BASE_LIBS = libbase.a -lcrypto

UNIT_TESTS += unit-base unit-base-crypto unit-base-print unit-base-store unit-base-system
unit_base_SOURCES = tests/unit/base_test.c tests/unit/unit.h
unit_base_LDADD = $(BASE_LIBS) $(CHECK_LIBS)
unit_base_crypto_SOURCES = tests/unit/base_crypto_test.c tests/unit/unit.h
unit_base_crypto_LDADD = $(BASE_LIBS) $(CHECK_LIBS)
unit_base_print_SOURCES = tests/unit/base_print_test.c tests/unit/unit.h
unit_base_print_LDADD = $(BASE_LIBS) $(CHECK_LIBS)
unit_base_store_SOURCES = tests/unit/base_store_test.c tests/unit/unit.h
unit_base_store_LDADD = $(BASE_LIBS) $(CHECK_LIBS)
unit_base_system_SOURCES = tests/unit/base_system_test.c tests/unit/unit.h
unit_base_system_LDADD = $(BASE_LIBS) $(CHECK_LIBS)

FUZZ_TARGETS += fuzz-base
fuzz_base_SOURCES = tests/fuzz/base_fuzz.c $(FUZZ_MAIN)
fuzz_base_LDADD = $(BASE_LIBS) $(FUZZ_LIBS)
