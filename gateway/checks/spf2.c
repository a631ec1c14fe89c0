/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libspf2 over a table of answers; see spf2.h. The only door to it.
 *
 * The library has layers for the DNS, and ours is the only one: what it looks up is
 * looked up in the request. TRY_AGAIN ends any mechanism of it at once, and with it the
 * whole evaluation; so that is what it hears once a run is over for us.
 *
 * Not SPF_request_query_mailfrom, which lets everything pass that comes from 127.0.0.1
 * or ::1, whatever the record says.
 */
#include "checks/spf2.h"

#include <netinet/in.h>
#include <spf2/spf.h>
#include <spf2/spf_dns.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Records: the domain's own, and one for each term that may lead to another. */
#define MAX_TEXTS (SPF_MAX_LOOKUPS + 1)
/* All lookups: as many mx terms as there may be, with as many hosts as each may have. */
#define MAX_QUESTIONS (MAX_TEXTS + SPF_MAX_LOOKUPS * (SPF_MAX_NAMES + 2))
/* An address: local part, "@", domain. */
#define SENDER_MAX_BYTES 400

/* One run. */
struct run {
    struct dns_answers *answers; /* lent */
    struct spf_second *second;   /* lent: how it ends */
    bool is_over;                /* before the library knows */
    unsigned int text_count;
    unsigned int question_count;
};

struct spf2 {
    SPF_dns_server_t layer;      /* its hook is the run */
    SPF_server_t *server;        /* owned */
};

/* ---- Lookups. */

static void end_run(struct run *run, enum spf_second_end end)
{
    run->is_over = true;
    run->second->end = end;
}

/* False when the run is over: with this question, or before. */
static bool count_question(struct run *run, int type)
{
    run->question_count++;
    run->text_count += type == ns_t_txt;
    if (run->is_over)
        return false;
    if (run->question_count <= MAX_QUESTIONS && run->text_count <= MAX_TEXTS)
        return true;
    end_run(run, SPF_SECOND_TOO_MUCH);
    return false;
}

static void want(struct run *run)
{
    struct dns_question wanted;

    if (!dns_answers_take_wanted(run->answers, &wanted))
        return; /* there is room for all that may be asked */
    end_run(run, SPF_SECOND_MISSING);
    run->second->type = wanted.type;
    memcpy(run->second->name, wanted.name, strlen(wanted.name));
}

/* NULL when the run is over. */
static const struct dns_answer *find_answer(struct run *run, const char *name, int type)
{
    const struct dns_answer *answer;

    if (!count_question(run, type))
        return NULL;
    answer = dns_answers_find(run->answers, slice_from(name), (enum dns_type)type);
    if (answer == NULL)
        want(run);
    else if (answer->problem != NULL && strcmp(answer->problem, SPF_PARCEL_REFUSED) == 0)
        end_run(run, SPF_SECOND_REFUSED);
    return run->is_over ? NULL : answer;
}

/* The library's union is as long as its longest member, or as the string in it. */
static bool add_record(SPF_dns_rr_t *out, const struct dns_record *record)
{
    size_t length = record->bytes.length + 1;
    SPF_dns_rr_data_t *data;

    if (length < sizeof *data)
        length = sizeof *data;
    if (SPF_dns_rr_buf_realloc(out, out->num_rr, length) != SPF_E_SUCCESS)
        return false;
    data = out->rr[out->num_rr++];
    memset(data, 0, length);
    if (out->rr_type == ns_t_a)
        memcpy(&data->a, record->address.bytes + 12, 4);
    else if (out->rr_type == ns_t_aaaa)
        memcpy(&data->aaaa, record->address.bytes, 16);
    else if (record->bytes.length > 0)
        memcpy(data->txt, record->bytes.data, record->bytes.length);
    return true;
}

static int error_of(const struct dns_answer *answer)
{
    static const int errors[] = {
        [DNS_FOUND] = NETDB_SUCCESS,
        [DNS_NO_DATA] = NO_DATA,
        [DNS_NO_NAME] = HOST_NOT_FOUND,
        [DNS_FAILED] = TRY_AGAIN,
    };

    return answer != NULL ? errors[answer->result] : TRY_AGAIN;
}

static bool is_known(int type)
{
    return type == ns_t_a || type == ns_t_aaaa || type == ns_t_mx || type == ns_t_ptr ||
           type == ns_t_txt;
}

/* Never NULL, on which the library ends the process. */
static SPF_dns_rr_t *look_up(SPF_dns_server_t *layer, const char *name, ns_type type,
                             int should_cache)
{
    struct run *run = layer->hook;
    const struct dns_answer *answer;
    SPF_dns_rr_t *out;

    (void)should_cache;
    /* Type SPF (99) was given up by RFC 7208 3.1; it is asked for before TXT. */
    if (!is_known(type))
        return SPF_dns_rr_new_init(layer, name, type, 0, NO_DATA);
    answer = find_answer(run, name, (int)type);
    out = SPF_dns_rr_new_init(layer, name, type, 0, error_of(answer));
    for (size_t i = 0; answer != NULL && out != NULL && i < answer->record_count; i++)
        if (!add_record(out, &answer->records[i]))
            break;
    return out;
}

/* exp= is taken out of all records; this is for the day on which one is not. */
static SPF_errcode_t refuse_explanation(SPF_server_t *server, const char *domain, char **buffer,
                                        size_t *length)
{
    (void)server;
    (void)domain;
    (void)buffer;
    (void)length;
    return SPF_E_NOT_CONFIG;
}

/* ---- Life. */

