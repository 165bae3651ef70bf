#include "base/critical.h"

_Thread_local volatile uint32_t tri_critical;
