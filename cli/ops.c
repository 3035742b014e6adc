/* The tables of operations and backends. */
#include <string.h>

#include "cli.h"

static bool shown(const ad_op_info *i) {
  return i->cls == AD_CLASS_ELEMENT || i->cls == AD_CLASS_STRUCTURED;
}

/* Texinfo's three characters. */
static void put_texi(ad_buffer *b, const char *s) {
  for (; *s; s++) {
    if (strchr("@{}", *s)) ad_buffer_puts(b, "@");
    ad_buffer_put(b, s, 1);
  }
}

static void put_texinfo(ad_buffer *b, const ad_op_info *i) {
  ad_buffer_printf(b, "@item %s(", i->name);
  put_texi(b, i->arg_names);
  ad_buffer_puts(b, ")\n@findex ");
  ad_buffer_printf(b, "%s\n", i->name);
  put_texi(b, i->doc);
  ad_buffer_puts(b, ".\n");
  if (i->default_arg) ad_buffer_printf(b, "The last argument is %s where it is left out.\n", i->default_arg);
  if (*i->domain) {
    ad_buffer_puts(b, "Domain and kinks: ");
    put_texi(b, i->domain);
    ad_buffer_puts(b, ".\n");
  }
  if (i->value_ulps)
    ad_buffer_printf(b, "In double: value within %d ulp, partials within %d.\n", i->value_ulps, i->partial_ulps);
  for (int k = 0; k < i->attr_count; k++) {
    ad_buffer_printf(b, "Attribute @code{%s}%s: ", i->attr[k].name, i->attr[k].required ? " (required)" : "");
    put_texi(b, i->attr[k].doc);
    ad_buffer_puts(b, ".\n");
  }
  if (i->partial[0]) {
    ad_buffer_puts(b, "@smallexample\n");
    static const char *const of[] = {"x", "y", "w"};
    for (int k = 0; k < 3 && i->partial[k]; k++) {
      ad_buffer_printf(b, "dz/d%s = ", of[k]);
      put_texi(b, i->partial[k]);
      ad_buffer_puts(b, "\n");
    }
    ad_buffer_puts(b, "@end smallexample\n");
  }
  ad_buffer_puts(b, "\n");
}

static void put_json(ad_buffer *b, const ad_op_info *i, bool first) {
  if (!first) ad_buffer_puts(b, ",\n ");
  ad_buffer_puts(b, "{\"name\": ");
  put_json_string(b, i->name);
  ad_buffer_printf(b, ", \"class\": \"%s\", \"min_args\": %d, \"max_args\": ",
                   i->cls == AD_CLASS_ELEMENT ? "elementwise" : "structured", i->min_args);
  if (i->max_args == AD_VARIADIC)
    ad_buffer_puts(b, "null");
  else
    ad_buffer_printf(b, "%d", i->max_args);
  ad_buffer_puts(b, ", \"args\": ");
  put_json_string(b, i->arg_names);
  ad_buffer_puts(b, ", \"value\": ");
  put_json_string(b, i->value);
  ad_buffer_puts(b, ", \"partials\": [");
  for (int k = 0; k < 3 && i->partial[k]; k++) {
    if (k) ad_buffer_puts(b, ", ");
    put_json_string(b, i->partial[k]);
  }
  ad_buffer_puts(b, "], \"domain\": ");
  put_json_string(b, i->domain);
  ad_buffer_puts(b, ", \"attributes\": [");
  for (int k = 0; k < i->attr_count; k++) {
    if (k) ad_buffer_puts(b, ", ");
    put_json_string(b, i->attr[k].name);
  }
  ad_buffer_puts(b, "], \"doc\": ");
  put_json_string(b, i->doc);
  ad_buffer_puts(b, "}");
}

static void put_full(ad_buffer *b, const ad_op_info *i) {
  static const char *const of[] = {"x", "y", "w"};
  ad_buffer_printf(b, "%s(%s): %s\n", i->name, i->arg_names, i->doc);
  if (i->default_arg) ad_buffer_printf(b, "  default    the last argument is %s\n", i->default_arg);
  ad_buffer_printf(b, "  value      %s\n", i->value);
  for (int k = 0; k < 3 && i->partial[k]; k++) ad_buffer_printf(b, "  dz/d%s      %s\n", of[k], i->partial[k]);
  if (*i->domain) ad_buffer_printf(b, "  domain     %s\n", i->domain);
  if (i->value_ulps)
    ad_buffer_printf(b, "  in double  value within %d ulp, partials within %d\n", i->value_ulps, i->partial_ulps);
  for (int k = 0; k < i->attr_count; k++)
    ad_buffer_printf(b, "  %-10s %s%s\n", i->attr[k].name, i->attr[k].doc, i->attr[k].required ? " (required)" : "");
}

