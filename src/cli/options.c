#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>

static const struct option table[] = {{"listen", required_argument, NULL, 'l'},
                                      {"advertise", required_argument, NULL, 'a'},
                                      {"client", no_argument, NULL, 'C'},
                                      {"plaintext", no_argument, NULL, 'P'},
                                      {"dialect", required_argument, NULL, 'D'},
                                      {"certificate", required_argument, NULL, 'c'},
                                      {"key", required_argument, NULL, 'k'},
                                      {"ca", required_argument, NULL, 'A'},
                                      {"proto", required_argument, NULL, 'p'},
                                      {"include", required_argument, NULL, 'I'},
                                      {"descriptor-set", required_argument, NULL, 'd'},
                                      {"text", no_argument, NULL, 'T'},
                                      {"timeout", required_argument, NULL, 't'},
                                      {"name", required_argument, NULL, 'n'},
                                      {"exact", no_argument, NULL, 'e'},
                                      {"no-wait", no_argument, NULL, 'w'},
                                      {"count", required_argument, NULL, 'N'},
                                      {"interval", required_argument, NULL, 'i'},
                                      {"seconds", required_argument, NULL, 's'},
                                      {"size", required_argument, NULL, 'S'},
                                      {"pairs", required_argument, NULL, 'r'},
                                      {"serve", no_argument, NULL, 'E'},
                                      {"verbose", no_argument, NULL, 'v'},
                                      {"help", no_argument, NULL, 'h'},
                                      {"version", no_argument, NULL, 'V'},
                                      {NULL, 0, NULL, 0}};

void options_print(FILE *out)
{
    fputs("\nmessages:\n"
          "  -p, --proto FILE           a .proto file with message types; any number of times\n"
          "  -I, --include DIR          where it finds what it imports\n"
          "  -d, --descriptor-set FILE  types as protoc --descriptor_set_out writes them\n"
          "  -T, --text                 messages are in protobuf's text format, not in JSON\n"
          "                             (google.protobuf.StringValue and the like are known)\n"
          "\nthis end:\n"
          "  -l, --listen HOST:PORT     where answers come to; default 127.0.0.1 and a free port\n"
          "  -a, --advertise HOST:PORT  by which the other node reaches that\n"
          "      --client               answers come over our own connection (not from\n"
          "                             protoactor-go, which cannot)\n"
          "      --dialect a|b|dotnet   of the other node, instead of finding out\n"
          "      --plaintext            without TLS beyond this machine\n"
          "      --certificate FILE, --key FILE, --ca FILE   mutual TLS, PEM\n"
          "\nthe rest:\n"
          "  -t, --timeout MS           for an answer; default 5000\n"
          "  -n, --name NAME            spawn: of the new actor\n"
          "      --exact                ps: the whole name, not a part of it\n"
          "      --no-wait              send: do not wait until the actor has got to it\n"
          "      --count N              ping: how often, default 4; --interval MS, default 1000\n"
          "      --seconds S, --size BYTES, --pairs N   bench remote: default 3, 100, 1\n"
          "      --serve                bench remote: be the other end\n"
          "  -v, --verbose              types and times on the standard error\n"
          "      --help, --version\n",
          out);
}

static bool number(const char *name, const char *text, unsigned least, unsigned most, unsigned *ret)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno || end == text || *end || text[0] == '-' || value < least || value > most) {
        fprintf(stderr, "troupe: --%s is '%.40s', want %u to %u\n", name, text, least, most);
        return false;
    }
    *ret = (unsigned)value;
    return true;
}

static bool file(const char *name, const char *files[FILES_MAX + 1], const char *path)
{
    size_t count = 0;
    while (files[count])
        count++;
    if (count == FILES_MAX) {
        fprintf(stderr, "troupe: more than %d times --%s\n", FILES_MAX, name);
        return false;
    }
    files[count] = path;
    return true;
}

static bool one(struct options *o, int letter)
{
    switch (letter) {
    case 'p':
        return file("proto", o->protos, optarg);
    case 'I':
        return file("include", o->folders, optarg);
    case 'd':
        return file("descriptor-set", o->sets, optarg);
    case 't':
        return number("timeout", optarg, 1, TR_TIMEOUT_MS_MAX, &o->timeout_ms);
    case 'N':
        return number("count", optarg, 1, 1000000, &o->count);
    case 'i':
        return number("interval", optarg, 0, 3600000, &o->interval_ms);
    case 's':
        return number("seconds", optarg, 1, 3600, &o->seconds);
    case 'S':
        return number("size", optarg, 0, 1000000, &o->size);
    case 'r':
        return number("pairs", optarg, 1, 10000, &o->pairs);
    case 'h':
        o->help = true;
        return true;
    case 'V':
        o->version = true;
        return true;
    default:
        return false;
    }
}

static bool texts_and_flags(struct options *o, int letter)
{
    struct {
        int letter;
        const char **text;
        bool *flag;
    } places[] = {
        {'l', &o->listen, NULL},      {'a', &o->advertise, NULL}, {'D', &o->dialect, NULL},
        {'c', &o->certificate, NULL}, {'k', &o->key, NULL},       {'A', &o->ca, NULL},
        {'n', &o->name, NULL},        {'C', NULL, &o->client},    {'P', NULL, &o->plaintext},
        {'e', NULL, &o->exact},       {'w', NULL, &o->no_wait},   {'v', NULL, &o->verbose},
        {'E', NULL, &o->serve}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (places[i].letter != letter)
            continue;
        if (places[i].text)
            *places[i].text = optarg;
        else
            *places[i].flag = true;
        return true;
    }
    return false;
}

bool options_parse(int argc, char **argv, struct options *ret)
{
    *ret = (struct options){
        .timeout_ms = 5000, .count = 4, .interval_ms = 1000, .seconds = 3, .size = 100, .pairs = 1};
    int letter;
    while ((letter = getopt_long(argc, argv, "l:a:p:I:d:Tt:n:vh", table, NULL)) != -1) {
        if (letter == 'T')
            ret->format = SCHEMA_TEXT;
        else if (!texts_and_flags(ret, letter) && !one(ret, letter))
            return false;
    }
    ret->words = argv + optind;
    ret->word_count = argc - optind;
    return true;
}

bool target_parse(const char *text, bool node, struct target *ret)
{
    const char *at = strrchr(text, '@');
    const char *address = at ? at + 1 : text;
    size_t id_size = at ? (size_t)(at - text) : 0;
    const char *colon = strrchr(address, ':');
    bool good = colon && colon[1] && strlen(address) <= TR_ADDRESS_SIZE_MAX &&
                id_size <= TR_NAME_SIZE_MAX && (at ? id_size > 0 : node);
    if (!good) {
        fprintf(stderr, "troupe: '%.100s' is no %s\n", text,
                node ? "node or actor, want HOST:PORT or ID@HOST:PORT"
                     : "actor, want ID@HOST:PORT");
        return false;
    }
    memcpy(ret->id, text, id_size);
    ret->id[id_size] = '\0';
    snprintf(ret->address, sizeof ret->address, "%s", address);
    return true;
}
