/* --digits with MPFR: what a command prints is computed in balls at rising precision, until each number is proved to as
 * many digits.  A command does not know of it: it runs several times on one graph and point, and its numbers are told
 * apart by the order in which they are printed.
 *   BALLS  keeps the texts that are proved; nothing else of the run is shown
 *   LOOK   keeps MPFR's texts of the others, until twice the bits give the same
 *   PRINT  the run that is shown, in MPFR: its numbers give way to the texts that are proved */
#include <math.h>
#include <mpfr.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "exec/ball.h"

enum {
  GUARD_BITS = 64,
  MOST_BITS = 8192,    /* as of `check` */
  HOPELESS_BITS = 768, /* where no open ball is finite here, none will be */
  ZERO_BITS = 64       /* what may be 0 is shown as one when it is below 2^-ZERO_BITS at least */
};

typedef enum phase { OFF, BALLS, LOOK, PRINT } phase;

typedef struct printed {
  char *proved; /* NULL: open */
  char *look;
} printed;

static struct {
  phase phase;
  uint32_t bits; /* of the last run of balls */
  bool last;     /* the highest precision: balls around 0 become texts */
  bool words;    /* for people, who can read "0 (below 2^-k)" */
  bool memory;   /* ran out in a run that is not shown */
  unsigned digits;
  size_t at; /* the number that comes next */
  size_t count, capacity;
  printed *number;
  size_t open, finite;    /* of a run of balls: open numbers, and those of them in finite balls */
  size_t changed;         /* of a run in MPFR: open numbers with another text than at half the bits */
  size_t unproved, zeros; /* of the run that is shown; */
  long below;             /* the zeros are below 2^-below */
} proof;

/* NULL: no memory. */
static char *text_of(const ad_span *s, size_t i) {
  const size_t n = ad_span_text(NULL, 0, s, i, proof.digits);
  char *text = ad_malloc(n + 1, 1);
  if (text) ad_span_text(text, n + 1, s, i, proof.digits);
  proof.memory = proof.memory || !text;
  return text;
}

static char *zero_text(arb_srcptr x) {
  mag_t most;
  mag_init(most);
  arb_get_mag(most, x);
  const long below = -mag_get_d_log2_approx(most) - 1;
  mag_clear(most);
  if (below < ZERO_BITS) return NULL;
  char *text = ad_malloc(64, 1);
  if (text) snprintf(text, 64, "0 (below 2^-%ld)", below);
  proof.memory = proof.memory || !text;
  return text;
}

/* NULL where the digits are not proved.  The midpoint is rounded to them, so it may be off by half a unit of the last
 * one, and the radius is less than a quarter of it. */
static char *proved_text(arb_srcptr x) {
  if (!arb_is_finite(x)) return NULL;
  if (!arb_is_zero(x) && arb_contains_zero(x)) return proof.last ? zero_text(x) : NULL;
  if (!arb_is_zero(x) && arb_rel_accuracy_bits(x) < (slong)ceil(proof.digits * log2(10)) + 2) return NULL;
  const slong bits = arf_bits(arb_midref(x));
  mpfr_t m;
  mpfr_init2(m, bits < MPFR_PREC_MIN ? MPFR_PREC_MIN : bits);
  arf_get_mpfr(m, arb_midref(x), MPFR_RNDN);
  char *text = mpfr_zero_p(m) == arb_is_zero(x) && !mpfr_inf_p(m) ? text_of(&(ad_span){AD_KIND_MPFR, 1, m}, 0) : NULL;
  mpfr_clear(m);
  return text;
}

static bool make_room(void) {
  if (proof.at < proof.capacity) return true;
  const size_t more = 2 * proof.capacity + 64;
  printed *number = ad_realloc(proof.number, more, sizeof *number);
  if (!number) return false;
  memset(number + proof.capacity, 0, (more - proof.capacity) * sizeof *number);
  proof.number = number;
  proof.capacity = more;
  return true;
}

static void keep_look(printed *n, const ad_span *s, size_t i) {
  char *now = text_of(s, i);
  proof.changed += now && (!n->look || strcmp(now, n->look) != 0);
  ad_free(n->look);
  n->look = now;
}

static void put_shown(ad_buffer *b, const printed *n, const ad_span *s, size_t i) {
  char *now = text_of(s, i);
  mpfr_srcptr x = (const __mpfr_struct *)s->data + i;
  const bool zero = n->proved && strchr(n->proved, '('), number = !mpfr_nan_p(x);
  if (!now)
    b->failed = true;
  else if (!n->proved || !number || (mpfr_zero_p(x) && !strcmp(n->proved, "0"))) /* whose sign MPFR knows */
    ad_buffer_puts(b, now);
  else
    ad_buffer_puts(b, zero && !proof.words ? "0" : n->proved);
  if (zero && number) {
    const long below = strtol(strstr(n->proved, "2^-") + 3, NULL, 10);
    if (!proof.zeros++ || below < proof.below) proof.below = below;
  }
  proof.unproved += !n->proved || !number;
  ad_free(now);
}

