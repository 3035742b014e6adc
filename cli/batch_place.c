/* Where the results of a batch go: a file of its own, or one of several parts with a description. */
#include <inttypes.h>
#include <string.h>

#include "batch.h"
#include "error.h"
#include "file.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

static bool ends_with(const char *path, const char *end) {
  const size_t n = strlen(path), m = strlen(end);
  return n > m && !strcmp(path + n - m, end);
}

output_format batch_format(const options *o, output_format otherwise) {
  if (o->given[OPT_FORMAT]) return o->format;
  if (o->out && ends_with(o->out, ".npy")) return FORMAT_NPY;
  if (o->out && ends_with(o->out, ".csv")) return FORMAT_CSV;
  if (o->out && (ends_with(o->out, ".ndjson") || ends_with(o->out, ".jsonl"))) return FORMAT_NDJSON;
  return otherwise;
}

ad_status batch_put_key(ad_buffer *b, const options *o, output_format format, const char *task, ad_error *e) {
  static const char *const folds[] = {"none", "sum", "mean", "min", "max"};
  static const char *const formats[] = {
      [FORMAT_NPY] = "npy", [FORMAT_CSV] = "csv", [FORMAT_NDJSON] = "ndjson", [FORMAT_TEXINFO] = ""};
  ad_buffer_printf(b, "adtool %s\ntask %s\nformat %s %u\nreduce %s\n", PACKAGE_VERSION, task, formats[format],
                   o->digits, folds[o->reduce]);
  return b->failed ? ad_fail_memory(e) : AD_OK;
}

static ad_status describe(const batch_place *p, ad_shard_file *f, ad_error *e) {
  ad_buffer text = {0}, path = {0};
  f->key = p->key.data;
  snprintf(f->inputs, sizeof f->inputs, "%s", p->inputs.data);
  ad_shard_put(&text, f);
  ad_buffer_printf(&path, "%s%s", p->path.data, AD_SHARD_SUFFIX);
  ad_status s = text.failed || path.failed ? ad_fail_memory(e) : ad_file_write(path.data, text.data, text.size, e);
  ad_buffer_clear(&text);
  ad_buffer_clear(&path);
  return s;
}

/* Whether this part was finished by an earlier run, from the same inputs.  Where others than this part's have changed
 * since, its description says what the whole looks like now. */
static ad_status finished(batch_place *p, bool *ready, ad_error *e) {
  ad_shard_file f;
  if (ad_shard_load(&f, p->path.data, NULL)) return AD_OK;
  *ready = !strcmp(f.key, p->key.data) && f.first == p->first && f.end == p->end && f.total == p->total &&
           f.shard.number == p->shard.number && f.shard.of == p->shard.of && !ad_shard_verify(&f, p->path.data, NULL) &&
           f.sums.input && f.sums.input == p->sum(p->context);
  if (*ready) p->failed = f.failed;
  const bool others = *ready && strcmp(f.inputs, p->inputs.data) != 0;
  ad_free(f.key);
  return others ? describe(p, &f, e) : AD_OK;
}

ad_status batch_open(batch_place *p, const options *o, const ad_buffer *head, bool *ready, ad_error *e) {
  const char *path = o->out ? o->out : "-";
  if (p->shard.of)
    ad_shard_path(&p->path, path, &p->shard);
  else
    ad_buffer_puts(&p->path, path);
  p->head = head->size;
  ad_buffer full = {0};
  ad_buffer_printf(&full, "%sshard %u %u\nitems %" PRIu64 " %" PRIu64 "\n", p->key.data, p->shard.number, p->shard.of,
                   p->first, p->end);
  ad_status s = p->path.failed || full.failed ? ad_fail_memory(e) : AD_OK;
  if (!s && p->shard.of) s = finished(p, ready, e);
  if (!s && !*ready) s = ad_output_open(&p->out, p->path.data, full.data, head->size ? head->data : "", head->size, e);
  ad_buffer_clear(&full);
  return s;
}

int batch_finish(batch_place *p, const options *o, ad_buffer *head) {
  ad_error e = {0};
  ad_shard_file f = {.shard = p->shard, .first = p->first, .end = p->end, .total = p->total, .head = p->head};
  ad_status s = head->failed ? ad_fail_memory(&e) : AD_OK;
  if (s) return ad_buffer_clear(head), report(o, &e);
  f.failed = p->failed = ad_output_failed(p->out);
  s = ad_output_finish(p->out, head->size && ad_output_can_patch(p->out) ? head->data : NULL,
                       p->shard.of ? &f.sums : NULL, &e);
  p->out = NULL;
  ad_buffer_clear(head);
  if (!s && p->shard.of) s = describe(p, &f, &e);
  return s ? report(o, &e) : 0;
}

void batch_place_clear(batch_place *p) {
  ad_buffer_clear(&p->path);
  ad_buffer_clear(&p->key);
  ad_buffer_clear(&p->inputs);
}
