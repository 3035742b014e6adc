/* All formats, in the order in which content is tried: those with a magic number before those that are text. */
#include <stdio.h>
#include <string.h>

#include "adg/adg.h"
#include "beside.h"
#include "cppad/cppad.h"
#include "dot/dot.h"
#include "error.h"
#include "file.h"
#include "mem.h"
#include "nl/nl.h"
#include "onnx/onnx.h"
#include "yaml/yaml.h"

/* sniff, read: NULL where the format is only written; write: where it is only read.  beside, save_beside: what further
 * files beside this one say; files: which ones those are (ad_graph_beside); read_bound: reads where something is left
 * open, instead of read, and gets the file's path for what lies beside it, NULL when the bytes are from memory.  All of
 * these may be NULL. */
typedef struct format {
  ad_format_info info;
  ad_write_options takes; /* which of the options mean something */
  bool (*sniff)(const void *bytes, size_t size);
  ad_status (*read)(ad_graph **g, const void *bytes, size_t size, const char *path, const ad_limits *limits,
                    ad_error *e);
  ad_status (*write)(const ad_graph *g, ad_buffer *out, const ad_write_options *o, ad_error *e);
  ad_status (*beside)(ad_graph *g, const char *path, ad_error *e);
  ad_status (*save_beside)(const ad_graph *g, const char *path, ad_error *e);
  bool (*files)(const char *path, const void *bytes, size_t size, ad_beside_fn *visit, void *context);
  ad_status (*read_bound)(ad_graph **g, const void *bytes, size_t size, const char *file, size_t count,
                          const ad_binding *bindings, const ad_limits *limits, ad_error *e);
} format;

static const format formats[] = {
    {.info = {"adg", ".adg", true, true, true, "compressed binary, for machines"},
     .takes = {.stored = true},
     .sniff = ad_adg_sniff,
     .read = ad_adg_read,
     .write = ad_adg_write},
    {.info = {"nl", ".nl", true, true, false, "models of AMPL, text and binary"},
     .takes = {.binary = true},
     .sniff = ad_nl_sniff,
     .read = ad_nl_read,
     .write = ad_nl_write,
     .beside = ad_nl_names,
     .save_beside = ad_nl_save_names,
     .files = ad_nl_beside},
    {.info = {"onnx", ".onnx", true, false, false, "neural networks, inference"},
     .sniff = ad_onnx_sniff,
     .files = ad_onnx_beside,
     .read_bound = ad_onnx_read},
    {.info = {"cppad", ".json", true, true, false, "graphs of CppAD, in JSON"},
     .sniff = ad_cppad_sniff,
     .read = ad_cppad_read,
     .write = ad_cppad_write},
    {.info = {"yaml", ".yaml", true, true, true, "text with infix expressions, for people"},
     .takes = {.explicit_nodes = true},
     .sniff = ad_yaml_sniff,
     .read = ad_yaml_read,
     .write = ad_yaml_write},
    {.info = {"dot", ".dot", false, true, false, "a picture, for Graphviz"}, .write = ad_dot_write},
};

size_t ad_format_count(void) {
  return sizeof formats / sizeof formats[0];
}

const ad_format_info *ad_format_get(size_t i) {
  return i < ad_format_count() ? &formats[i].info : NULL;
}

static const format *by_content(const void *bytes, size_t size) {
  for (const format *f = formats; f < formats + ad_format_count(); f++)
    if (f->sniff && f->sniff(bytes, size)) return f;
  return NULL;
}

bool ad_graph_beside(const char *path, const void *bytes, size_t size, ad_beside_fn *visit, void *context) {
  const format *f = by_content(bytes, size);
  return !f || !f->files || f->files(path, bytes, size, visit, context);
}

/* *f is the format that it was.  path: for messages; file: NULL when there is none. */
static ad_status read_as(ad_graph **g, const format **f, const void *bytes, size_t size, const char *path,
                         const char *file, size_t count, const ad_binding *bindings, const ad_limits *limits,
                         ad_error *e) {
  ad_status s = AD_OK;
  for (size_t i = 0; i < count; i++)
    AD_GIVEN(bindings && bindings[i].name && (bindings[i].value || bindings[i].shape), e);
  size_t value = 0; /* the first that is no mere shape */
  while (value < count && !bindings[value].value) value++;
  *f = by_content(bytes, size);
  if (*f && (*f)->read_bound)
    s = (*f)->read_bound(g, bytes, size, file, count, bindings, limits, e);
  else if (*f && value < count)
    s = ad_fail(e, AD_EUSAGE, "'%.80s' can't be bound: %s leaves nothing open", bindings[value].name, (*f)->info.name);
  else if (*f)
    s = (*f)->read(g, bytes, size, path, limits, e);
  else
    s = ad_fail(e, AD_EINPUT, "this is no graph in any format that adtool knows: no text, .nl, .onnx or .adg");
  if (s && e && !e->file[0]) snprintf(e->file, sizeof e->file, "%s", path);
  return s;
}

ad_status ad_graph_read_bound(ad_graph **g, const void *bytes, size_t size, const char *path, size_t count,
                              const ad_binding *bindings, const ad_limits *limits, ad_error *e) {
  const format *f;
  AD_GIVEN(g && bytes && path, e);
  return read_as(g, &f, bytes, size, path, NULL, count, bindings, limits, e);
}

