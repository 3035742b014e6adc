/* Matrix products and Einsum. */
#include <string.h>

#include "onnx/operators.h"

void ad_onnx_lower_mat_mul(ad_onnx_build *b, ad_onnx_call *c) {
  c->out[0] = ad_onnx_matmul(b, c->in[0], c->in[1]);
}

void ad_onnx_lower_gemm(ad_onnx_build *b, ad_onnx_call *c) {
  static const int64_t swap[] = {1, 0};
  const double alpha = ad_onnx_float(b, c, "alpha", 1), beta = ad_onnx_float(b, c, "beta", 1);
  ad_onnx_value x = c->in[0], y = c->in[1], z = c->in[2];
  if (x.shape.rank != 2 || y.shape.rank != 2) ad_onnx_fail(b, "the factors must be matrices");
  if (ad_onnx_int(b, c, "transA", 0)) x = ad_onnx_transpose(b, x, swap);
  if (ad_onnx_int(b, c, "transB", 0)) y = ad_onnx_transpose(b, y, swap);
  x = ad_onnx_matmul(b, x, y);
  if (alpha != 1) x = ad_onnx_with_float(b, AD_OP_MUL, x, alpha);
  if (z.type && beta != 1) z = ad_onnx_with_float(b, AD_OP_MUL, z, beta);
  if (z.type) x = ad_onnx_binary(b, AD_OP_ADD, x, z);
  c->out[0] = x;
}

/* ---- Determinants, by expansion along rows: minors of the first k rows for all sets of k columns, from those of k - 1
 * rows.  Nothing is divided, so that singular matrices have derivatives, too; the work is 2^n. */

enum { MOST_ROWS = 16 };

/* For each set of k of n columns: its columns in order, the number of the set without that column, and the sign. */
static void expand(ad_onnx_build *b, int n, int k, int64_t *number, int64_t *column, int64_t *minor, double *sign) {
  int64_t at = 0, sets = 0;
  for (unsigned set = 0; set < 1u << n && !b->status; set++) {
    if (__builtin_popcount(set) != k) continue;
    for (int j = 0, place = 0; j < n; j++) {
      if (!(set >> j & 1)) continue;
      column[at] = j;
      minor[at] = number[set & ~(1u << j)];
      sign[at++] = (k - 1 + place++) % 2 ? -1 : 1;
    }
    number[set] = sets++;
  }
}

void ad_onnx_lower_det(ad_onnx_build *b, ad_onnx_call *c) {
  const ad_shape *s = &c->in[0].shape;
  ad_onnx_need_rank(b, c, 0, 2);
  if (b->status) return;
  const int64_t size = s->dim[s->rank - 1];
  ad_shape batch = ad_onnx_shape(s->rank - 2, s->dim);
  if (s->dim[s->rank - 2] != size) ad_onnx_fail(b, "the matrices are not square");
  if (size > MOST_ROWS)
    ad_onnx_refuse(b, "the determinant of a matrix of %lld rows; the limit is %d", (long long)size, MOST_ROWS);
  const int n = b->status ? 0 : (int)size;
  const int64_t count = ad_shape_size(&batch);
  ad_onnx_value x = ad_onnx_reshape(b, c->in[0], &(ad_shape){3, {count, n, n}});
  ad_onnx_value minors = ad_onnx_broadcast(b, ad_onnx_number(b, x.type, 1), &(ad_shape){2, {count, 1}});
  int64_t *number = ad_onnx_room(b, UINT64_C(1) << n, sizeof *number), sets = 1;
  for (int k = 1; k <= n && !b->status; k++) {
    sets = sets * (n - k + 1) / k;
    const ad_shape table = {2, {sets, k}};
    int64_t *column = ad_onnx_room(b, (uint64_t)(sets * k), sizeof *column);
    int64_t *minor = ad_onnx_room(b, (uint64_t)(sets * k), sizeof *minor);
    double *sign = ad_onnx_room(b, (uint64_t)(sets * k), sizeof *sign);
    ad_onnx_value signs = ad_onnx_known_reals(b, x.type, &table);
    if (b->status) return;
    expand(b, n, k, number, column, minor, sign);
    for (int64_t i = 0; i < sets * k; i++) signs.data->v[i].r = sign[i];
    ad_onnx_value row = ad_onnx_reshape(b, ad_onnx_part(b, x, 1, k - 1, 1), &(ad_shape){2, {count, n}});
    row = ad_onnx_binary(b, AD_OP_MUL, ad_onnx_gather(b, row, 1, &table, column), signs);
    minors = ad_onnx_binary(b, AD_OP_MUL, row, ad_onnx_gather(b, minors, 1, &table, minor));
    minors = ad_onnx_reduce(b, AD_OP_SUM, minors, 1u << 2, false);
  }
  c->out[0] = ad_onnx_reshape(b, minors, &batch);
}

/* ---- Einsum: operands are multiplied pair by pair; a letter that stands nowhere else is summed at once */

