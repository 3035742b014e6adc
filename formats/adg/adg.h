/* The .adg format: graphs in compressed columns, for machines.  doc/adg.texi is its specification. */
#ifndef AD_ADG_H
#define AD_ADG_H

#include "adtool.h"
#include "mem.h"

bool ad_adg_sniff(const void *bytes, size_t size);
ad_status ad_adg_read(ad_graph **g, const void *bytes, size_t size, const char *path, const ad_limits *limits,
                      ad_error *e);
/* o->stored: without compression, which is the canonical form: the same graph gives the same bytes. */
ad_status ad_adg_write(const ad_graph *g, ad_buffer *out, const ad_write_options *o, ad_error *e);

#endif
