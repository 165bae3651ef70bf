/* fuzz_text.c - UTF-8 against a plain decoder, JSON strings, stock codes, the dictionary. */
#include "dict.h"
#include "fuzz.h"
#include "json.h"
#include "rules.h"

/* One code point at a time, by the definition. */
static bool plain_valid(const uint8_t *text, size_t size)
{
    for (size_t i = 0; i < size;) {
        uint32_t point = text[i];
        size_t more = point < 0x80       ? 0
                      : point >> 5 == 6  ? 1
                      : point >> 4 == 14 ? 2
                      : point >> 3 == 30 ? 3
                                         : 9;
        static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
        if (more == 9 || i + more >= size)
            return false;
        point &= more == 0 ? 0x7F : 0x3Fu >> more;
        for (size_t k = 1; k <= more; k++) {
            if (text[i + k] >> 6 != 2)
                return false;
            point = point << 6 | (text[i + k] & 0x3F);
        }
        if (point < least[more] || point > 0x10FFFF || point >> 11 == 27)
            return false;
        i += more + 1;
    }
    return true;
}

/* What json_text() writes is one line of valid UTF-8 with every quote in its place. */
static void check_json(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *out = NULL;
    size_t out_size = 0;
    HOLDS(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    FILE *stream = open_memstream(&out, &out_size);
    struct json json = {.out = stream};
    json_text(&json, NULL, text);
    fclose(stream);
    HOLDS(out_size >= 2 && out[0] == '"' && out[out_size - 1] == '"');
    HOLDS(ord_utf8_valid(out, out_size));
    for (size_t i = 1; i + 1 < out_size; i++) {
        HOLDS((unsigned char)out[i] >= 0x20 && out[i] != '"');
        if (out[i] == '\\')
            HOLDS(++i + 1 < out_size && strchr("\"\\u", out[i]));
    }
    free(out);
    free(text);
}

/* Words taken from the input get the numbers 1, 2, 3 … and keep them. */
static void check_dict(const uint8_t *data, size_t size)
{
    struct dict *dict = dict_create();
    HOLDS(dict != NULL);
    for (int pass = 0; pass < 2; pass++) {
        uint32_t before = dict_count(dict);
        for (size_t at = 0; at < size;) {
            size_t length = data[at] % 8;
            if (at + 1 + length > size)
                break;
            const char *word = (const char *)data + at + 1;
            uint32_t count = dict_count(dict);
            uint32_t number = dict_number(dict, word, length, "note", 4);
            HOLDS(number >= 1 && number <= count + 1);
            HOLDS(dict_word(dict, number)->size == length);
            HOLDS(memcmp(dict_word(dict, number)->text, word, length) == 0);
            at += 1 + length;
        }
        HOLDS(pass == 0 || dict_count(dict) == before);
    }
    dict_destroy(dict);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    HOLDS(ord_utf8_valid(text, size) == plain_valid(data, size));
    bool product = rules_is_product(text, size);
    HOLDS(!product || size >= 5);
    check_json(data, size);
    check_dict(data, size);
    return 0;
}
