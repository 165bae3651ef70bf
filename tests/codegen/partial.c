/* Messages of which only what counts was written: under valgrind, their encoding depends on that. */
#include "everything.troupe.h"

#include <stdio.h>
#include <stdlib.h>

static unsigned sum_of(const uint8_t *at, const uint8_t *end)
{
    unsigned sum = 0;
    for (; at < end; at++)
        sum += *at;
    return sum;
}

int main(void)
{
    uint8_t out[1024];
    size_t body_size = TR_SIZE_WITH(every_trailing_bytes, data, 100);
    struct every_trailing_bytes *trailing = malloc(body_size);
    struct every_optionals *optionals = malloc(sizeof *optionals);
    if (!trailing || !optionals)
        return 1;
    trailing->number = 7;
    trailing->data_size = 3;
    memcpy(trailing->data, "abc", 3);
    if (tr_set_text(trailing->text, "hello, w\xC3\xB6rld") != TR_OK)
        return 1;
    const uint8_t *end = every_trailing_bytes_type.codec->encode(trailing, body_size, out);
    if (!end || end - out != 22 || sum_of(out, end) == 0)
        return 1;
    /* Decoding leaves most of a large struct as it was; it can be encoded all the same. */
    static const uint8_t text[] = {0x72, 9, '1', '2', '3', '4', '5', '6', '7', '8', '9'};
    if (every_optionals_type.codec->decode(text, sizeof text, optionals, sizeof *optionals) !=
        TR_OK)
        return 1;
    end = every_optionals_type.codec->encode(optionals, sizeof *optionals, out);
    if (!end || end - out != sizeof text || memcmp(out, text, sizeof text) != 0)
        return 1;
    printf("%u\n", sum_of(out, end));
    free(trailing);
    free(optionals);
    return 0;
}
