/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What `postern quarantine` asks of the keeper, and how it is answered: one
 * message with the request as text, a line for each word; then messages with
 * output, and one with the exit status. The socket lies in the quarantine folder,
 * so who may use it is who may read held mail.
 */
#ifndef POSTERN_QUARANTINE_REQUEST_H
#define POSTERN_QUARANTINE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/text.h"
#include "quarantine/index.h"

/* The socket, in the quarantine folder: SOCK_SEQPACKET. */
#define REQUEST_SOCKET_NAME "control"
#define REQUEST_MAX_BYTES (64u * 1024)
#define REQUEST_MAX_IDS 1000

enum request_verb {
    REQUEST_LIST,
    REQUEST_SHOW,
    REQUEST_EXPORT,  /* answered by a descriptor of the copy's file */
    REQUEST_RELEASE,
    REQUEST_DELETE,
    REQUEST_EXPIRE,
};
#define REQUEST_VERB_COUNT 6
/* "list", ... as on the command line. */
const char *request_verb_name(enum request_verb verb);

enum request_style {
    REQUEST_FOR_PEOPLE,
    REQUEST_JSON,
    REQUEST_IDS,     /* of LIST: ids alone, a line each */
};

struct request {
    enum request_verb verb;
    enum request_style style;
    bool is_again;          /* of RELEASE: mail that is uncertain too */
    const char **ids;       /* owned array; the strings are `words`' */
    size_t id_count;
    struct index_filter filter; /* of LIST; its recipient also of RELEASE and DELETE */
    char *words;            /* owned; what a parsed request's strings lie in */
};

/* Asks for nothing yet. */
void request_init(struct request *request, enum request_verb verb);
/* Frees what it owns; it may be used again. */
void request_clear(struct request *request);
/* `id` is kept until request_clear. */
void request_add_id(struct request *request, const char *id);
/* Nothing in the strings may be a control byte; the keeper refuses such. */
void request_print(struct text *out, const struct request *request);
/* False and a sentence for what is none. `request` is initialised. */
bool request_parse(struct request *request, struct slice text, struct text *problem)
    __attribute__((warn_unused_result));

/*
 * The time of an age, for the filter's since_us and before_us: never 0, which would stand for any,
 * also where the age reaches back to before 1970, by a clock that was not set yet.
 */
uint64_t request_count_back(uint64_t now_us, uint64_t age_ms);

/* Types of the messages that answer (net/packet.h). */
enum request_answer {
    REQUEST_OUTPUT,  /* bytes for standard output */
    REQUEST_ERROR,   /* one sentence for standard error */
    REQUEST_FILE,    /* uint64_t: so many bytes from the start of the descriptor are the message */
    REQUEST_END,     /* uint32_t: exit status; nothing follows */
};
#define REQUEST_ANSWER_BYTES (32u * 1024)

#endif
