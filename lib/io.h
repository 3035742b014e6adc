/* What the operating system does in pieces, whole. */
#ifndef AD_IO_H
#define AD_IO_H

#include <stdbool.h>
#include <stddef.h>

/* Writes all bytes; false with errno when that fails. */
bool ad_write_all(int fd, const void *bytes, size_t n);

#endif