bool proof_put(ad_buffer *b, const ad_span *s, size_t i) {
  if (proof.phase == OFF || s->kind == AD_KIND_F64) return false;
  if (!make_room()) return b->failed = true;
  printed *n = &proof.number[proof.at++];
  if (proof.at > proof.count) proof.count = proof.at;
  if (proof.phase == PRINT) {
    put_shown(b, n, s, i);
  } else if (proof.phase == LOOK) {
    if (!n->proved) keep_look(n, s, i);
  } else if (!n->proved) {
    arb_srcptr x = ad_ball_at(s, i);
    n->proved = proved_text(x);
    proof.open += !n->proved;
    proof.finite += !n->proved && arb_is_finite(x);
  }
  return true;
}

int proof_report(const ad_error *e) {
  proof.memory = proof.memory || e->code == AD_ENOMEM;
  return ad_exit_status(e->code);
}

static int run(const session *s, graph_command *one, ad_buffer *b, phase phase, uint32_t bits) {
  options o = *s->o;
  o.opened = s;
  o.bits = bits;
  o.silent = phase != PRINT;
  if (phase == BALLS) o.backend = &ad_backend_ball;
  proof.phase = phase;
  proof.at = proof.open = proof.finite = proof.unproved = proof.zeros = 0;
  if (phase == LOOK) proof.changed = 0;
  const size_t before = b->size;
  const int status = one(&o, s->path, b);
  if (phase != PRINT) {
    proof.memory = proof.memory || b->failed;
    b->size = before;
  }
  proof.phase = OFF;
  return status;
}

static uint32_t bits_for(unsigned digits) {
  const double bits = ceil(digits * log2(10)) + GUARD_BITS;
  return bits < UINT32_MAX ? (uint32_t)bits : UINT32_MAX;
}

uint32_t session_precision(const session *s) {
  if (!s->o->digits || ad_backend_kind(s->backend) == AD_KIND_F64) return s->o->precision;
  return s->o->bits ? s->o->bits : bits_for(s->o->digits);
}

static void forget_proved(void) {
  for (size_t i = 0; i < proof.count; i++) {
    ad_free(proof.number[i].proved);
    proof.number[i].proved = NULL;
  }
}

/* Until all is proved or more bits don't help.  Where the command has no such run, nothing is. */
static void run_balls(const session *s, graph_command *one, ad_buffer *b, uint32_t first, uint32_t top) {
  proof.open = 1;
  for (uint32_t p = first; proof.open && p <= top; p = p < top && p > top / 2 ? top : 2 * p) {
    proof.last = p == top;
    proof.bits = p;
    if (run(s, one, b, BALLS, p) || b->failed) forget_proved(), proof.last = true;
    if (proof.last || (!proof.finite && p >= HOPELESS_BITS)) return;
  }
}

static void say(const session *s) {
  const options *o = s->o;
  char changed[96] = "";
  if (proof.changed) snprintf(changed, sizeof changed, "; %zu of them are others at half the bits", proof.changed);
  if (proof.unproved)
    note_always("%s: %u digits are not proved for %zu of %zu numbers%s", s->path, o->digits, proof.unproved, proof.at,
                changed);
  if (!proof.words && proof.zeros)
    note_always("%s: 0 stands for %zu of %zu numbers that may be 0 and are below 2^-%ld", s->path, proof.zeros,
                proof.at, proof.below);
  if (o->format == FORMAT_NPY || o->format == FORMAT_NPZ)
    note(o, "%s: the digits of arrays are not proved; text, JSON and CSV are", s->path);
}

int proof_run(const options *o, graph_command *one, const char *path, ad_buffer *b) {
  if (!o->digits || !o->backend || ad_backend_kind(o->backend) != AD_KIND_MPFR) return one(o, path, b);
  session s;
  int status = session_open(&s, o, path);
  if (!status) {
    const uint32_t bits = bits_for(o->digits), most = o->limits.max_precision;
    proof.digits = o->digits;
    proof.words = o->format == FORMAT_TEXT;
    uint32_t top = bits > MOST_BITS / 2 ? 2 * bits : MOST_BITS;
    if (bits > UINT32_MAX / 2 || top > most) top = most;
    if (bits <= top) run_balls(&s, one, b, bits, top);
    const bool all = proof.count && !proof.open;
    /* What balls lost at fewer bits, a zero or the side of an edge, MPFR lost, too. */
    uint32_t p = all ? proof.bits : bits;
    for (status = 0; !all && !status; p *= 2) {
      status = run(&s, one, b, LOOK, p);
      if (!proof.changed || p > top / 2) break;
    }
    if (p == bits) proof.changed = 0; /* no other precision was there */
    status = proof.memory ? out_of_memory(o) : run(&s, one, b, PRINT, p);
    if (status <= EXIT_CHECK_FAILED) say(&s);
  }
  for (size_t i = 0; i < proof.count; i++) {
    ad_free(proof.number[i].proved);
    ad_free(proof.number[i].look);
  }
  ad_free(proof.number);
  memset(&proof, 0, sizeof proof);
  session_close(&s);
  return status;
}
