#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "mem.h"

enum { PIECE = 1 << 18 };

ad_status ad_stream_open(ad_stream *s, const char *path, ad_error *e) {
  const bool input = !strcmp(path, "-");
  struct stat st;
  *s = (ad_stream){.path = path, .name = input ? "standard input" : path};
  s->fd = input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
  if (s->fd < 0) return ad_fail_errno(e, "open", path);
  if (!fstat(s->fd, &st) && S_ISDIR(st.st_mode)) {
    ad_stream_close(s);
    errno = EISDIR;
    return ad_fail_errno(e, "read", path);
  }
  s->regular = !input && !fstat(s->fd, &st) && S_ISREG(st.st_mode);
  if (s->regular) s->size = (uint64_t)st.st_size;
  return AD_OK;
}

void ad_stream_close(ad_stream *s) {
  if (s->fd > STDIN_FILENO) close(s->fd);
  ad_free(s->data);
  *s = (ad_stream){.fd = -1};
}

static ad_status get(ad_stream *s, void *bytes, size_t n, size_t *got, ad_error *e) {
  for (;;) {
    ssize_t r = read(s->fd, bytes, n);
    if (r < 0 && errno == EINTR) continue;
    if (r < 0) return ad_fail_errno(e, "read", s->name);
    *got = (size_t)r;
    s->ended = !r;
    return AD_OK;
  }
}

ad_status ad_stream_ahead(ad_stream *s, size_t want, ad_error *e) {
  if (s->end - s->begin >= want || s->ended) return AD_OK;
  if (s->begin) {
    memmove(s->data, s->data + s->begin, s->end - s->begin);
    s->end -= s->begin;
    s->begin = 0;
  }
  const size_t room = want > PIECE ? want : PIECE;
  if (!ad_reserve(&s->data, &s->capacity, room, 1)) return ad_fail_memory(e);
  while (s->end < want && !s->ended) {
    size_t got = 0;
    ad_status status = get(s, s->data + s->end, s->capacity - s->end, &got, e);
    if (status) return status;
    s->end += got;
  }
  return AD_OK;
}

void ad_stream_pass(ad_stream *s, size_t n) {
  s->begin += n;
  s->at += n;
}

ad_status ad_stream_read(ad_stream *s, void *bytes, uint64_t n, uint64_t *got, ad_error *e) {
  *got = 0;
  while (*got < n) {
    if (s->begin == s->end) {
      ad_status status = ad_stream_ahead(s, 1, e);
      if (status) return status;
      if (s->begin == s->end) break;
    }
    const size_t have = s->end - s->begin, part = n - *got < have ? (size_t)(n - *got) : have;
    if (bytes) memcpy((char *)bytes + *got, s->data + s->begin, part);
    ad_stream_pass(s, part);
    *got += part;
  }
  return AD_OK;
}

ad_status ad_stream_read_at(const ad_stream *s, uint64_t at, void *bytes, size_t n, ad_error *e) {
  for (size_t have = 0; have < n;) {
    ssize_t r = pread(s->fd, (char *)bytes + have, n - have, (off_t)(at + have));
    if (r < 0 && errno == EINTR) continue;
    if (r < 0) return ad_fail_errno(e, "read", s->name);
    if (!r) return ad_stream_bad(s, at + have, e, "the file became shorter while it was read");
    have += (size_t)r;
  }
  return AD_OK;
}

ad_status ad_stream_bad(const ad_stream *s, uint64_t offset, ad_error *e, const char *format, ...) {
  char message[sizeof e->message];
  va_list ap;
  va_start(ap, format);
  vsnprintf(message, sizeof message, format, ap);
  va_end(ap);
  ad_status status = ad_fail(e, AD_EINPUT, "%s", message);
  if (e) {
    snprintf(e->file, sizeof e->file, "%s", s->name);
    e->offset = (int64_t)offset;
  }
  return status;
}
