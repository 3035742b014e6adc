#include "derive/colour.h"
#include "error.h"
#include "exec/workspace.h"
#include "mem.h"

void ad_recovery_clear(ad_recovery *r) {
  ad_free(r->from);
  ad_free(r->to);
  ad_free(r->other);
  ad_free(r->reduce);
  *r = (ad_recovery){0};
}

static size_t product_of(const ad_colouring *c, size_t row, uint32_t column) {
  return row * c->column_colours + c->column[column];
}

static void push(ad_recovery *r, size_t from, size_t to, size_t other, size_t reduce) {
  r->from[r->count] = from;
  r->to[r->count] = to;
  r->other[r->count] = other;
  if (r->reduce) r->reduce[r->count] = reduce;
  r->count++;
}

/* A product that sums one unknown entry gives it; where it goes into the other product that it is a part of, too, that
 * one has one unknown less.  The trees of an acyclic colouring are taken down so from their leaves, and a star's leaves
 * are all there is to it. */
static ad_status take_down(ad_recovery *r, const ad_sparsity *s, const ad_colouring *c, const size_t *mirror,
                           ad_error *e) {
  const size_t n = s->rows, entries = s->start[n];
  uint32_t *row = ad_malloc(entries, sizeof *row), *part = ad_malloc(entries, sizeof *part); /* of each entry */
  uint32_t *unknown = ad_calloc(entries, sizeof *unknown); /* entries in each product, and the sum of their numbers */
  size_t *sum = ad_calloc(entries, sizeof *sum), *stack = ad_malloc(entries, sizeof *stack), depth = 0, parts = 0;
  size_t *last = ad_calloc(c->column_colours, sizeof *last); /* the product of a colour that was met last, from 1 */
  ad_status status = row && part && unknown && sum && stack && last ? AD_OK : ad_fail_memory(e);
  for (size_t i = 0; !status && i < n; i++) {
    const size_t before = parts;
    for (size_t k = s->start[i]; k < s->start[i + 1]; k++) {
      size_t *p = &last[c->column[s->column[k]]];
      if (*p <= before) *p = ++parts;
      row[k] = (uint32_t)i;
      part[k] = (uint32_t)(*p - 1);
      unknown[part[k]]++;
      sum[part[k]] += k;
    }
  }
  for (size_t p = 0; !status && p < parts; p++)
    if (unknown[p] == 1) stack[depth++] = sum[p]; /* of one entry, its number */
  while (depth) {
    const size_t k = stack[--depth], other = mirror[k];
    if (!unknown[part[k]]) continue; /* found from the other side */
    push(r, product_of(c, row[k], s->column[k]), k, other, product_of(c, row[other], s->column[other]));
    unknown[part[k]]--;
    if (other == k) continue;
    unknown[part[other]]--;
    sum[part[other]] -= other;
    if (unknown[part[other]] == 1) stack[depth++] = sum[part[other]];
  }
  for (size_t k = 0; !status && k < entries; k++)
    if (unknown[part[k]])
      status = ad_fail(e, AD_EUSAGE, "entry (%u, %u) does not follow from this colouring", row[k], s->column[k]);
  ad_free(row);
  ad_free(part);
  ad_free(unknown);
  ad_free(sum);
  ad_free(stack);
  ad_free(last);
  return status;
}

/* The first product of the two that has no other entry of its colour. */
static ad_status read_stars(ad_recovery *r, const ad_sparsity *s, const ad_colouring *c, const size_t *mirror,
                            ad_error *e) {
  uint32_t *seen = ad_calloc(c->column_colours, sizeof *seen);
  uint8_t *alone = ad_calloc(s->start[s->rows], 1);
  ad_status status = seen && alone ? AD_OK : ad_fail_memory(e);
  for (size_t i = 0; !status && i < s->rows; i++) {
    for (size_t k = s->start[i]; k < s->start[i + 1]; k++) seen[c->column[s->column[k]]]++;
    for (size_t k = s->start[i]; k < s->start[i + 1]; k++) alone[k] = seen[c->column[s->column[k]]] == 1;
    for (size_t k = s->start[i]; k < s->start[i + 1]; k++) seen[c->column[s->column[k]]] = 0;
  }
  for (size_t i = 0; !status && i < s->rows; i++)
    for (size_t k = s->start[i]; !status && k < s->start[i + 1]; k++) {
      const size_t other = mirror[k];
      if (other < k) continue;
      if (alone[k])
        push(r, product_of(c, i, s->column[k]), k, other, 0);
      else if (alone[other])
        push(r, product_of(c, s->column[k], (uint32_t)i), k, other, 0);
      else
        status = ad_fail(e, AD_EUSAGE, "entry (%zu, %u) does not follow from this colouring", i, s->column[k]);
    }
  ad_free(seen);
  ad_free(alone);
  return status;
}

ad_status ad_recovery_new(ad_recovery *out, const ad_sparsity *s, const ad_colouring *c, ad_error *e) {
  ad_recovery r = {.colours = c->column_colours};
  const size_t entries = s->start[s->rows];
  size_t *mirror = NULL;
  ad_status status = ad_sparsity_mirror(&mirror, s, e);
  if (status) return status;
  r.from = ad_malloc(entries, sizeof *r.from);
  r.to = ad_malloc(entries, sizeof *r.to);
  r.other = ad_malloc(entries, sizeof *r.other);
  if (c->kind == AD_COLOUR_ACYCLIC) r.reduce = ad_malloc(entries, sizeof *r.reduce);
  if (!r.from || !r.to || !r.other || (c->kind == AD_COLOUR_ACYCLIC && !r.reduce)) status = ad_fail_memory(e);
  if (!status) status = (r.reduce ? take_down : read_stars)(&r, s, c, mirror, e);
  ad_free(mirror);
  if (status)
    ad_recovery_clear(&r);
  else
    *out = r;
  return status;
}

static void run_double(const ad_recovery *r, double *value, double *product) {
  for (size_t i = 0; i < r->count; i++) {
    const double v = product[r->from[i]];
    value[r->to[i]] = value[r->other[i]] = v;
    if (r->reduce && r->to[i] != r->other[i]) product[r->reduce[i]] -= v;
  }
}

void ad_recovery_run(const ad_recovery *r, ad_workspace *w, void *value, void *product) {
  if (w->engine->kind == AD_KIND_F64) {
    run_double(r, value, product);
    return;
  }
  for (size_t i = 0; i < r->count; i++) {
    w->engine->copy(w, value, r->to[i], product, r->from[i], 1);
    if (r->to[i] == r->other[i]) continue;
    w->engine->copy(w, value, r->other[i], product, r->from[i], 1);
    if (r->reduce) w->engine->add_scaled(w, product, r->reduce[i], value, r->to[i], -1, NULL);
  }
}
