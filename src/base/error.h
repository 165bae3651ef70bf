/* base/error.h - filling in the details of an error. */
#ifndef TROUPE_BASE_ERROR_H
#define TROUPE_BASE_ERROR_H

#include "troupe/error.h"

/*
 * Fills *error (unless NULL) with the code, the operating system's error number (0: none) and
 * the formatted sentence, cut to fit; a non-zero `os` appends ": " and its text. Returns `code`.
 */
tr_err tri_error_set(struct tr_error *error, tr_err code, int os, const char *fmt, ...)
    TR_PRINTF(4, 5);

#endif
