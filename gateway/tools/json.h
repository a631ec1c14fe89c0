/* SPDX-License-Identifier: BSD-2-Clause */
/* One JSON object put together from the outside in, for --json. */
#ifndef POSTERN_TOOLS_JSON_H
#define POSTERN_TOOLS_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

struct json {
    struct text *out;  /* lent */
    bool needs_comma;  /* something stands in the present object or array */
};

/*
 * Each puts a member in front of its closing; `key` is NULL inside of arrays. `bracket` is '{' or
 * '['. A string that is NULL becomes null.
 */
void json_open(struct json *json, const char *key, char bracket);
void json_close(struct json *json, char bracket);
void json_add_string(struct json *json, const char *key, const char *value);
void json_add_slice(struct json *json, const char *key, struct slice value);
void json_add_number(struct json *json, const char *key, uint64_t value);
void json_add_bool(struct json *json, const char *key, bool value);
/* What is JSON already. */
void json_add_raw(struct json *json, const char *key, struct slice value);

#endif
