#include "nl/put.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static void put_bytes(ad_nl_put *o, uint64_t v, size_t count) {
  unsigned char bytes[8];
  for (size_t i = 0; i < count; i++) bytes[i] = (unsigned char)(v >> 8 * i);
  ad_buffer_put(o->b, bytes, count);
}

static void separate(ad_nl_put *o) {
  if (o->behind) ad_buffer_put(o->b, " ", 1);
  o->behind = true;
}

void ad_nl_put_key(ad_nl_put *o, char key) {
  ad_buffer_put(o->b, &key, 1);
  o->behind = false;
}

void ad_nl_put_integer(ad_nl_put *o, int64_t v) {
  if (o->binary) {
    put_bytes(o, (uint64_t)v, 4);
    return;
  }
  separate(o);
  ad_buffer_printf(o->b, "%" PRId64, v);
}

void ad_nl_put_real(ad_nl_put *o, double v) {
  char text[AD_NUMBER_TEXT];
  if (o->binary) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    put_bytes(o, bits, sizeof bits);
    return;
  }
  separate(o);
  if (isinf(v))
    ad_buffer_puts(o->b, v < 0 ? "-Infinity" : "Infinity");
  else
    ad_buffer_put(o->b, text, ad_number_short_text(text, v));
}

void ad_nl_put_word(ad_nl_put *o, const char *word, size_t length) {
  if (o->binary)
    put_bytes(o, length, 4);
  else
    separate(o);
  ad_buffer_put(o->b, word, length);
}

void ad_nl_put_line(ad_nl_put *o) {
  if (!o->binary) ad_buffer_put(o->b, "\n", 1);
  o->behind = false;
}

void ad_nl_put_constant(ad_nl_put *o, double v) {
  enum { MOST = 32767 };
  if (o->binary && fabs(v) <= MOST && v == (double)(int)v && !(v == 0 && signbit(v))) {
    ad_nl_put_key(o, 's');
    put_bytes(o, (uint64_t)(int64_t)v, 2);
    return;
  }
  ad_nl_put_key(o, 'n');
  ad_nl_put_real(o, v);
  ad_nl_put_line(o);
}
