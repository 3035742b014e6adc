#include "yaml/resolve.h"

#include <stdio.h>
#include <string.h>

#include "error.h"

static ad_status push(ad_ids *s, uint32_t v, ad_error *e) {
  if (!ad_reserve(&s->v, &s->capacity, s->count + 1, sizeof *s->v)) return ad_fail_memory(e);
  s->v[s->count++] = v;
  return AD_OK;
}

/* Whether all names of a definition have their nodes. */
static bool is_ready(const ad_yaml_reader *r, const ad_def *d) {
  for (uint32_t n = d->from; n < d->to; n++) {
    const ad_expr_node *x = &r->exprs.node[n];
    if (x->kind == AD_EXPR_NAME && r->tree.symbols.symbol[x->value].node == AD_NO_NODE) return false;
  }
  return true;
}

ad_status ad_yaml_define(ad_yaml_reader *r, ad_def *d, ad_error *e) {
  if (r->def_count >= AD_NOTHING || !ad_reserve(&r->def, &r->def_capacity, r->def_count + 1, sizeof *r->def))
    return ad_fail_memory(e);
  if (d->key) {
    ad_symbol *name = &r->tree.symbols.symbol[ad_yaml_at(&r->tree, d->key)->symbol];
    if (name->def != AD_NOTHING)
      return ad_yaml_fail(&r->tree, d->key, 0, e, "'%.80s' is an input already, in line %u; names are unique",
                          ad_yaml_text(&r->tree, d->key), ad_yaml_at(&r->tree, r->def[name->def].key)->line);
    name->def = (uint32_t)r->def_count;
  }
  d->to = (uint32_t)r->exprs.count;
  ad_def *own = &r->def[r->def_count++];
  *own = *d;
  if (r->waiting) return AD_OK;
  r->waiting = !is_ready(r, own);
  if (r->waiting) return AD_OK;
  ad_status s = ad_yaml_make(r, own, e);
  r->made = r->def_count;
  ad_exprs_reset(&r->exprs);
  return s;
}

/* ---- Definitions that wait for later ones */

typedef struct search {
  ad_ids todo; /* definitions to make, the next one on top */
  ad_ids path; /* those of them that are open: each needs the next one */
} search;

static const char *def_name(const ad_yaml_reader *r, uint32_t d) {
  return r->def[d].key ? ad_yaml_text(&r->tree, r->def[d].key) : "an output";
}

static ad_status cycle(const ad_yaml_reader *r, const ad_ids *path, uint32_t back, uint32_t expr, ad_error *e) {
  enum { SHOWN = 300 };
  char text[400] = "";
  size_t i = path->count, used = 0;
  while (path->v[i - 1] != back) i--;
  for (i--; i < path->count && used < SHOWN; i++)
    used += (size_t)snprintf(text + used, sizeof text - used, "%.60s -> ", def_name(r, path->v[i]));
  const ad_expr_node *x = &r->exprs.node[expr];
  return ad_yaml_fail(&r->tree, x->item, x->position, e, "'%.60s' needs itself: %s%s%.60s", def_name(r, back), text,
                      i < path->count ? "... -> " : "", def_name(r, back));
}

/* Puts the definitions that an open one needs and that are not made yet on the stack, the first one on top. */
static ad_status push_needed(const ad_yaml_reader *r, uint32_t id, search *s, ad_error *e) {
  const ad_def *d = &r->def[id];
  for (uint32_t n = d->to; n-- > d->from;) {
    uint32_t needed = ad_yaml_def_of(r, n);
    if (needed == AD_NOTHING || r->def[needed].state == AD_DEF_MADE) continue;
    if (r->def[needed].state == AD_DEF_OPEN) return cycle(r, &s->path, needed, n, e);
    ad_status status = push(&s->todo, needed, e);
    if (status) return status;
  }
  return AD_OK;
}

/* Makes a definition and all that it needs, without recursion: chains may be as long as the file. */
static ad_status make_all(ad_yaml_reader *r, uint32_t id, search *s, ad_error *e) {
  ad_status status = push(&s->todo, id, e);
  while (!status && s->todo.count) {
    id = s->todo.v[s->todo.count - 1];
    ad_def *d = &r->def[id];
    if (d->state == AD_DEF_WAITING) {
      d->state = AD_DEF_OPEN;
      status = push(&s->path, id, e);
      if (!status) status = push_needed(r, id, s, e);
    } else {
      if (d->state == AD_DEF_OPEN) {
        status = ad_yaml_make(r, d, e);
        s->path.count--;
      }
      s->todo.count--;
    }
  }
  return status;
}

ad_status ad_yaml_resolve(ad_yaml_reader *r, ad_error *e) {
  search s = {0};
  ad_status status = AD_OK;
  for (; !status && r->made < r->def_count; r->made++)
    if (r->def[r->made].state != AD_DEF_MADE) status = make_all(r, (uint32_t)r->made, &s, e);
  ad_free(s.todo.v);
  ad_free(s.path.v);
  return status;
}