/* Of what it takes for a bug: its own handler prints first. */
__attribute__((noreturn)) static void die(const char *file, int line, const char *message)
{
    (void)file;
    (void)line;
    (void)message;
    abort();
}

/* A result has words that go along; they are made, and nobody reads them. */
static bool prepare(struct spf2 *engine)
{
    SPF_response_t *response = NULL;
    bool is_done = SPF_server_set_rec_dom(engine->server, "unknown") == SPF_E_SUCCESS &&
                   SPF_server_set_explanation(engine->server, "no", &response) == SPF_E_SUCCESS;

    if (response != NULL)
        SPF_response_free(response);
    return is_done;
}

struct spf2 *spf2_new(void)
{
    struct spf2 *engine = mem_new(sizeof *engine);

    SPF_error_handler = die;
    SPF_warning_handler = NULL;
    SPF_info_handler = NULL;
    SPF_debug_handler = NULL;
    engine->layer.lookup = look_up;
    engine->layer.get_exp = refuse_explanation;
    engine->layer.name = "postern";
    engine->server = SPF_server_new_dns(&engine->layer, 0);
    if (engine->server == NULL || !prepare(engine))
        spf2_free(&engine);
    return engine;
}

void spf2_free(struct spf2 **handle)
{
    struct spf2 *engine = *handle;

    if (engine == NULL)
        return;
    if (engine->server != NULL)
        SPF_server_free(engine->server);
    mem_free(engine);
    *handle = NULL;
}

/* ---- A run. */

/* RFC 7208 4.3. */
static void print_sender(const struct spf_question *question, struct text *out)
{
    struct slice local = question->sender_local;

    text_add(out, local.length > 0 ? local : SLICE("postmaster"));
    text_add_byte(out, '@');
    text_add(out, question->sender_domain);
}

static bool set_client(SPF_request_t *request, const struct ip_address *client)
{
    struct in_addr v4;
    struct in6_addr v6;

    memcpy(&v4, client->bytes + 12, sizeof v4);
    memcpy(&v6, client->bytes, sizeof v6);
    return (ip_is_v4(client) ? SPF_request_set_ipv4(request, v4)
                             : SPF_request_set_ipv6(request, v6)) == SPF_E_SUCCESS;
}

static bool fill_request(SPF_request_t *request, const struct spf_question *question)
{
    struct text sender;
    char *helo = mem_copy(question->helo);
    bool is_done;

    text_init(&sender, SENDER_MAX_BYTES);
    print_sender(question, &sender);
    is_done = set_client(request, &question->client) &&
              (question->helo.length == 0 ||
               SPF_request_set_helo_dom(request, helo) == SPF_E_SUCCESS) &&
              SPF_request_set_env_from(request, text_string(&sender)) == 0;
    request->cur_dom = request->env_from_dp;
    text_clear(&sender);
    mem_free(helo);
    return is_done && request->cur_dom != NULL;
}

static enum check_result word_of(SPF_result_t result)
{
    switch (result) {
    case SPF_RESULT_NEUTRAL: return RESULT_NEUTRAL;
    case SPF_RESULT_PASS: return RESULT_PASS;
    case SPF_RESULT_FAIL: return RESULT_FAIL;
    case SPF_RESULT_SOFTFAIL: return RESULT_SOFTFAIL;
    case SPF_RESULT_NONE: return RESULT_NONE;
    case SPF_RESULT_TEMPERROR: return RESULT_TEMPERROR;
    case SPF_RESULT_INVALID:
    case SPF_RESULT_PERMERROR: break;
    }
    return RESULT_PERMERROR;
}

/* A record that it cannot read it calls none at all; only its messages say that it is bad. */
static enum check_result result_of_error(SPF_errcode_t error, SPF_response_t *response)
{
    if (error == SPF_E_DNS_ERROR)
        return RESULT_TEMPERROR;
    return error == SPF_E_NOT_SPF && SPF_response_errors(response) == 0 ? RESULT_NONE
                                                                        : RESULT_PERMERROR;
}

/* What SPF_request_query_mailfrom does, but for its exception. */
static enum check_result query(SPF_request_t *request, SPF_response_t *response)
{
    SPF_record_t *record = NULL;
    SPF_errcode_t error =
        SPF_server_get_record(request->spf_server, request, response, &record);
    enum check_result result = result_of_error(error, response);

    if (error == SPF_E_SUCCESS && record != NULL) {
        response->spf_record_exp = record;
        (void)SPF_record_interpret(record, request, response, 0);
        result = word_of(SPF_response_result(response));
        response->spf_record_exp = NULL;
    }
    if (record != NULL)
        SPF_record_free(record);
    return result;
}

static void evaluate(struct spf2 *engine, const struct spf_parcel *parcel,
                     struct spf_second *second)
{
    struct run run = { .answers = parcel->answers, .second = second };
    SPF_request_t *request = SPF_request_new(engine->server);
    SPF_response_t *response = request != NULL ? SPF_response_new(request) : NULL;

    second->result = RESULT_TEMPERROR;
    engine->layer.hook = &run;
    if (response != NULL && fill_request(request, &parcel->question))
        second->result = query(request, response);
    engine->layer.hook = NULL;
    if (response != NULL)
        SPF_response_free(response);
    if (request != NULL)
        SPF_request_free(request);
}

bool spf2_run(struct spf2 *engine, struct slice request, struct text *out)
{
    struct spf_second second = { .end = SPF_SECOND_DONE };
    struct spf_parcel parcel;
    bool is_request = spf_parcel_unpack(request, &parcel);

    if (is_request) {
        evaluate(engine, &parcel, &second);
        spf_second_pack(&second, out);
    }
    spf_parcel_clear(&parcel);
    return is_request;
}
