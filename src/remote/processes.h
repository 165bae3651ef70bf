/*
 * remote/processes.h - what others may ask about our actors: ListProcesses and
 * GetProcessDiagnostics, each a call with one question and one answer.
 */
#ifndef TROUPE_REMOTE_PROCESSES_H
#define TROUPE_REMOTE_PROCESSES_H

#include "remote/node.h"

/* Most actors in one answer; who wants to see more asks for a part. */
#define TRI_LISTED_MAX 10000u

const struct tri_wire_events *tri_processes_accept(struct tri_remote_io *io,
                                                   struct tri_stream *stream, const char *path,
                                                   void **ret_user);

#endif
