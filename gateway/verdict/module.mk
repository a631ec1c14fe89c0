# SPDX-License-Identifier: BSD-2-Clause
# verdict: from facts and policy to what is done, and what is written into the message.
noinst_LIBRARIES += libverdict.a
libverdict_a_SOURCES = \
	gateway/verdict/decide.c gateway/verdict/decide.h \
	gateway/verdict/stamp.c gateway/verdict/stamp.h
VERDICT_LIBS = libverdict.a $(POLICY_LIBS)
