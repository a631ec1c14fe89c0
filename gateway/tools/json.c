/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON from the outside in; see json.h. */
#include "tools/json.h"

#include "base/escape.h"

static void begin(struct json *json, const char *key)
{
    if (json->needs_comma)
        text_add_string(json->out, ", ");
    if (key != NULL)
        text_add_format(json->out, "\"%s\": ", key);
    json->needs_comma = true;
}

void json_open(struct json *json, const char *key, char bracket)
{
    begin(json, key);
    text_add_byte(json->out, bracket);
    json->needs_comma = false;
}

void json_close(struct json *json, char bracket)
{
    text_add_byte(json->out, bracket == '{' ? '}' : ']');
    json->needs_comma = true;
}

void json_add_string(struct json *json, const char *key, const char *value)
{
    if (value != NULL)
        json_add_slice(json, key, slice_from(value));
    else
        json_add_raw(json, key, SLICE("null"));
}

void json_add_slice(struct json *json, const char *key, struct slice value)
{
    begin(json, key);
    escape_add_json(json->out, value);
}

void json_add_number(struct json *json, const char *key, uint64_t value)
{
    begin(json, key);
    text_add_number(json->out, value);
}

void json_add_bool(struct json *json, const char *key, bool value)
{
    json_add_raw(json, key, value ? SLICE("true") : SLICE("false"));
}

void json_add_raw(struct json *json, const char *key, struct slice value)
{
    begin(json, key);
    text_add(json->out, value);
}
