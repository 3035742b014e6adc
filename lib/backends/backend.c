#include "backends/backend.h"

#include <string.h>

#define BOTH (1u << AD_MODE_FORWARD | 1u << AD_MODE_REVERSE)

static const ad_backend backends[] = {
    {"tape", &ad_engine_f64, AD_MODE_REVERSE, 1u << AD_MODE_REVERSE,
     "reverse mode over the recorded values, in double"},
    {"dual", &ad_engine_f64, AD_MODE_FORWARD, 1u << AD_MODE_FORWARD, "forward mode on dual numbers, in double"},
    {"mpfr", &ad_engine_mpfr, AD_MODE_REVERSE, BOTH, "either mode in MPFR, at any precision from 2 bits"},
};

size_t ad_backend_count(void) {
  return sizeof backends / sizeof backends[0];
}

const ad_backend *ad_backend_get(size_t i) {
  return i < ad_backend_count() ? &backends[i] : NULL;
}

const ad_backend *ad_backend_find(const char *name) {
  for (size_t i = 0; name && i < ad_backend_count(); i++)
    if (!strcmp(backends[i].name, name)) return &backends[i];
  return NULL;
}

const char *ad_backend_name(const ad_backend *b) {
  return b ? b->name : NULL;
}

const char *ad_backend_doc(const ad_backend *b) {
  return b ? b->doc : NULL;
}

ad_kind ad_backend_kind(const ad_backend *b) {
  return b ? b->engine->kind : AD_KIND_F64;
}

ad_mode ad_backend_mode(const ad_backend *b) {
  return b ? b->mode : AD_MODE_DEFAULT;
}

bool ad_backend_supports(const ad_backend *b, ad_mode m) {
  return b && (m == AD_MODE_DEFAULT || (m <= AD_MODE_REVERSE && (b->modes & 1u << m)));
}