static int run_ops(const options *o) {
  ad_buffer b = {0};
  if (o->file_count) {
    ad_op op = ad_op_find(o->file[0]);
    const ad_op_info *i = op == AD_NO_OP ? NULL : ad_op_get(op);
    if (!i || !shown(i)) {
      const char *near = ad_op_suggest(o->file[0]);
      return near ? usage_error(o, "unknown operation '%s' (did you mean '%s'?)", o->file[0], near)
                  : usage_error(o, "unknown operation '%s'; `adtool ops` lists them all", o->file[0]);
    }
    if (o->format == FORMAT_JSON)
      put_json(&b, i, true), ad_buffer_puts(&b, "\n");
    else if (o->format == FORMAT_TEXINFO)
      put_texinfo(&b, i);
    else
      put_full(&b, i);
    return send(o, &b);
  }
  if (o->format == FORMAT_JSON) ad_buffer_puts(&b, "[");
  if (o->format == FORMAT_TEXINFO) ad_buffer_puts(&b, "@c Made by `adtool ops --format texinfo`.\n@table @code\n");
  bool first = true;
  for (ad_op op = 0; op < ad_op_count(); op++) {
    const ad_op_info *i = ad_op_get(op);
    if (!shown(i)) continue;
    if (o->format == FORMAT_JSON)
      put_json(&b, i, first);
    else if (o->format == FORMAT_TEXINFO)
      put_texinfo(&b, i);
    else
      ad_buffer_printf(&b, "%-14s %-12s %s\n", i->name, i->arg_names, i->doc);
    first = false;
  }
  if (o->format == FORMAT_JSON) ad_buffer_puts(&b, "]\n");
  if (o->format == FORMAT_TEXINFO) ad_buffer_puts(&b, "@end table\n");
  return send(o, &b);
}

static const option_id ops_takes[] = {OPT_FORMAT, OPT_OUT, OPT_COUNT};
const command command_ops = {
    "ops",
    "[NAME]",
    "all operations, with their partial derivatives",
    "Lists the operation table, or shows one operation in full: formulas of value and partials in the\n"
    "words of the table, domain, kinks, bounds of the error in double, attributes.",
    0,
    1,
    ops_takes,
    FORMATS_WORDS | FORMAT_BIT(FORMAT_TEXINFO),
    run_ops};

static int run_backends(const options *o) {
  ad_buffer b = {0};
  if (o->format == FORMAT_JSON) ad_buffer_puts(&b, "[");
  for (size_t i = 0; i < ad_backend_count(); i++) {
    const ad_backend *x = ad_backend_get(i);
    bool forward = ad_backend_supports(x, AD_MODE_FORWARD), reverse = ad_backend_supports(x, AD_MODE_REVERSE);
    const char *modes = forward && reverse ? "forward, reverse" : forward ? "forward" : "reverse";
    const char *kind = ad_backend_kind(x) == AD_KIND_F64 ? "double" : "mpfr";
    if (o->format == FORMAT_JSON)
      ad_buffer_printf(&b, "%s{\"name\": \"%s\", \"numbers\": \"%s\", \"modes\": [%s%s%s], \"doc\": \"%s\"}",
                       i ? ", " : "", ad_backend_name(x), kind, forward ? "\"forward\"" : "",
                       forward && reverse ? ", " : "", reverse ? "\"reverse\"" : "", ad_backend_doc(x));
    else
      ad_buffer_printf(&b, "%-6s %-7s %-17s %s\n", ad_backend_name(x), kind, modes, ad_backend_doc(x));
  }
  if (o->format == FORMAT_JSON) ad_buffer_puts(&b, "]\n");
  return send(o, &b);
}

static const option_id backends_takes[] = {OPT_FORMAT, OPT_OUT, OPT_COUNT};
const command command_backends = {"backends",  "", "all backends", "Lists the backends: name, kind of number, modes.",
                                  0,           0,  backends_takes, FORMATS_WORDS,
                                  run_backends};
