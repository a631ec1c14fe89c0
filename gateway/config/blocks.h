/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables of all settings, one for each kind of block. */
#ifndef POSTERN_CONFIG_BLOCKS_H
#define POSTERN_CONFIG_BLOCKS_H

#include "config/settings.h"

/* Their targets are the structs of config.h; reader->owner is the struct config. */
extern const struct settings_block block_outermost;   /* struct config */
extern const struct settings_block block_log;         /* struct config_log */
extern const struct settings_block block_quarantine;  /* struct config_quarantine */
extern const struct settings_block block_resolver;
extern const struct settings_block block_checks;      /* struct config_checks */

extern const struct settings_block block_listener;    /* struct config_listener */
extern const struct settings_block block_relay;       /* struct config_relay */
extern const struct settings_block block_certificate; /* struct config_certificate */
extern const struct settings_block block_backend;     /* struct config_backend */
extern const struct settings_block block_list;        /* only for the manual: see config.c */

/* All kinds, the outermost first; policy and domain stand here by name only. */
extern const struct settings_block *const blocks_all[];
extern const size_t blocks_count;

#endif