enum { LETTERS = 52 + AD_MAX_RANK }; /* a-z, A-Z, the axes of ... from the last */

typedef struct term {
  ad_onnx_value v;
  int count, letter[AD_MAX_RANK];
} term;

static int letter_of(char ch) {
  return ch >= 'a' && ch <= 'z' ? ch - 'a' : ch >= 'A' && ch <= 'Z' ? 26 + ch - 'A' : -1;
}

/* Letters up to `end`; dots stand for `dots` axes. */
static void read_letters(ad_onnx_build *b, term *t, const char *s, const char *end, int dots) {
  for (; s < end && !b->status; s++) {
    if (*s == ' ') continue;
    const bool ellipsis = end - s >= 3 && !memcmp(s, "...", 3);
    const int l = letter_of(*s), n = ellipsis ? dots : 1;
    if (!ellipsis && l < 0) ad_onnx_fail(b, "the equation has a '%c'", *s < 32 || *s > 126 ? '?' : *s);
    if (t->count + n > AD_MAX_RANK) ad_onnx_refuse(b, "a term of more than %d letters", AD_MAX_RANK);
    for (int i = 0; i < n && !b->status; i++) t->letter[t->count++] = ellipsis ? 52 + dots - 1 - i : l;
    s += ellipsis ? 2 : 0;
  }
}

static int find(const term *t, int letter) {
  for (int i = 0; i < t->count; i++)
    if (t->letter[i] == letter) return i;
  return -1;
}

static void drop(term *t, int axis) {
  memmove(t->letter + axis, t->letter + axis + 1, (size_t)(t->count - axis - 1) * sizeof t->letter[0]);
  t->count--;
}

/* Takes the diagonal where a letter stands twice. */
static void diagonals(ad_onnx_build *b, term *t) {
  for (int i = 0; i < t->count && !b->status; i++)
    for (int k = i + 1; k < t->count && !b->status; k++) {
      if (t->letter[i] != t->letter[k]) continue;
      const ad_shape *s = &t->v.shape;
      int64_t stride[AD_MAX_RANK], index[AD_MAX_RANK];
      if (s->dim[i] != s->dim[k]) {
        ad_onnx_fail(b, "a letter has two sizes");
        return;
      }
      const ad_shape shape = ad_onnx_shape_remove(s, k);
      const int64_t n = ad_shape_size(&shape);
      int64_t *from = ad_onnx_room(b, (uint64_t)n + 1, sizeof *from);
      ad_onnx_strides(s, stride);
      for (int64_t o = 0; from && o < n; o++) {
        ad_onnx_unravel(&shape, o, index);
        for (int d = 0; d < shape.rank; d++) from[o] += index[d] * stride[d < k ? d : d + 1];
        from[o] += index[i] * stride[k];
      }
      if (from) t->v = ad_onnx_pick(b, t->v, &shape, from, t->v);
      drop(t, k--);
    }
}

/* Sums over the letters that are not kept. */
static void sum_out(ad_onnx_build *b, term *t, const bool *keep) {
  unsigned mask = 0;
  for (int i = 0; i < t->count; i++) mask |= keep[t->letter[i]] ? 0u : 1u << i;
  t->v = ad_onnx_reduce(b, AD_OP_SUM, t->v, mask, false);
  for (int i = t->count; i-- > 0;)
    if (mask >> i & 1) drop(t, i);
}

/* The axes in the order of a list of letters, each of which the term has. */
static void permute(ad_onnx_build *b, term *t, const int *letter, int count) {
  int64_t perm[AD_MAX_RANK];
  for (int i = 0; i < count; i++) perm[i] = find(t, letter[i]);
  t->v = ad_onnx_transpose(b, t->v, perm);
  memcpy(t->letter, letter, (size_t)count * sizeof letter[0]);
}

static int64_t size_in(const term *t, int letter) {
  const int at = find(t, letter);
  return at < 0 ? 1 : t->v.shape.dim[at];
}

typedef struct letters {
  int count, letter[2 * AD_MAX_RANK];
  int64_t size[2 * AD_MAX_RANK], product;
} letters;

static void put(letters *l, int letter, int64_t size) {
  l->letter[l->count] = letter;
  l->size[l->count++] = size;
  l->product *= size;
}

/* Brings a term into [batch..., first, second] with batch letters, and two groups made one axis each. */
static ad_onnx_value grouped(ad_onnx_build *b, term t, const letters *batch, const letters *first,
                             const letters *second) {
  int order[3 * AD_MAX_RANK], n = 0;
  const letters *groups[] = {batch, first, second};
  for (int g = 0; g < 3; g++)
    for (int i = 0; i < groups[g]->count; i++)
      if (find(&t, groups[g]->letter[i]) >= 0) order[n++] = groups[g]->letter[i];
  permute(b, &t, order, n);
  ad_shape shape = {.rank = batch->count + 2};
  for (int i = 0; i < batch->count; i++) shape.dim[i] = size_in(&t, batch->letter[i]);
  shape.dim[batch->count] = first->product;
  shape.dim[batch->count + 1] = second->product;
  return ad_onnx_reshape(b, t.v, &shape);
}

