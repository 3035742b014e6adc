#include "exec/points.h"

#include "mem.h"

void ad_points_code_free(ad_points_code *c) {
  if (!c) return;
  ad_free(c->op);
  ad_free(c->start);
  ad_free(c->zeros);
  ad_free(c);
}

static bool is_scalars(const ad_block *b) {
  return b->kind == AD_BLOCK_MIXED || b->kind == AD_BLOCK_SAME;
}

static size_t count_scalars(const ad_program *p) {
  size_t n = 0;
  for (size_t i = 0; i < p->block_count; i++)
    if (is_scalars(&p->block[i])) n += p->block[i].count;
  return n;
}

uint64_t ad_points_code_bytes(const ad_program *p) {
  return count_scalars(p) * (uint64_t)sizeof(ad_points_op) + p->block_count * (uint64_t)sizeof(size_t);
}

/* Each of an op's rows is that of its own element. */
static ad_points_op op_of(const ad_scalar *s, bool back) {
  const size_t keeps = back ? ad_scalar_keeps((ad_op)s->op, s->active) : 0;
  return (ad_points_op){.primal = (uint16_t)(keeps ? AD_POINTS_RECORD(s->op) : AD_POINTS_VALUE(s->op)),
                        .back = (uint16_t)(keeps ? AD_POINTS_KEPT(s->active) : AD_POINTS_BACK(s->op, s->active)),
                        .keeps = (uint8_t)keeps,
                        .element = {s->out, s->arg[0], s->arg[1], s->arg[2]}};
}

/* ---- Rows that are shared */

typedef struct rows {
  const ad_program *p;
  const ad_first *first;
  ad_points_planes planes;
  uint8_t *may;   /* of each element: nothing but scalars reads or writes it */
  uint32_t *last; /* of each element: the number + 1 of the last scalar that reads it; STAYS: the way back does */
  uint32_t *row;  /* of each element, once it has one */
  uint32_t *room; /* rows that nothing lies in, the next one last */
  size_t room_count;
} rows;

#define STAYS UINT32_MAX

static void read_by(rows *r, uint32_t element, uint32_t by) {
  if (r->last[element] != STAYS) r->last[element] = by;
}

/* Finds what may share rows, and for how long it needs its own. */
static void find_lives(rows *r) {
  uint32_t number = 0;
  for (size_t i = 0; r->planes.share && i < r->p->block_count; i++) {
    const ad_block *b = &r->p->block[i];
    if (!is_scalars(b)) continue;
    for (uint32_t j = 0; j < b->count; j++) {
      const ad_scalar s = ad_block_scalar(r->p, b, j);
      const unsigned reads = r->planes.adjoint ? ad_scalar_reads_back((ad_op)s.op, s.active) : 0;
      number++;
      r->may[s.out] = !(r->first->flags[s.out] & AD_FIRST_OTHERS);
      r->last[s.out] = reads & 1u ? STAYS : number;
      for (unsigned k = 0; k < s.nargs; k++) read_by(r, s.arg[k], reads >> (k + 1) & 1 ? STAYS : number);
    }
  }
}

static uint32_t take(rows *r) {
  return r->room[--r->room_count];
}

static void give(rows *r, uint32_t element) {
  r->room[r->room_count++] = r->row[element];
}

/* All rows are free, the first one next. */
static void start(rows *r, bool (*may)(const rows *r, uint32_t element)) {
  r->room_count = 0;
  for (uint32_t i = r->p->size; i-- > 0;) {
    r->row[i] = i;
    if (may(r, i)) r->room[r->room_count++] = i;
  }
}

static bool may_value(const rows *r, uint32_t i) {
  return r->may[i];
}

/* Adjoints that start as zeros keep rows of their own. */
static bool may_adjoint(const rows *r, uint32_t i) {
  return r->may[i] && !(r->first->flags[i] & AD_FIRST_ZERO);
}

/* A result may take the row of an argument that is read for the last time: every loop reads a point's numbers before it
 * writes any. */
