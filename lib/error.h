/* Filling an ad_error, and the words that messages share. */
#ifndef AD_ERROR_H
#define AD_ERROR_H

#include "adtool.h"

/* Sets code and message, clears the place; returns the code, so that `return ad_fail(e, AD_EINPUT, "...")` reads well.
 * e may be NULL. */
ad_status ad_fail(ad_error *e, ad_status code, const char *format, ...) AD_PRINTF(3, 4);
ad_status ad_fail_memory(ad_error *e); /* "out of memory" */
ad_status ad_fail_errno(ad_error *e, const char *doing,
                        const char *path); /* with strerror(errno); AD_EIO, or AD_ENOMEM */

/* What every public function checks first: that the caller handed over what `given`, in terms of its arguments, says.
 * Where there is no status to return, an if does it. */
#define AD_GIVEN(given, e) \
  if (__builtin_expect(!(given), 0)) return ad_fail_given(e, __func__, #given)
ad_status ad_fail_given(ad_error *e, const char *function, const char *given);

/* Adds where it happened to an error that has no place yet. */
void ad_error_place(ad_error *e, const char *file, int64_t line, int64_t column);

/* The candidate nearest to `word` by Damerau-Levenshtein distance, or NULL when none is near enough to suggest
 * (distance at most 1 + length/4).  next(context, i) gives candidate i, NULL after the last. */
typedef const char *ad_candidate_fn(const void *context, size_t i);
const char *ad_suggest(const char *word, ad_candidate_fn *next, const void *context);

/* The length of the UTF-8 character at s; 0: none, cut off by the end, or a control character, of text direction too.
 */
size_t ad_character(const char *s, const char *end);
/* Puts ? for all that is none: a message quotes files, cut to some length, and must stay one line of UTF-8.  ad_fail
 * does it; who adds to a message repeats it. */
void ad_clean(char *s);

#endif
