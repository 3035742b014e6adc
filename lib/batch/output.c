#include "batch/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/magic.h>
#include <sys/vfs.h>
#endif

#include "batch/checksum.h"
#include "error.h"
#include "io.h"
#include "mem.h"

enum { PIECE = 1 << 18 };

static const char magic[8] = {'A', 'D', 'J', 'N', 'L', '3', '\r', '\n'};

/* A line of the journal; `self` is the checksum of the others with their number. */
typedef struct entry {
  uint64_t rows, failed, size, data, input, self;
} entry;

struct ad_output {
  char *path, *part, *journal_path; /* one allocation */
  int fd, journal;                  /* journal -1: none */
  bool direct;
  size_t head_size;
  uint64_t entries;                    /* where in the journal they start */
  uint64_t chunks, rows, failed, size; /* size: behind the head */
  uint64_t input;                      /* the sum over all chunks */
  bool unknown;                        /* a chunk's input is */
  bool in_memory;                      /* the file system has no disk to wait for */
  uint64_t room, sent;                 /* the file has room up to here, and is on its way to the disk up to there */
};

/* All n bytes at an offset, or fewer at the end of the file; -1 on an error. */
static ssize_t get_at(int fd, void *bytes, size_t n, uint64_t at) {
  size_t have = 0;
  while (have < n) {
    ssize_t got = pread(fd, (char *)bytes + have, n - have, (off_t)(at + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (!got) break;
    have += (size_t)got;
  }
  return (ssize_t)have;
}

static ad_status sum_range(int fd, const char *path, uint64_t at, uint64_t size, uint64_t *checksum, uint64_t *got,
                           ad_error *e) {
  ad_checksum c;
  ad_checksum_start(&c);
  char *piece = ad_malloc(PIECE, 1);
  if (!piece) return ad_fail_memory(e);
  ad_status s = AD_OK;
  *got = 0;
  while (!s && *got < size) {
    ssize_t n = get_at(fd, piece, size - *got < PIECE ? (size_t)(size - *got) : PIECE, at + *got);
    if (n < 0) s = ad_fail_errno(e, "read", path);
    if (n <= 0) break;
    ad_checksum_add(&c, piece, (size_t)n);
    *got += (uint64_t)n;
  }
  ad_free(piece);
  *checksum = ad_checksum_end(&c);
  return s;
}

ad_status ad_output_sum(const char *path, uint64_t *size, uint64_t *checksum, ad_error *e) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ad_fail_errno(e, "open", path);
  ad_status s = sum_range(fd, path, 0, UINT64_MAX, checksum, size, e);
  close(fd);
  return s;
}

static uint64_t self_of(const entry *x, uint64_t number) {
  const uint64_t words[] = {x->rows, x->failed, x->size, x->data, x->input, number};
  return ad_checksum_of(words, sizeof words);
}

/* Whether the journal has this key. */
static bool same_run(const ad_output *o, const char *key) {
  const size_t n = strlen(key);
  uint64_t size = 0;
  char start[sizeof magic + sizeof size], *text = ad_malloc(n + 1, 1);
  bool same = text && get_at(o->journal, start, sizeof start, 0) == (ssize_t)sizeof start;
  if (same) memcpy(&size, start + sizeof magic, sizeof size);
  same = same && !memcmp(start, magic, sizeof magic) && size == n &&
         get_at(o->journal, text, n, sizeof start) == (ssize_t)n && !memcmp(text, key, n);
  ad_free(text);
  return same;
}

static bool get_entry(const ad_output *o, uint64_t i, entry *x) {
  return get_at(o->journal, x, sizeof *x, o->entries + i * sizeof *x) == (ssize_t)sizeof *x && x->self == self_of(x, i);
}

static void count_in(ad_output *o, const entry *x) {
  o->chunks++;
  o->rows += x->rows;
  o->failed += x->failed;
  o->size += x->size;
  o->input += x->input;
  o->unknown = o->unknown || !x->input;
}

/* Goes through an earlier run's journal as far as its lines and the data that they speak of are whole. */
static ad_status read_journal(ad_output *o, ad_error *e) {
  ad_status s = AD_OK;
  for (entry x; !s && get_entry(o, o->chunks, &x);) {
    uint64_t data, got;
    s = sum_range(o->fd, o->part, o->head_size + o->size, x.size, &data, &got, e);
    if (s || got != x.size || data != x.data) break;
    count_in(o, &x);
  }
  return s;
}

static ad_status begin(ad_output *o, const char *key, const void *head, ad_error *e) {
  const uint64_t n = strlen(key);
  if (ftruncate(o->journal, 0) || ftruncate(o->fd, 0) || lseek(o->journal, 0, SEEK_SET) || lseek(o->fd, 0, SEEK_SET) ||
      !ad_write_all(o->fd, head, o->head_size) || !ad_write_all(o->journal, magic, sizeof magic) ||
      !ad_write_all(o->journal, &n, sizeof n) || !ad_write_all(o->journal, key, n))
    return ad_fail_errno(e, "write", o->part);
  return AD_OK;
}

/* Nothing stands behind what was counted in. */
static ad_status end_here(ad_output *o, ad_error *e) {
  const uint64_t end = o->entries + o->chunks * sizeof(entry), data = o->head_size + o->size;
  const bool fine = !ftruncate(o->journal, (off_t)end) && !ftruncate(o->fd, (off_t)data) &&
                    lseek(o->journal, (off_t)end, SEEK_SET) >= 0 && lseek(o->fd, (off_t)data, SEEK_SET) >= 0;
  return fine ? AD_OK : ad_fail_errno(e, "go on with", o->part);
}

static ad_status resume(ad_output *o, ad_error *e) {
  ad_status s = read_journal(o, e);
  return s ? s : end_here(o, e);
}

static ad_status open_direct(ad_output *o, const void *head, ad_error *e) {
  o->direct = true;
  o->fd = ad_io_open_direct(o->path);
  if (o->fd < 0) return ad_fail_errno(e, "open", o->path);
  return ad_write_all(o->fd, head, o->head_size) ? AD_OK : ad_fail_errno(e, "write", o->path);
}

static bool in_memory(int fd) {
#ifdef __linux__
  struct statfs f;
  return !fstatfs(fd, &f) && f.f_type == TMPFS_MAGIC;
#else
  (void)fd;
  return true;
#endif
}

static ad_status open_part(ad_output *o, const char *key, const void *head, mode_t mode, ad_error *e) {
  ad_status s = ad_io_open_own(&o->journal, o->journal_path, e);
  if (s) return s;
  struct stat st;
  if (flock(o->journal, LOCK_EX | LOCK_NB) || fstat(o->journal, &st) || !st.st_nlink) /* 0: it has just finished */
    return ad_fail(e, AD_EIO, "another run is writing '%s'; wait for it, or end it", o->path);
  s = ad_io_open_own(&o->fd, o->part, e);
  if (s && !st.st_size) unlink(o->journal_path);
  if (!s) s = ad_io_set_mode(o->fd, mode, o->part, e);
  if (s) return s;
  o->in_memory = in_memory(o->fd);
  const bool there = key && !fstat(o->fd, &st) && (uint64_t)st.st_size >= o->head_size && same_run(o, key);
  if (!key) key = "";
  o->entries = sizeof magic + sizeof(uint64_t) + strlen(key);
  return there ? resume(o, e) : begin(o, key, head, e);
}

#ifdef __linux__
static const uint64_t least_ahead = 1 << 22, most_ahead = 1 << 26;

/* As much again as there is, but only a small part of what is free: others write there as well. */
static void take_room(ad_output *o, uint64_t end) {
  const uint64_t more = end < most_ahead ? end : most_ahead;
  struct statfs f;
  o->room = end + more;
  if (fstatfs(o->fd, &f) || f.f_bavail / 16 < more / (uint64_t)f.f_bsize) return;
  if (fallocate(o->fd, FALLOC_FL_KEEP_SIZE, (off_t)end, (off_t)more) && !ftruncate(o->fd, (off_t)end))
    o->room = UINT64_MAX; /* a file system that can't */
}
#endif

/* Room in large pieces makes writing cheaper, and what is on its way to the disk early need not be waited for at the
 * end.  Where this can't be had, nothing is lost but time. */
static void look_ahead(ad_output *o) {
#ifdef __linux__
  const uint64_t end = o->head_size + o->size;
  if (o->in_memory || end < least_ahead) return;
  if (end + least_ahead / 2 > o->room) take_room(o, end);
  if (end - o->sent >= least_ahead) {
    sync_file_range(o->fd, (off_t)o->sent, (off_t)(end - o->sent), SYNC_FILE_RANGE_WRITE);
    o->sent = end;
  }
#else
  (void)o;
#endif
}

static void close_all(ad_output *o) {
  ad_io_close(o->fd);
  if (o->journal >= 0) close(o->journal);
  ad_free(o->path);
  ad_free(o);
}

ad_status ad_output_open(ad_output **out, const char *path, const char *key, const void *head, size_t head_size,
                         ad_error *e) {
  const size_t room = strlen(path) + 16;
  ad_output *o = ad_calloc(1, sizeof *o);
  if (o) o->path = ad_calloc(3, room);
  if (!o || !o->path) {
    ad_free(o);
    return ad_fail_memory(e);
  }
  o->fd = o->journal = -1;
  o->head_size = head_size;
  o->part = o->path + room;
  o->journal_path = o->part + room;
  snprintf(o->path, room, "%s", path);
  snprintf(o->part, room, "%s.part", path);
  snprintf(o->journal_path, room, "%s.journal", path);
  mode_t mode;
  ad_status s = ad_io_replaces(path, &mode) ? open_part(o, key, head, mode, e) : open_direct(o, head, e);
  if (s) {
    close_all(o);
    return s;
  }
  *out = o;
  return AD_OK;
}

uint64_t ad_output_chunks(const ad_output *o) {
  return o->chunks;
}

uint64_t ad_output_rows(const ad_output *o) {
  return o->rows;
}

uint64_t ad_output_failed(const ad_output *o) {
  return o->failed;
}

ad_status ad_output_chunk(const ad_output *o, uint64_t i, ad_piece *p, ad_error *e) {
  entry x;
  if (!get_entry(o, i, &x)) return ad_fail(e, AD_EIO, "'%s' changed while it was read", o->journal_path);
  *p = (ad_piece){.size = x.size, .checksum = x.data, .input = x.input, .rows = x.rows, .failed = x.failed};
  return AD_OK;
}

ad_status ad_output_cut(ad_output *o, uint64_t chunks, ad_error *e) {
  o->chunks = o->rows = o->failed = o->size = o->input = 0;
  o->unknown = false;
  for (entry x; o->chunks < chunks && get_entry(o, o->chunks, &x);) count_in(o, &x);
  return end_here(o, e);
}

bool ad_output_can_patch(const ad_output *o) {
  return !o->direct;
}

ad_status ad_output_write(ad_output *o, const ad_piece *p, ad_error *e) {
  if (!ad_write_all(o->fd, p->bytes, p->size))
    return ad_fail_errno(e, "write", o->direct ? strcmp(o->path, "-") ? o->path : "standard output" : o->part);
  entry x = {.rows = p->rows, .failed = p->failed, .size = p->size, .data = p->checksum, .input = p->input};
  x.self = self_of(&x, o->chunks);
  if (!o->direct && !ad_write_all(o->journal, &x, sizeof x)) return ad_fail_errno(e, "write", o->journal_path);
  count_in(o, &x);
  if (!o->direct) look_ahead(o);
  return AD_OK;
}

ad_status ad_output_read(ad_output *o, uint64_t at, void *bytes, size_t size, ad_error *e) {
  ssize_t got = get_at(o->fd, bytes, size, o->head_size + at);
  if (got < 0) return ad_fail_errno(e, "read", o->part);
  return (size_t)got == size ? AD_OK : ad_fail(e, AD_EIO, "'%s' became shorter while it was written", o->part);
}

static ad_status settle(ad_output *o, const void *head, ad_output_sums *sums, ad_error *e) {
  if (head && pwrite(o->fd, head, o->head_size, 0) != (ssize_t)o->head_size) return ad_fail_errno(e, "write", o->part);
  if (o->room && ftruncate(o->fd, (off_t)(o->head_size + o->size))) return ad_fail_errno(e, "write", o->part);
  ad_status s = AD_OK;
  if (sums) s = sum_range(o->fd, o->part, 0, UINT64_MAX, &sums->checksum, &sums->size, e);
  if (sums) sums->input = o->unknown ? 0 : o->input;
  if (!s && fsync(o->fd)) s = ad_fail_errno(e, "write", o->part);
  if (!s && rename(o->part, o->path)) s = ad_fail_errno(e, "replace", o->path);
  if (s) return s;
  ad_io_sync_folder(o->path);
  unlink(o->journal_path);
  return AD_OK;
}

ad_status ad_output_finish(ad_output *o, const void *head, ad_output_sums *sums, ad_error *e) {
  ad_status s = o->direct ? AD_OK : settle(o, head, sums, e);
  close_all(o);
  return s;
}

void ad_output_leave(ad_output *o, bool keep) {
  if (!o) return;
  if (!o->direct && !keep) {
    unlink(o->part);
    unlink(o->journal_path);
  }
  close_all(o);
}
