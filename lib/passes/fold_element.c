#include "passes/fold_element.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "arith/special_f64.h"
#include "error.h"
#include "mem.h"

enum { MOST_BITS = 4096, LARGEST_EXPONENT = 64 };

void ad_folding_init(ad_folding *f) {
  mpq_inits(f->x, f->y, f->exact, (mpq_ptr)0);
}

void ad_folding_clear(ad_folding *f) {
  mpq_clears(f->x, f->y, f->exact, (mpq_ptr)0);
}

bool ad_folds_element(ad_op op) {
  switch (op) {
    case AD_OP_NEG:
    case AD_OP_ADD:
    case AD_OP_SUB:
    case AD_OP_MUL:
    case AD_OP_DIV:
    case AD_OP_SQR:
    case AD_OP_RECIP:
    case AD_OP_POW:
    case AD_OP_ABS:
    case AD_OP_SIGN:
    case AD_OP_FLOOR:
    case AD_OP_CEIL:
    case AD_OP_TRUNC:
    case AD_OP_ROUND:
    case AD_OP_MAX:
    case AD_OP_MIN:
    case AD_OP_CLIP:
    case AD_OP_LESS:
    case AD_OP_LESS_EQUAL:
    case AD_OP_GREATER:
    case AD_OP_GREATER_EQUAL:
    case AD_OP_EQUAL:
    case AD_OP_NOT_EQUAL:
      return true;
    default:
      return false;
  }
}

static double integer_near(ad_op op, double a) {
  return op == AD_OP_FLOOR ? floor(a) : op == AD_OP_CEIL ? ceil(a) : op == AD_OP_TRUNC ? trunc(a) : nearbyint(a);
}

/* Which of two zeros of different sign is the larger is not for a pass to say. */
static double extreme(double a, double b, bool largest) {
  if (a == b && signbit(a) != signbit(b)) return NAN;
  return (largest ? a > b : a < b) ? a : b;
}

/* Results that need no rounding; NAN: not to be folded. */
static double piece(ad_op op, double a, double b, double c) {
  switch (op) {
    case AD_OP_ABS:
      return fabs(a);
    case AD_OP_SIGN:
      return a > 0 ? 1 : a < 0 ? -1 : a;
    case AD_OP_FLOOR:
    case AD_OP_CEIL:
    case AD_OP_TRUNC:
    case AD_OP_ROUND:
      return integer_near(op, a) == 0 && signbit(a) ? NAN : integer_near(op, a);
    case AD_OP_MAX:
      return extreme(a, b, true);
    case AD_OP_MIN:
      return extreme(a, b, false);
    case AD_OP_CLIP: {
      const double above = extreme(a, b, true);
      return isnan(above) ? NAN : extreme(above, c, false);
    }
    case AD_OP_LESS:
      return a < b;
    case AD_OP_LESS_EQUAL:
      return a <= b;
    case AD_OP_GREATER:
      return a > b;
    case AD_OP_GREATER_EQUAL:
      return a >= b;
    case AD_OP_EQUAL:
      return a == b;
    case AD_OP_NOT_EQUAL:
      return a != b;
    default:
      return NAN;
  }
}

static void power(mpq_t r, const mpq_t x, long n) {
  const unsigned long m = (unsigned long)(n < 0 ? -n : n);
  mpz_pow_ui(mpq_numref(r), mpq_numref(x), m);
  mpz_pow_ui(mpq_denref(r), mpq_denref(x), m);
  if (n < 0) mpq_inv(r, r);
}

/* What double computes into *d, and the exact result into f->exact; false: it is none of these, or has no result. */
static bool rational(ad_folding *f, ad_op op, double a, double b, double *d) {
  mpq_set_d(f->x, a);
  switch (op) {
    case AD_OP_ADD:
      mpq_set_d(f->y, b);
      mpq_add(f->exact, f->x, f->y);
      *d = a + b;
      return true;
    case AD_OP_SUB:
      mpq_set_d(f->y, b);
      mpq_sub(f->exact, f->x, f->y);
      *d = a - b;
      return true;
    case AD_OP_MUL:
      mpq_set_d(f->y, b);
      mpq_mul(f->exact, f->x, f->y);
      *d = a * b;
      return true;
    case AD_OP_DIV:
      if (b == 0) return false;
      mpq_set_d(f->y, b);
      mpq_div(f->exact, f->x, f->y);
      *d = a / b;
      return true;
    case AD_OP_SQR:
      mpq_mul(f->exact, f->x, f->x);
      *d = a * a;
      return true;
    case AD_OP_RECIP:
      if (a == 0) return false;
      mpq_inv(f->exact, f->x);
      *d = 1 / a;
      return true;
    case AD_OP_POW:
      if (a == 0 || fabs(b) > LARGEST_EXPONENT || b != floor(b)) return false;
      power(f->exact, f->x, (long)b);
      *d = ad_powi(a, (long)b);
      return true;
    default:
      return false;
  }
}

