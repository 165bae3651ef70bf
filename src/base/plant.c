#include "base/plant.h"

#include <stddef.h>
#include <string.h>

#ifdef TROUPE_INTERLEAVE
enum tri_race tri_raced = TRI_RACE_NONE;
#endif
#ifdef TROUPE_PLANTED
enum tri_plant tri_planted = TRI_PLANT_NONE;
#endif

static const char *const words[] = {
#define X(name, word) word,
    TRI_PLANTS(X)
#undef X
};

const char *tri_plant_word(unsigned index)
{
    return index < sizeof words / sizeof words[0] ? words[index] : NULL;
}

bool tri_plant(const char *word)
{
#ifdef TROUPE_PLANTED
    for (unsigned i = 0; tri_plant_word(i); i++) {
        if (strcmp(words[i], word) == 0) {
            tri_planted = (enum tri_plant)(i + 1);
            return true;
        }
    }
#else
    (void)word;
#endif
    return false;
}
