/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines for people; see output.h. */
#include "tools/output.h"

#include <stdarg.h>

#include "base/text.h"

#define MAX_COMPLAINT_BYTES 2000

void tool_print_line(FILE *out, const char *prefix, struct slice line)
{
    fputs(prefix, out);
    for (size_t i = 0; i < line.length; i++) {
        char c = line.data[i];

        if (ascii_is_printable(c))
            fputc(c, out);
        else
            fprintf(out, "\\x%02x", (unsigned int)(unsigned char)c);
    }
    fputc('\n', out);
}

void tool_complain(const char *name, const char *format, ...)
{
    struct text message;
    va_list arguments;

    text_init(&message, MAX_COMPLAINT_BYTES);
    va_start(arguments, format);
    text_add_format_list(&message, format, arguments);
    va_end(arguments);
    fprintf(stderr, "postern%s%s: ", name[0] == '\0' ? "" : " ", name);
    tool_print_line(stderr, "", text_slice(&message));
    text_clear(&message);
}
