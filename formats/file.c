#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "io.h"
#include "mem.h"

static ad_status too_long(const char *path, uint64_t most, ad_error *e) {
  return ad_fail(e, AD_ELIMIT, "%s has more than %.4g MiB; if that is right, raise --max-memory",
                 strcmp(path, "-") ? path : "standard input", (double)most / 0x1p20);
}

static ad_status read_all(void **bytes, size_t *size, int fd, const char *path, uint64_t most, ad_error *e) {
  struct stat st;
  char *data = NULL;
  size_t n = 0, capacity = 0;
  ad_status s = AD_OK;
  if (!fstat(fd, &st)) {
    if (!S_ISREG(st.st_mode)) most /= AD_STREAM_SHARE;
    if (S_ISREG(st.st_mode) && st.st_size > 0 && (uint64_t)st.st_size > most) s = too_long(path, most, e);
    if (S_ISDIR(st.st_mode)) errno = EISDIR, s = ad_fail_errno(e, "read", path);
    if (!s && S_ISREG(st.st_mode) && st.st_size > 0 && !ad_reserve(&data, &capacity, (size_t)st.st_size + 2, 1))
      s = ad_fail_memory(e);
  }
  while (!s) {
    if (capacity - n < 2 && !ad_reserve(&data, &capacity, n + 65536, 1)) { /* room to see that this is the end */
      s = ad_fail_memory(e);
      break;
    }
    ssize_t got = read(fd, data + n, capacity - n - 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) s = ad_fail_errno(e, "read", path);
    if (got <= 0) break;
    n += (size_t)got;
    if (n > most) s = too_long(path, most, e);
  }
  if (s) {
    ad_free(data);
    return s;
  }
  data[n] = '\0';
  *bytes = data;
  *size = n;
  return AD_OK;
}

ad_status ad_file_read(void **bytes, size_t *size, const char *path, uint64_t most, ad_error *e) {
  bool input = !strcmp(path, "-");
  int fd = input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ad_fail_errno(e, "open", path);
  ad_status s = read_all(bytes, size, fd, path, most, e);
  if (!input) close(fd);
  return s;
}

ad_status ad_file_read_companion(void **bytes, size_t *size, const char *path, uint64_t most, ad_error *e) {
  struct stat st;
  *bytes = NULL;
  *size = 0;
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a pipe must not be waited for */
  if (fd < 0) return errno == ENOENT ? AD_OK : ad_fail_errno(e, "open", path);
  ad_status s = fstat(fd, &st) ? ad_fail_errno(e, "read", path) : AD_OK;
  if (!s && S_ISREG(st.st_mode)) s = read_all(bytes, size, fd, path, most, e);
  close(fd);
  return s;
}

static ad_status replace(const char *path, const void *bytes, size_t size, mode_t mode, ad_error *e) {
  int fd;
  char *temporary;
  ad_status s = ad_io_temporary(&fd, &temporary, path, mode, e);
  if (s) return s;
  if (!ad_write_all(fd, bytes, size) || fsync(fd)) s = ad_fail_errno(e, "write", path);
  if (close(fd) && !s) s = ad_fail_errno(e, "write", path);
  if (!s && rename(temporary, path)) s = ad_fail_errno(e, "replace", path);
  if (s)
    unlink(temporary);
  else
    ad_io_sync_folder(path);
  ad_free(temporary);
  return s;
}

ad_status ad_file_write(const char *path, const void *bytes, size_t size, ad_error *e) {
  mode_t mode;
  if (ad_io_replaces(path, &mode)) return replace(path, bytes, size, mode, e);
  const int fd = ad_io_open_direct(path);
  if (fd < 0) return ad_fail_errno(e, "open", path);
  ad_status s =
      ad_write_all(fd, bytes, size) ? AD_OK : ad_fail_errno(e, "write", strcmp(path, "-") ? path : "standard output");
  if (ad_io_close(fd) && !s) s = ad_fail_errno(e, "write", path);
  return s;
}

ad_status ad_file_write_companion(const char *path, const void *bytes, size_t size, ad_error *e) {
  struct stat st;
  const bool there = !stat(path, &st);
  if (bytes && there && !S_ISREG(st.st_mode)) return ad_fail(e, AD_EIO, "'%s' is in the way: it is no file", path);
  if (bytes) return ad_file_write(path, bytes, size, e);
  return there && S_ISREG(st.st_mode) && unlink(path) ? ad_fail_errno(e, "remove", path) : AD_OK;
}
