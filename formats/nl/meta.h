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
enum { AD_NL_BOTH_INFINITE = 3 };
typedef struct ad_nl_bound {
  double low, high;
  int64_t infinite, complement; /* which ends; the variable, from 1, 0: none */
} ad_nl_bound;

/* Which of the four a suffix belongs to. */
enum { AD_NL_SUFFIX_KIND = 3, AD_NL_SUFFIX_REAL = 4 };
extern const char *const ad_nl_suffix_of[4];

/* ---- Reading a file keeps them */

ad_status ad_nl_keep_header(ad_graph *g, const ad_nl_header *h, ad_error *e);
ad_status ad_nl_keep_bounds(ad_graph *g, const char *key, const ad_nl_bound *v, size_t count, ad_error *e);
/* Appends one entry of a list "index:value index:value". */
void ad_nl_put_entry(ad_buffer *b, int64_t index, double v);

/* ---- Writing one takes them up; AD_EINPUT where somebody has written something else there */

/* The text under a key, NULL where there is none. */
const char *ad_nl_meta(const ad_graph *g, const char *key);
/* Fills what is there into the header; *there says whether anything is. */
ad_status ad_nl_take_sizes(const ad_graph *g, ad_nl_header *h, bool *there, ad_error *e);
/* *v: an array of `count`, to be freed with ad_free; NULL where nothing is said. */
ad_status ad_nl_take_bounds(const ad_graph *g, const char *key, ad_nl_bound **v, size_t count, ad_error *e);
/* A list "index:value index:value" of indices below `limit`; to be freed with ad_free. */
typedef struct ad_nl_entry {
  int64_t index;
  double value;
} ad_nl_entry;
ad_status ad_nl_take_entries(const char *key, const char *text, ad_nl_entry **v, size_t *count, size_t limit,
                             ad_error *e);
/* Objective i's sense, from a list of words. */
ad_status ad_nl_take_senses(const ad_graph *g, bool *maximize, size_t count, ad_error *e);

#endif
