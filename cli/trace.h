/* The table that textbooks draw: every node in order, with its value and its derivative. */
#ifndef AD_TRACE_H
#define AD_TRACE_H

#include "cli.h"

/* After a gradient, in a session planned with keep_all. */
void put_trace(ad_buffer *b, const session *s);

#endif
