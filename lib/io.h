/* What the operating system does in pieces, whole, and files that are written. */
#ifndef AD_IO_H
#define AD_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "adtool.h"

/* Writes all bytes; false with errno when that fails. */
bool ad_write_all(int fd, const void *bytes, size_t n);

/* Whether a new file takes the place of what is at `path`, in one step; a symbolic link is replaced itself, and what it
 * leads to stays.  Else it is written to as it is: "-", a pipe, a device, or a link like /dev/stdout to what this
 * process writes to anyway.  mode: that of the old file, which the new one is to have, or AD_NO_MODE; may be NULL. */
#define AD_NO_MODE ((mode_t)-1)
bool ad_io_replaces(const char *path, mode_t *mode);
/* Opens what is written to as it is; -1 with errno.  ad_io_close leaves the process's own streams open. */
int ad_io_open_direct(const char *path);
int ad_io_close(int fd);
/* Nothing to do for AD_NO_MODE. */
ad_status ad_io_set_mode(int fd, mode_t mode, const char *path, ad_error *e);
/* Makes a new file beside `path` under a name that nobody has.  *name is freed with ad_free. */
ad_status ad_io_temporary(int *fd, char **name, const char *path, mode_t mode, ad_error *e);
/* Opens for reading and writing a file with a name that is known beforehand, or makes it: a regular file of this user
 * that has one name and is no link, so that nobody can lay another file in its place. */
ad_status ad_io_open_own(int *fd, const char *path, ad_error *e);
/* Makes sure that the folder of a path has its new name on the disk, where the file system can do it. */
void ad_io_sync_folder(const char *path);

#endif
