/* Decimals that stand for doubles, as programs write them. */
#ifndef AD_DECIMAL_H
#define AD_DECIMAL_H

#include "adtool.h"

/* The double nearest to the decimal; *valid says whether it is one.  AD_OK also where it is not. */
ad_status ad_decimal_read(const char *p, size_t n, double *v, bool *valid, ad_error *e);

/* A double of few binary digits is what its decimal says.  Any other stands for a decimal that was rounded. */
ad_dtype ad_decimal_dtype(double v);

#endif
