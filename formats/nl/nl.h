/* The .nl format of AMPL: D. M. Gay, Writing .nl Files, Sandia National Laboratories, SAND2005-7907P, 2005; and Hooking
 * Your Solver to AMPL, Bell Laboratories, 1997. */
#ifndef AD_NL_H
#define AD_NL_H

#include "beside.h"
#include "mem.h"

bool ad_nl_sniff(const void *bytes, size_t size);
/* Text and binary of either byte order.  One input x; outputs obj (obj0, obj1 ... where there are several) and con.
 * What is no computation is kept as texts of the graph: see the manual, .nl. */
ad_status ad_nl_read(ad_graph **g, const void *bytes, size_t size, const char *path, const ad_limits *limits,
                     ad_error *e);
/* Keeps the names of variables, constraints and objectives that stand in .col and .row beside STUB.nl, or notes why
 * they do not fit. */
ad_status ad_nl_names(ad_graph *g, const char *path, ad_error *e);
bool ad_nl_beside(const char *path, const void *bytes, size_t size, ad_beside_fn *visit, void *context);

/* Text, or with o->binary little-endian binary.  Elements of inputs that are differentiated are the variables, one
 * behind the other; scalar outputs are objectives, elements of all others constraints.  Texts that reading keeps are
 * taken up. */
ad_status ad_nl_write(const ad_graph *g, ad_buffer *out, const ad_write_options *o, ad_error *e);
/* Writes the names that were kept to .col and .row beside STUB.nl, and removes such files where there are no names. */
ad_status ad_nl_save_names(const ad_graph *g, const char *path, ad_error *e);

#endif
