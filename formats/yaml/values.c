/* Sizes, shapes, literals and attributes in YAML form. */
#include <string.h>

#include "error.h"
#include "yaml/resolve.h"

/* ---- Integers */

static bool integer_of(ad_yaml_reader *r, uint32_t item, int64_t *v) {
  ad_yaml_tree *t = &r->tree;
  const ad_yaml_item *at = ad_yaml_at(t, item);
  if (at->kind != AD_YAML_SCALAR) return false;
  if (ad_ints_parse(ad_yaml_text(t, item), at->length, v)) return true;
  uint32_t symbol = r->dim_count ? ad_symbols_intern(&t->symbols, ad_yaml_text(t, item), at->length) : 0;
  uint32_t dim = symbol ? t->symbols.symbol[symbol].dim : AD_NOTHING;
  if (dim == AD_NOTHING) return false;
  *v = r->dim[dim].size;
  return true;
}

static const char *next_dim(const void *context, size_t i) {
  const ad_yaml_reader *r = context;
  return i < r->dim_count ? ad_symbol_text(&r->tree.symbols, r->dim[i].symbol) : NULL;
}

ad_status ad_yaml_size(ad_yaml_reader *r, uint32_t item, int64_t *size, ad_error *e) {
  const ad_yaml_tree *t = &r->tree;
  if (integer_of(r, item, size)) {
    if (*size >= 0) return AD_OK;
    return ad_yaml_fail(t, item, 0, e, "a size is not negative");
  }
  const char *said = ad_yaml_word(t, item), *near = ad_suggest(said, next_dim, r);
  if (near) return ad_yaml_fail(t, item, 0, e, "unknown size '%.60s' (did you mean '%s'?)", said, near);
  return ad_yaml_fail(t, item, 0, e, "a size is an integer or a name from dims, not '%.60s'", said);
}

static ad_status read_shape(ad_yaml_reader *r, uint32_t item, ad_shape *shape, ad_error *e) {
  const ad_yaml_item *at = ad_yaml_at(&r->tree, item);
  *shape = (ad_shape){0};
  if (at->kind != AD_YAML_LIST)
    return ad_yaml_fail(&r->tree, item, 0, e, "a shape is a list of sizes: [3, 4], or [] for a scalar");
  if (at->count > AD_MAX_RANK)
    return ad_yaml_fail(&r->tree, item, 0, e, "the shape has rank %u; the limit is %d", at->count, AD_MAX_RANK);
  for (uint32_t i = at->first; i; i = ad_yaml_at(&r->tree, i)->next) {
    ad_status s = ad_yaml_size(r, i, &shape->dim[shape->rank++], e);
    if (s) return s;
  }
  return AD_OK;
}

/* Whether a list of shape `own` is written for a tensor of this shape: as it is, or flat. */
static bool fits(const ad_shape *own, const ad_shape *shape) {
  return ad_shape_equal(own, shape) || (own->rank == 1 && own->dim[0] == ad_shape_size(shape));
}

static ad_status refuse_shape(const ad_yaml_tree *t, uint32_t item, const ad_shape *own, const ad_shape *shape,
                              ad_error *e) {
  char have[AD_SHAPE_TEXT], want[AD_SHAPE_TEXT];
  ad_shape_text(have, own);
  ad_shape_text(want, shape);
  return ad_yaml_fail(t, item, 0, e, "the value has shape %s, but shape says %s", have, want);
}

/* ---- Attributes */

static ad_status read_ints(ad_yaml_reader *r, uint32_t item, int depth, ad_ints *out, ad_shape *shape, ad_error *e) {
  const ad_yaml_tree *t = &r->tree;
  int64_t v;
  *shape = (ad_shape){0};
  if (integer_of(r, item, &v)) return ad_ints_push(out, v) ? AD_OK : ad_fail_memory(e);
  if (ad_yaml_at(t, item)->kind != AD_YAML_LIST)
    return ad_yaml_fail(t, item, 0, e, "an attribute is an integer, a name from dims, or a list of these%s",
                        depth ? "" : ", or yes or no where the operation says so");
  if (depth == AD_MAX_RANK) return ad_yaml_fail(t, item, 0, e, "lists are nested deeper than rank %d", AD_MAX_RANK);
  *shape = (ad_shape){.rank = 1};
  size_t k = 0;
  for (uint32_t i = ad_yaml_at(t, item)->first; i; i = ad_yaml_at(t, i)->next, k++) {
    ad_shape entry;
    ad_status s = read_ints(r, i, depth + 1, out, &entry, e);
    if (s) return s;
    if (!ad_ints_wrap(shape, &entry, k))
      return ad_yaml_fail(t, i, 0, e, "a ragged list: its entries have different shapes");
  }
  return AD_OK;
}

