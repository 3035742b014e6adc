#include "batch/shard.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"

enum { MOST_SHARDS = 1000000, LONGEST_FILE = 1 << 20 };

static bool read_number(const char *s, uint64_t *v) {
  char *end;
  errno = 0;
  if (!s || *s < '0' || *s > '9') return false;
  *v = strtoull(s, &end, 10);
  return !*end && !errno;
}

static ad_status set(ad_shard *s, uint64_t number, uint64_t of, const char *where, ad_error *e) {
  if (number < 1 || number > of || of > MOST_SHARDS)
    return ad_fail(e, AD_EUSAGE,
                   "%s: shard %" PRIu64 " of %" PRIu64 " does not exist; shards count from 1, to %d at most", where,
                   number, of, MOST_SHARDS);
  *s = (ad_shard){(uint32_t)number, (uint32_t)of};
  return AD_OK;
}

/* Slurm's arrays start anywhere and may have a step. */
static bool from_slurm(uint64_t *number, uint64_t *of) {
  uint64_t id, least = 0, step = 1;
  if (!read_number(getenv("SLURM_ARRAY_TASK_ID"), &id) || !read_number(getenv("SLURM_ARRAY_TASK_COUNT"), of))
    return false;
  read_number(getenv("SLURM_ARRAY_TASK_MIN"), &least);
  read_number(getenv("SLURM_ARRAY_TASK_STEP"), &step);
  *number = id < least || !step || (id - least) % step ? 0 : (id - least) / step + 1;
  return true;
}

static bool from_ranks(const char *rank, const char *size, uint64_t *number, uint64_t *of) {
  if (!read_number(getenv(rank), number) || !read_number(getenv(size), of)) return false;
  ++*number;
  return true;
}

unsigned long ad_shard_ranks(void) {
  uint64_t number, of;
  const bool some = from_ranks("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", &number, &of) ||
                    from_ranks("PMI_RANK", "PMI_SIZE", &number, &of);
  return some ? (unsigned long)of : 0;
}

ad_status ad_shard_read(ad_shard *s, const char *text, ad_error *e) {
  uint64_t number, of;
  if (!strcmp(text, "auto")) {
    if (from_slurm(&number, &of)) return set(s, number, of, "SLURM_ARRAY_TASK_ID", e);
    if (from_ranks("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", &number, &of))
      return set(s, number, of, "OMPI_COMM_WORLD_RANK", e);
    if (from_ranks("PMI_RANK", "PMI_SIZE", &number, &of)) return set(s, number, of, "PMI_RANK", e);
    return ad_fail(e, AD_EUSAGE,
                   "--shard auto wants SLURM_ARRAY_TASK_ID and SLURM_ARRAY_TASK_COUNT, OMPI_COMM_WORLD_RANK and "
                   "OMPI_COMM_WORLD_SIZE, or PMI_RANK and PMI_SIZE in the environment");
  }
  const char *slash = strchr(text, '/');
  char first[24] = "";
  if (slash && (size_t)(slash - text) < sizeof first) memcpy(first, text, (size_t)(slash - text));
  if (!slash || !read_number(first, &number) || !read_number(slash + 1, &of))
    return ad_fail(e, AD_EUSAGE, "--shard wants NUMBER/COUNT, like 2/8, or auto, not '%s'", text);
  return set(s, number, of, "--shard", e);
}

void ad_shard_range(const ad_shard *s, uint64_t items, uint64_t unit, uint64_t *first, uint64_t *end) {
  *first = 0;
  *end = items;
  if (!s->of) return;
  /* The first units % of shards have one unit more. */
  const uint64_t units = items / unit + (items % unit != 0), each = units / s->of, more = units % s->of;
  const uint64_t before = s->number - 1u;
  const uint64_t from = before * each + (before < more ? before : more), to = from + each + (before < more);
  *first = from < units ? from * unit : items;
  *end = to < units ? to * unit : items;
}

void ad_shard_path(ad_buffer *b, const char *path, const ad_shard *s) {
  ad_buffer_printf(b, "%s.%u-of-%u", path, s->number, s->of);
}

