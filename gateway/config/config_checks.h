/* SPDX-License-Identifier: BSD-2-Clause */
/* Errors that only show when all blocks of a configuration are seen together. */
#ifndef POSTERN_CONFIG_CONFIG_CHECKS_H
#define POSTERN_CONFIG_CONFIG_CHECKS_H

#include "config/config.h"

/*
 * Relay networks that open the relay or stand in two blocks, endpoints used
 * twice, TLS without a certificate, waits that outlast the client, backends that
 * are this gateway itself or whose settings for TLS contradict each other.
 */
void config_check(const struct config *config, struct diagnostics *diagnostics);

/*
 * How much of the addresses that people use on the Internet the networks of
 * all relay blocks cover together, in thousandths; `is_v4` picks the family.
 */
unsigned int config_measure_relays(const struct config *config, bool is_v4);

#endif
