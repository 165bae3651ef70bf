/* fuzz_cli.c - command lines: words separated by newlines. */
#include "cli.h"
#include "fuzz.h"

#include "generate.h"

#define WORDS_MAX 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const allowed[] = {"hv", "hvjqfbngslwkdtm", "hvgslo", "hvjb"};
    char *argv[WORDS_MAX];
    int argc = 0;
    char *text = malloc(size + 1);
    HOLDS(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    for (char *word = strtok(text, "\n"); word && argc < WORDS_MAX; word = strtok(NULL, "\n"))
        argv[argc++] = word;
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        struct cli cli;
        struct ord_error error = {.text = ""};
        if (!cli_parse(argc, argv, allowed[i], &cli, &error)) {
            HOLDS(error.text[0] != '\0');
            continue;
        }
        HOLDS(cli.db && cli.db[0] != '\0' && (!cli.data || cli.data[0] != '\0'));
        HOLDS(cli.generate >= 0 && cli.generate <= (int64_t)GENERATE_INVOICES_MAX);
        HOLDS(cli.lines >= 0 && cli.lines <= GENERATE_LINES_MAX && cli.seed >= 0);
        HOLDS(cli.workers >= 0 && cli.workers <= 256 && cli.stock >= -1);
        HOLDS(cli.declines >= 0 && cli.declines <= 1000 && cli.late >= 0 && cli.late <= 1000);
        HOLDS(cli.window_min >= 0 && cli.window_min <= 1000000);
    }
    free(text);
    return 0;
}