static void place_values(rows *r, ad_points_code *c, size_t count) {
  start(r, may_value);
  for (size_t i = 0; i < count; i++) {
    ad_points_op *s = &c->op[i];
    for (unsigned k = 1; k < 4; k++) s->value[k] = r->planes.value + r->row[s->element[k]] * r->planes.points;
    for (unsigned k = 1; k < 4; k++) {
      const uint32_t x = s->element[k];
      if (!may_value(r, x) || r->last[x] != i + 1) continue;
      give(r, x);
      r->last[x] = 0; /* once, where arguments are the same */
    }
    const uint32_t z = s->element[0];
    if (may_value(r, z)) r->row[z] = take(r);
    s->value[0] = r->planes.value + r->row[z] * r->planes.points;
    if (may_value(r, z) && r->last[z] == i + 1) give(r, z);
  }
}

/* Backwards: an adjoint has a row from its first share on until it is handed on itself.  Where all shares come from one
 * loop, the first argument may take it over. */
static void place_adjoints(rows *r, ad_points_code *c, size_t count) {
  double *const adjoint = r->planes.adjoint;
  start(r, may_adjoint);
  for (size_t i = count; i-- > 0;) {
    ad_points_op *s = &c->op[i];
    const uint32_t z = s->element[0];
    const unsigned first = r->first->flags[z];
    const bool one_loop = ad_op_rule_get((ad_op)(s->primal % AD_POINTS_RECORD(0)))->nargs < 3;
    s->adjoint[0] = adjoint + r->row[z] * r->planes.points;
    if (one_loop && may_adjoint(r, z)) give(r, z);
    for (unsigned k = 0; k < 3; k++) {
      const uint32_t x = s->element[k + 1];
      if ((first >> k & 1) && may_adjoint(r, x)) r->row[x] = take(r);
      s->adjoint[k + 1] = adjoint + r->row[x] * r->planes.points;
      s->before[k + 1] = first >> k & 1 ? c->zeros : s->adjoint[k + 1];
    }
    if (!one_loop && may_adjoint(r, z)) give(r, z);
  }
}

static bool place_rows(const ad_program *p, const ad_first *first, ad_points_planes planes, ad_points_code *c,
                       size_t count) {
  const size_t size = (size_t)p->size + 1;
  rows r = {.p = p,
            .first = first,
            .planes = planes,
            .may = ad_calloc(size, sizeof *r.may),
            .last = ad_calloc(size, sizeof *r.last),
            .row = ad_calloc(size, sizeof *r.row),
            .room = ad_calloc(size, sizeof *r.room)};
  const bool ok = r.may && r.last && r.row && r.room;
  if (ok) {
    r.row[p->size] = p->size;
    find_lives(&r);
    place_values(&r, c, count);
    if (planes.adjoint) place_adjoints(&r, c, count);
  }
  ad_free(r.may);
  ad_free(r.last);
  ad_free(r.row);
  ad_free(r.room);
  return ok;
}

ad_points_code *ad_points_code_new(const ad_program *p, const ad_first *first, ad_points_planes planes) {
  ad_points_code *c = ad_calloc(1, sizeof *c);
  if (!c) return NULL;
  c->op = ad_calloc(count_scalars(p) + 1, sizeof *c->op);
  c->start = ad_calloc(p->block_count + 1, sizeof *c->start);
  c->zeros = ad_calloc_lines(planes.points, sizeof *c->zeros);
  const bool ok = c->op && c->start && c->zeros;
  size_t count = 0;
  for (size_t i = 0; ok && i < p->block_count; i++) {
    const ad_block *b = &p->block[i];
    c->start[i] = count;
    for (uint32_t j = 0; is_scalars(b) && j < b->count; j++) {
      const ad_scalar s = ad_block_scalar(p, b, j);
      c->op[count++] = op_of(&s, planes.adjoint);
    }
  }
  if (ok && place_rows(p, first, planes, c, count)) return c;
  ad_points_code_free(c);
  return NULL;
}