ad_status ad_graph_read(ad_graph **g, const void *bytes, size_t size, const char *path, const ad_limits *limits,
                        ad_error *e) {
  return ad_graph_read_bound(g, bytes, size, path, 0, NULL, limits, e);
}

ad_status ad_graph_load(ad_graph **g, const char *path, const ad_limits *limits, ad_error *e) {
  return ad_graph_load_bound(g, path, 0, NULL, limits, e);
}

ad_status ad_graph_load_bound(ad_graph **g, const char *path, size_t count, const ad_binding *bindings,
                              const ad_limits *limits, ad_error *e) {
  void *bytes;
  size_t size;
  const format *f;
  ad_graph *loaded;
  AD_GIVEN(g && path, e);
  ad_status s = ad_file_read(&bytes, &size, path, ad_limits_resolve(limits).max_bytes, e);
  if (s) return s;
  const bool input = !strcmp(path, "-");
  s = read_as(&loaded, &f, bytes, size, input ? "standard input" : path, input ? NULL : path, count, bindings, limits,
              e);
  ad_free(bytes);
  if (s) return s;
  if (f->beside) s = f->beside(loaded, path, e);
  if (s)
    ad_graph_free(loaded);
  else
    *g = loaded;
  return s;
}

static const format *by_name(const char *name) {
  for (size_t i = 0; i < ad_format_count(); i++)
    if (!strcmp(formats[i].info.name, name)) return &formats[i];
  return NULL;
}

static const format *by_extension(const char *path) {
  size_t n = strlen(path);
  for (size_t i = 0; i < ad_format_count(); i++) {
    size_t m = strlen(formats[i].info.extension);
    if (n > m && !strcmp(path + n - m, formats[i].info.extension)) return &formats[i];
  }
  return n > 4 && !strcmp(path + n - 4, ".yml") ? by_name("yaml") : NULL;
}

/* An option that another format takes is no option of this one. */
static ad_status check_options(const format *f, const ad_write_options *o, ad_error *e) {
  for (const format *g = formats; g < formats + ad_format_count(); g++) {
    const char *option = o->explicit_nodes && g->takes.explicit_nodes && !f->takes.explicit_nodes ? "explicit"
                         : o->stored && g->takes.stored && !f->takes.stored                       ? "stored"
                         : o->binary && g->takes.binary && !f->takes.binary                       ? "binary"
                                                                                                  : NULL;
    if (option)
      return ad_fail(e, AD_EUSAGE, "--%s is for %s; %s has no such form", option, g->info.extension, f->info.extension);
  }
  return AD_OK;
}

static ad_status write_as(const format *f, const ad_graph *g, ad_buffer *b, const ad_write_options *o, ad_error *e) {
  static const ad_write_options none = {0};
  if (!f->write) return ad_fail(e, AD_EUSAGE, "adtool reads %s, but does not write it", f->info.name);
  ad_status s = o ? check_options(f, o, e) : AD_OK;
  if (!s) s = f->write(g, b, o ? o : &none, e);
  if (!s && b->failed) s = ad_fail_memory(e);
  if (s) ad_buffer_clear(b);
  return s;
}

/* What can be written, as names or extensions: "adg, yaml or dot". */
typedef struct choices {
  char text[120];
} choices;

static choices list_choices(bool extensions) {
  choices c = {""};
  size_t left = 0;
  for (size_t i = 0; i < ad_format_count(); i++) left += formats[i].info.can_write;
  for (size_t i = 0; i < ad_format_count(); i++) {
    const size_t used = strlen(c.text);
    if (!formats[i].info.can_write) continue;
    snprintf(c.text + used, sizeof c.text - used, "%s%s", extensions ? formats[i].info.extension : formats[i].info.name,
             left > 2    ? ", "
             : left == 2 ? " or "
                         : "");
    left--;
  }
  return c;
}

static ad_status unknown(const char *name, ad_error *e) {
  return ad_fail(e, AD_EUSAGE, "unknown format '%s'; it may be %s", name, list_choices(false).text);
}

ad_status ad_graph_write(const ad_graph *g, void **bytes, size_t *size, const ad_write_options *o, ad_error *e) {
  AD_GIVEN(g && bytes && size, e);
  const format *f = o && o->format ? by_name(o->format) : NULL;
  if (!f) return unknown(o && o->format ? o->format : "", e);
  ad_buffer b = {0};
  ad_status s = write_as(f, g, &b, o, e);
  if (s) return s;
  *bytes = b.data;
  *size = b.size;
  return AD_OK;
}

ad_status ad_graph_save(const ad_graph *g, const char *path, const ad_write_options *o, ad_error *e) {
  AD_GIVEN(g && path, e);
  const format *f = o && o->format ? by_name(o->format) : by_extension(path);
  if (!f && o && o->format) return unknown(o->format, e);
  if (!f)
    return ad_fail(e, AD_EUSAGE, "'%s' does not say by its name which format to write; end it in %s, or use --to", path,
                   list_choices(true).text);
  ad_buffer b = {0};
  ad_status s = write_as(f, g, &b, o, e);
  if (!s) s = ad_file_write(path, b.data, b.size, e);
  if (!s && f->save_beside) s = f->save_beside(g, path, e);
  ad_buffer_clear(&b);
  return s;
}