/* x and y become one term: letters in both that are not kept are summed by a matrix product. */
static void contract(ad_onnx_build *b, term *x, term y, const bool *keep) {
  letters batch = {.product = 1}, left = {.product = 1}, right = {.product = 1}, inner = {.product = 1};
  for (int i = 0; i < x->count && !b->status; i++) {
    const int l = x->letter[i], other = find(&y, l);
    const int64_t n = x->v.shape.dim[i], m = other < 0 ? n : y.v.shape.dim[other];
    if (n != m && n != 1 && m != 1) ad_onnx_fail(b, "a letter has two sizes");
    if (other < 0)
      put(&left, l, n);
    else if (keep[l] || n != m)
      put(&batch, l, n > m || m == 1 ? n : m);
    else
      put(&inner, l, n);
  }
  for (int i = 0; i < y.count; i++)
    if (find(x, y.letter[i]) < 0) put(&right, y.letter[i], y.v.shape.dim[i]);
  if (batch.count + left.count + right.count > AD_MAX_RANK || batch.count + 2 > AD_MAX_RANK)
    ad_onnx_refuse(b, "a product of more than %d letters", AD_MAX_RANK);
  if (b->status) return;
  const ad_onnx_value p = grouped(b, *x, &batch, &left, &inner), q = grouped(b, y, &batch, &inner, &right);
  term r = {.v = ad_onnx_matmul(b, p, q)};
  ad_shape shape = {0};
  const letters *groups[] = {&batch, &left, &right};
  for (int g = 0; g < 3; g++)
    for (int i = 0; i < groups[g]->count; i++) {
      shape.dim[shape.rank++] = groups[g]->size[i];
      r.letter[r.count++] = groups[g]->letter[i];
    }
  r.v = ad_onnx_reshape(b, r.v, &shape);
  sum_out(b, &r, keep); /* letters of size 1 on one side */
  *x = r;
}

/* How many axes ... stands for in a term of so many. */
static int dots_of(const char *s, const char *end, int rank) {
  bool ellipsis = false;
  for (; s < end; s++) {
    if (letter_of(*s) >= 0) rank--;
    if (*s == '.') ellipsis = true;
  }
  return ellipsis && rank > 0 ? rank : 0;
}

void ad_onnx_lower_einsum(ad_onnx_build *b, ad_onnx_call *c) {
  const char *s = ad_onnx_word(b, c, "equation", ""), *arrow = strstr(s, "->"), *end = arrow ? arrow : s + strlen(s);
  term *t = ad_onnx_room(b, c->inputs, sizeof *t), out = {0};
  int uses[LETTERS] = {0}, most = 0;
  bool keep[LETTERS] = {false};
  for (size_t i = 0; t && i < c->inputs && !b->status; i++) {
    const char *comma = memchr(s, ',', (size_t)(end - s)), *stop = comma ? comma : end;
    const int dots = dots_of(s, stop, c->in[i].shape.rank);
    t[i].v = c->in[i];
    read_letters(b, &t[i], s, stop, dots);
    if (t[i].count != t[i].v.shape.rank || !comma != (i + 1 == c->inputs))
      ad_onnx_fail(b, "the equation doesn't fit the operands");
    most = dots > most ? dots : most;
    for (int k = 0; k < t[i].count && !b->status; k++) uses[t[i].letter[k]]++;
    diagonals(b, &t[i]);
    s = comma ? stop + 1 : end;
  }
  if (b->status || !t) return;
  if (arrow) {
    read_letters(b, &out, arrow + 2, arrow + strlen(arrow), most);
  } else { /* what stands once, by the alphabet; capitals come first */
    for (int i = most; i-- > 0;) out.letter[out.count++] = 52 + i;
    for (int i = 0; i < 52 && out.count < AD_MAX_RANK; i++) {
      const int l = (i + 26) % 52;
      if (uses[l] == 1) out.letter[out.count++] = l;
    }
  }
  for (int i = 0; i < out.count; i++) {
    if (!uses[out.letter[i]] || keep[out.letter[i]])
      ad_onnx_fail(b, "the result has a letter twice, or one that no operand has");
    keep[out.letter[i]] = true;
  }
  for (size_t i = 0; i < c->inputs && !b->status; i++) {
    bool now[LETTERS]; /* the result's, and those of operands to come */
    memcpy(now, keep, sizeof now);
    for (size_t k = i + 1; k < c->inputs; k++)
      for (int j = 0; j < t[k].count; j++) now[t[k].letter[j]] = true;
    if (i == 0)
      sum_out(b, &t[0], now);
    else
      contract(b, &t[0], t[i], now);
  }
  sum_out(b, &t[0], keep);
  if (!b->status) permute(b, &t[0], out.letter, out.count);
  c->out[0] = t[0].v;
}