/* The exact result as a text: hexadecimal where its denominator is a power of two, else p/q.  NULL: too long (then *s
 * is AD_OK) or no memory. */
static char *text_of(mpq_t q, ad_status *s, ad_error *e) {
  mpz_ptr num = mpq_numref(q), den = mpq_denref(q);
  const size_t halves = mpz_scan1(den, 0);
  *s = AD_OK;
  if (mpz_sizeinbase(num, 2) > MOST_BITS || mpz_sizeinbase(den, 2) > MOST_BITS) return NULL;
  const bool binary = mpz_sizeinbase(den, 2) == halves + 1;
  const int base = binary ? 16 : 10;
  const size_t room = mpz_sizeinbase(num, base) + mpz_sizeinbase(den, base) + 32;
  char *text = ad_malloc(room, 1), *p = text;
  if (!text) {
    *s = ad_fail_memory(e);
    return NULL;
  }
  if (!binary) {
    mpz_get_str(text, base, num);
    p += strlen(text);
    *p++ = '/';
    mpz_get_str(p, base, den);
    return text;
  }
  const size_t twos = mpz_scan1(num, 0);
  mpz_tdiv_q_2exp(num, num, twos);
  if (mpz_sgn(num) < 0) *p++ = '-';
  mpz_abs(num, num);
  p += sprintf(p, "0x");
  mpz_get_str(p, base, num);
  p += strlen(p);
  sprintf(p, "p%+ld", (long)twos - (long)halves);
  return text;
}

/* Takes the last number back. */
static void drop_last(ad_numbers *n) {
  n->count--;
  if (n->exact_count && n->exact[n->exact_count - 1].index == n->count) n->text_size = n->exact[--n->exact_count].text;
}

static bool same_bits(double a, double b) {
  return !memcmp(&a, &b, sizeof a);
}

static ad_status negate(const ad_operand_number *a, ad_numbers *out, ad_error *e) {
  if (!a->text) return ad_numbers_push_double(out, -a->value, e);
  if (a->text[0] == '-') return ad_numbers_push_text(out, a->text + 1, strlen(a->text + 1), e);
  const size_t n = strlen(a->text);
  char *text = ad_malloc(n + 1, 1);
  if (!text) return ad_fail_memory(e);
  text[0] = '-';
  memcpy(text + 1, a->text, n);
  ad_status s = ad_numbers_push_text(out, text, n + 1, e);
  ad_free(text);
  return s;
}

static ad_status push_exact(ad_folding *f, double d, ad_numbers *out, bool *folds, ad_error *e) {
  ad_status s;
  char *text = text_of(f->exact, &s, e);
  *folds = text != NULL;
  if (!text) return s;
  s = ad_numbers_push_text(out, text, strlen(text), e);
  ad_free(text);
  if (!s && !same_bits(out->value[out->count - 1], d)) drop_last(out), *folds = false;
  return s;
}

ad_status ad_fold_element(ad_folding *f, ad_op op, const ad_operand_number *a, bool few, ad_numbers *out, bool *folds,
                          ad_error *e) {
  const int nargs = ad_op_rule_get(op)->nargs;
  double v[3] = {0}, d;
  *folds = true;
  if (op == AD_OP_NEG && !isnan(a[0].value)) return negate(a, out, e);
  for (int k = 0; *folds && k < nargs; k++) {
    v[k] = a[k].value;
    *folds = !a[k].text && isfinite(v[k]);
  }
  if (!*folds) return AD_OK;
  if (!rational(f, op, v[0], v[1], &d)) {
    d = piece(op, v[0], v[1], v[2]);
    *folds = !isnan(d);
    return *folds ? ad_numbers_push_double(out, d, e) : AD_OK;
  }
  if (!isfinite(d)) {
    *folds = false; /* where an infinity comes from stays to be seen */
    return AD_OK;
  }
  mpq_set_d(f->x, d);
  if (mpq_equal(f->x, f->exact)) return ad_numbers_push_double(out, d, e);
  *folds = few && op != AD_OP_POW;
  return *folds ? push_exact(f, d, out, folds, e) : AD_OK;
}
