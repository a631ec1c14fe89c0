/* SPDX-License-Identifier: BSD-2-Clause */
/* Strings with a ceiling; see text.h. */
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"

/* Most texts are a line: a first piece of this size seldom has to grow. */
#define MIN_CAPACITY 256

void text_init(struct text *text, size_t max_length)
{
    *text = (struct text){
        .max_length = max_length < TEXT_MAX_LENGTH ? max_length : TEXT_MAX_LENGTH,
    };
}

void text_clear(struct text *text)
{
    mem_free(text->data);
    text_init(text, text->max_length);
}

void text_reset(struct text *text)
{
    text->length = 0;
    text->is_cut = false;
    if (text->data != NULL)
        text->data[0] = '\0';
}

/* Room for up to `wanted` more bytes and the NUL; gives how many really fit. */
static size_t make_room(struct text *text, size_t wanted)
{
    size_t room = text->max_length - text->length;
    size_t needed;

    if (wanted > room) {
        wanted = room;
        text->is_cut = true;
    }
    needed = text->length + wanted + 1;
    if (needed > text->capacity) {
        size_t grown = text->capacity > 0 ? text->capacity * 2 : MIN_CAPACITY;

        text->capacity = needed > grown ? needed : grown;
        if (text->capacity > text->max_length + 1)
            text->capacity = text->max_length + 1;
        text->data = mem_resize(text->data, text->capacity, 1);
    }
    return wanted;
}

void text_add(struct text *text, struct slice s)
{
    size_t fits = make_room(text, s.length);

    if (fits > 0)
        memcpy(text->data + text->length, s.data, fits);
    text->length += fits;
    text->data[text->length] = '\0';
}

bool text_add_whole(struct text *text, struct slice s)
{
    if (s.length > text->max_length - text->length) {
        text->is_cut = true;
        return false;
    }
    text_add(text, s);
    return true;
}

void text_add_string(struct text *text, const char *string)
{
    text_add(text, slice_from(string));
}

void text_add_byte(struct text *text, char byte)
{
    if (text->length < text->max_length && text->length + 1 < text->capacity) {
        text->data[text->length++] = byte;
        text->data[text->length] = '\0';
        return;
    }
    text_add(text, (struct slice){ &byte, 1 });
}

void text_add_padded(struct text *text, uint64_t number, unsigned int digits)
{
    char buffer[20]; /* digits of 2^64 */
    size_t start = sizeof buffer;

    do {
        buffer[--start] = (char)('0' + number % 10);
        number /= 10;
    } while (start > 0 && (number > 0 || sizeof buffer - start < digits));
    text_add(text, (struct slice){ buffer + start, sizeof buffer - start });
}

void text_add_number(struct text *text, uint64_t number)
{
    text_add_padded(text, number, 1);
}

void text_add_hex(struct text *text, const uint8_t *bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < count; i++) {
        text_add_byte(text, digits[bytes[i] >> 4]);
        text_add_byte(text, digits[bytes[i] & 15]);
    }
}

void text_add_format_list(struct text *text, const char *format, va_list arguments)
{
    va_list again;
    size_t fits;
    int length;

    va_copy(again, arguments);
    length = vsnprintf(NULL, 0, format, arguments);
    if (length > 0) {
        fits = make_room(text, (size_t)length);
        vsnprintf(text->data + text->length, fits + 1, format, again);
        text->length += fits;
    }
    va_end(again);
}

void text_add_format(struct text *text, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    text_add_format_list(text, format, arguments);
    va_end(arguments);
}

struct slice text_slice(const struct text *text)
{
    return (struct slice){ text->data, text->length };
}

const char *text_string(const struct text *text)
{
    return text->data != NULL ? text->data : "";
}
