/* plant.c - see plant.h. */
#include "plant.h"

#include <stddef.h>
#include <string.h>

#ifdef TROUPE_PLANTED
enum orders_plant orders_planted = ORDERS_PLANT_NONE;
#endif

bool orders_plant(const char *word)
{
#ifdef TROUPE_PLANTED
    static const char *const words[] = {
#define X(name, text) text,
        ORDERS_PLANTS(X)
#undef X
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i], word) == 0) {
            orders_planted = (enum orders_plant)(i + 1);
            return true;
        }
    }
#else
    (void)word;
#endif
    return false;
}
