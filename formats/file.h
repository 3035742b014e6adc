/* Whole files in and out. */
#ifndef AD_FILE_H
#define AD_FILE_H

#include "adtool.h"

/* Reads a file, or standard input for "-".  *bytes ends with a zero byte behind *size; freed with ad_free.  A file of
 * more than `most` bytes is AD_ELIMIT, and so is a pipe or device, which may never end, of more than AD_STREAM_SHARE of
 * that. */
enum { AD_STREAM_SHARE = 16 };
ad_status ad_file_read(void **bytes, size_t *size, const char *path, uint64_t most, ad_error *e);

/* Replaces a file as one step: temporary in the same folder, fsync, rename, fsync of the folder; the old one's mode is
 * kept, and the old file stays as it was when anything fails.  What is no file to be replaced (ad_io_replaces: "-", a
 * pipe, a device) is written to directly. */
ad_status ad_file_write(const char *path, const void *bytes, size_t size, ad_error *e);

/* Companions, which lie beside a file under a name that follows from its name: only regular files count, as nobody has
 * named them.  *bytes is NULL where there is none; */
ad_status ad_file_read_companion(void **bytes, size_t *size, const char *path, uint64_t most, ad_error *e);
/* and bytes is NULL where there shall be none. */
ad_status ad_file_write_companion(const char *path, const void *bytes, size_t size, ad_error *e);

#endif
