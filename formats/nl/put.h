/* The tokens of an .nl file on their way out, in text and in little-endian binary: the other side of scan.h. */
#ifndef AD_NL_PUT_H
#define AD_NL_PUT_H

#include "mem.h"

typedef struct ad_nl_put {
  ad_buffer *b;
  bool binary;
  bool behind; /* in text: a token stands on this line already */
} ad_nl_put;

void ad_nl_put_key(ad_nl_put *o, char key);
void ad_nl_put_integer(ad_nl_put *o, int64_t v);
void ad_nl_put_real(ad_nl_put *o, double v);
void ad_nl_put_word(ad_nl_put *o, const char *word, size_t length);
void ad_nl_put_line(ad_nl_put *o); /* ends a line of text */
/* A constant of an expression, with its key and its line. */
void ad_nl_put_constant(ad_nl_put *o, double v);

#endif
