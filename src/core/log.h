/* core/log.h - lines for people, at most a few a second. */
#ifndef TROUPE_CORE_LOG_H
#define TROUPE_CORE_LOG_H

#include "troupe/system.h"

/* Lines a second; what is above is counted and told with the next line. */
#define TRI_LOG_LINES_MAX 5u

void tri_log(struct tr_system *sys, enum tr_log_level level, const char *fmt, ...) TR_PRINTF(3, 4);

#endif