void ad_shard_put(ad_buffer *b, const ad_shard_file *f) {
  ad_buffer_printf(b, "adtool-shard 2\nshard %u %u\nitems %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", f->shard.number,
                   f->shard.of, f->first, f->end, f->total);
  ad_buffer_printf(b, "failed %" PRIu64 "\n", f->failed);
  ad_buffer_printf(b, "file %" PRIu64 " %" PRIu64 " %016" PRIx64 "\nmade-from %016" PRIx64 "\n%s\nkey\n%s", f->head,
                   f->sums.size, f->sums.checksum, f->sums.input, f->inputs, f->key);
}

void ad_shard_clear(ad_shard_file *f) {
  ad_free(f->key);
  f->key = NULL;
}

/* The whole of a small file. */
static ad_status read_text(char **text, const char *path, ad_error *e) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ad_fail_errno(e, "open", path);
  size_t n = 0, capacity = 0;
  *text = NULL;
  for (;;) {
    ssize_t got = -1;
    if (n > LONGEST_FILE)
      errno = EFBIG;
    else if (!ad_reserve(text, &capacity, n + 4096, 1))
      errno = ENOMEM;
    else
      got = read(fd, *text + n, capacity - n - 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      ad_status s = ad_fail_errno(e, "read", path);
      close(fd);
      ad_free(*text);
      return s;
    }
    if (!got) break;
    n += (size_t)got;
  }
  close(fd);
  (*text)[n] = '\0';
  return AD_OK;
}

ad_status ad_shard_load(ad_shard_file *f, const char *data, ad_error *e) {
  const size_t room = strlen(data) + sizeof AD_SHARD_SUFFIX;
  char *path = ad_malloc(room, 1), *text;
  if (!path) return ad_fail_memory(e);
  snprintf(path, room, "%s%s", data, AD_SHARD_SUFFIX);
  ad_status s = read_text(&text, path, e);
  int end = 0;
  ad_shard_file x = {0};
  if (!s && (sscanf(text,
                    "adtool-shard 2\nshard %" SCNu32 " %" SCNu32 "\nitems %" SCNu64 " %" SCNu64 " %" SCNu64
                    "\nfailed %" SCNu64 "\nfile %" SCNu64 " %" SCNu64 " %" SCNx64 "\nmade-from %" SCNx64
                    "\n%95[^\n]\nkey\n%n",
                    &x.shard.number, &x.shard.of, &x.first, &x.end, &x.total, &x.failed, &x.head, &x.sums.size,
                    &x.sums.checksum, &x.sums.input, x.inputs, &end) != 11 ||
             !end || x.shard.number < 1 || x.shard.number > x.shard.of || x.shard.of > MOST_SHARDS || x.first > x.end ||
             x.end > x.total || x.head > x.sums.size)) {
    s = ad_fail(e, AD_EINPUT, "this is no description of a shard, or it is damaged; run that shard again");
    if (e) snprintf(e->file, sizeof e->file, "%s", path);
    ad_free(text);
  }
  ad_free(path);
  if (s) return s;
  memmove(text, text + end, strlen(text + end) + 1);
  x.key = text;
  *f = x;
  return AD_OK;
}

ad_status ad_shard_verify(const ad_shard_file *f, const char *data, ad_error *e) {
  uint64_t size, checksum;
  ad_status s = ad_output_sum(data, &size, &checksum, e);
  if (s || (size == f->sums.size && checksum == f->sums.checksum)) return s;
  return ad_fail(e, AD_EINPUT, "'%s' is not what its description says (%s); run that shard again", data,
                 size == f->sums.size  ? "other bytes"
                 : size < f->sums.size ? "shorter"
                                       : "longer");
}

const char *ad_shard_key_line(const char *key, const char *name, size_t *length) {
  const size_t n = strlen(name);
  for (const char *p = key; *p;) {
    const size_t line = strcspn(p, "\n");
    if (line > n && !strncmp(p, name, n) && p[n] == ' ') {
      *length = line - n - 1;
      return p + n + 1;
    }
    p += line + (p[line] == '\n');
  }
  return NULL;
}
