/* Where the results of a batch go: a file of its own, or one of several parts with a description. */
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

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

bool batch_regular(const char *path) {
  struct stat st;
  return strcmp(path, "-") && (stat(path, &st) || S_ISREG(st.st_mode));
}

ad_status batch_put_key(ad_buffer *b, const options *o, output_format format, const char *task, ad_error *e) {
  static const char *const folds[] = {"none", "sum", "mean", "min", "max"};
  static const char *const formats[] = {
      [FORMAT_NPY] = "npy", [FORMAT_CSV] = "csv", [FORMAT_NDJSON] = "ndjson", [FORMAT_TEXINFO] = ""};
  ad_buffer_printf(b, "adtool %s\ntask %s\nformat %s %u\nreduce %s\n", PACKAGE_VERSION, task, formats[format],
                   o->digits, folds[o->reduce]);
  return b->failed ? ad_fail_memory(e) : AD_OK;
}

/* Whether this part was finished by an earlier run. */
static bool finished(batch_place *p) {
  ad_shard_file f;
  if (ad_shard_load(&f, p->path.data, NULL)) return false;
  const bool same = !strcmp(f.key, p->key.data) && f.first == p->first && f.end == p->end && f.total == p->total &&
                    f.shard.number == p->shard.number && f.shard.of == p->shard.of &&
                    !ad_shard_verify(&f, p->path.data, NULL);
  if (same) p->failed = f.failed;
  ad_shard_clear(&f);
  return same;
}

ad_status batch_open(batch_place *p, const options *o, const ad_buffer *key, const ad_buffer *head, bool *ready,
                     ad_error *e) {
  const char *path = o->out ? o->out : "-";
  if (p->shard.of)
    ad_shard_path(&p->path, path, &p->shard);
  else
    ad_buffer_puts(&p->path, path);
  ad_buffer_put(&p->key, key->data, key->size);
  p->head = head->size;
  ad_buffer full = {0};
  ad_buffer_printf(&full, "%sshard %u %u\nitems %" PRIu64 " %" PRIu64 "\n", key->data, p->shard.number, p->shard.of,
                   p->first, p->end);
  ad_status s = p->path.failed || p->key.failed || full.failed ? ad_fail_memory(e) : AD_OK;
  *ready = !s && p->shard.of && finished(p);
  if (!s && !*ready) s = ad_output_open(&p->out, p->path.data, full.data, head->size ? head->data : "", head->size, e);
  ad_buffer_clear(&full);
  return s;
}

int batch_finish(batch_place *p, const options *o, ad_buffer *head) {
  ad_error e = {0};
  ad_shard_file f = {.shard = p->shard, .first = p->first, .end = p->end, .total = p->total, .head = p->head};
  ad_status s = head->failed ? ad_fail_memory(&e) : AD_OK;
  if (s) return ad_buffer_clear(head), report(o, &e);
  const bool shard = p->shard.of;
  f.failed = p->failed = ad_output_failed(p->out);
  s = ad_output_finish(p->out, head->size && ad_output_can_patch(p->out) ? head->data : NULL, shard ? &f.size : NULL,
                       shard ? &f.checksum : NULL, &e);
  p->out = NULL;
  ad_buffer_clear(head);
  if (!s && shard) {
    ad_buffer text = {0}, path = {0};
    f.key = p->key.data;
    ad_shard_put(&text, &f);
    ad_buffer_printf(&path, "%s%s", p->path.data, AD_SHARD_SUFFIX);
    s = text.failed || path.failed ? ad_fail_memory(&e) : ad_file_write(path.data, text.data, text.size, &e);
    ad_buffer_clear(&text);
    ad_buffer_clear(&path);
  }
  return s ? report(o, &e) : 0;
}

void batch_place_clear(batch_place *p) {
  ad_buffer_clear(&p->path);
  ad_buffer_clear(&p->key);
}
