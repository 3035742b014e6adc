/* What an .nl file says that is no computation, as texts of the graph.  Reading keeps them, writing takes them up; the
 * manual lists them. */
#ifndef AD_NL_META_H
#define AD_NL_META_H

#include "mem.h"
#include "nl/header.h"

#define AD_NL_META_OPTIONS "nl.options"    /* of the first line */
#define AD_NL_META_SIZES "nl.sizes"        /* the header's counts of kinds of variables and constraints */
#define AD_NL_META_SENSE "nl.sense"        /* minimize or maximize, for each objective */
#define AD_NL_META_VARIABLES "nl.bounds.x" /* low:high for each */
#define AD_NL_META_CONSTRAINTS "nl.bounds.con"
#define AD_NL_META_DUAL "nl.dual"      /* constraint:value ... */
#define AD_NL_META_SUFFIX "nl.suffix." /* + x, con, obj or problem + . + name: index:value ... */
#define AD_NL_META_NAMES "nl.names."   /* + x, con or obj: a line for each */

/* What follows r and b: both ends, or the variable that complements a constraint. */
typedef struct ad_nl_bound {
  double low, high;
  int64_t finite, complement; /* complement: from 1; 0: none */
} ad_nl_bound;

/* Which of the four a suffix belongs to. */
enum { AD_NL_SUFFIX_KIND = 3, AD_NL_SUFFIX_REAL = 4 };
extern const char *const ad_nl_suffix_of[4];

ad_status ad_nl_keep_header(ad_graph *g, const ad_nl_header *h, ad_error *e);
ad_status ad_nl_keep_bounds(ad_graph *g, const char *key, const ad_nl_bound *v, size_t count, ad_error *e);
/* Appends one entry of a list "index:value index:value". */
void ad_nl_put_entry(ad_buffer *b, int64_t index, double v);

#endif