ad_status ad_yaml_attr(ad_yaml_reader *r, uint32_t item, ad_attr_kind kind, ad_ints *out, ad_shape *shape,
                       ad_error *e) {
  static const char *const keys[] = {"shape", "value", NULL};
  const ad_yaml_tree *t = &r->tree;
  *shape = (ad_shape){0};
  if (kind == AD_ATTR_BOOL) {
    const char *said = ad_yaml_word(t, item);
    bool yes = !strcmp(said, "yes") || !strcmp(said, "true");
    if (yes || !strcmp(said, "no") || !strcmp(said, "false")) return ad_ints_push(out, yes) ? AD_OK : ad_fail_memory(e);
  }
  if (ad_yaml_at(t, item)->kind != AD_YAML_MAP) return read_ints(r, item, 0, out, shape, e);
  /* a list can't say the shape of a table without rows */
  ad_status s = ad_yaml_known_keys(t, item, "an attribute", keys, e);
  uint32_t said = ad_yaml_get(t, item, "shape"), v = ad_yaml_get(t, item, "value");
  ad_shape own;
  if (!s && (!said || !v)) s = ad_yaml_fail(t, item, 0, e, "an attribute in {...} has a shape and a value");
  if (!s) s = read_shape(r, said, shape, e);
  if (!s) s = read_ints(r, v, 0, out, &own, e);
  if (!s && !fits(&own, shape)) s = refuse_shape(t, v, &own, shape, e);
  return s;
}

/* ---- Literals */

static ad_status read_dtype(const ad_yaml_tree *t, uint32_t item, ad_dtype *dtype, ad_error *e) {
  static const char *const names[] = {"exact", "f64", "f32"};
  const char *said = ad_yaml_word(t, item);
  for (int i = 0; i < 3; i++)
    if (!strcmp(said, names[i])) return *dtype = (ad_dtype)i, AD_OK;
  return ad_yaml_fail(t, item, 0, e, "dtype is exact, f64 or f32, not '%.40s'", said);
}

ad_status ad_yaml_literal(ad_yaml_reader *r, uint32_t item, ad_shape *shape, ad_numbers *value, ad_dtype *dtype,
                          ad_error *e) {
  const ad_yaml_tree *t = &r->tree;
  *dtype = AD_EXACT;
  *shape = (ad_shape){0};
  if (ad_yaml_at(t, item)->kind != AD_YAML_MAP) return ad_yaml_numbers(t, item, value, shape, e);
  uint32_t v = ad_yaml_get(t, item, "value"), fill = ad_yaml_get(t, item, "fill"), said = ad_yaml_get(t, item, "shape");
  uint32_t type = ad_yaml_get(t, item, "dtype");
  ad_shape own = {0};
  ad_status s = AD_OK;
  if (v && fill) return ad_yaml_fail(t, fill, 0, e, "value and fill exclude each other; keep one");
  if (fill && ad_yaml_at(t, fill)->kind != AD_YAML_SCALAR) return ad_yaml_fail(t, fill, 0, e, "fill is one number");
  if (v || fill) s = ad_yaml_numbers(t, v ? v : fill, value, &own, e);
  if (!s && type) s = read_dtype(t, type, dtype, e);
  if (s) return s;
  *shape = own;
  if (!said) return AD_OK;
  s = read_shape(r, said, shape, e);
  return s || !v || own.rank == 0 || fits(&own, shape) ? s : refuse_shape(t, v, &own, shape, e);
}
