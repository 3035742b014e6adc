/* The outer shell of .adg: header, section table, checksums, codecs. */
#ifndef AD_ADG_CONTAINER_H
#define AD_ADG_CONTAINER_H

#include "adtool.h"
#include "mem.h"

/* The sections of a graph, in the order in which they stand; each is there, though it may be empty. */
typedef enum ad_adg_tag {
  ADG_META, /* name, kinks, free text */
  ADG_OPTB, /* operations in use: name and arguments */
  ADG_INPT, /* inputs */
  ADG_NODE, /* one byte a node: place in OPTB */
  ADG_ARGA, /* distances back to first arguments */
  ADG_ARGB, /* distances back to further arguments */
  ADG_ATTR, /* attributes */
  ADG_CNST, /* types and shapes of constants */
  ADG_NUMB, /* numbers: small integers, or where to look */
  ADG_DBLS, /* doubles, byte by byte */
  ADG_TEXT, /* exact texts */
  ADG_NAME, /* names of nodes */
  ADG_OUTP, /* outputs */
  ADG_TAGS
} ad_adg_tag;

typedef struct ad_adg_section {
  const unsigned char *raw; /* borrows from the file, or from `owned` */
  size_t size;
  size_t offset; /* in the file */
  void *owned;
} ad_adg_section;

/* A section that this program does not know but keeps: its tag starts with a lower-case letter. */
typedef struct ad_adg_extra {
  char tag[5];
  ad_adg_section section;
} ad_adg_extra;

typedef struct ad_adg_file {
  ad_adg_section section[ADG_TAGS];
  size_t extra_count;
  ad_adg_extra *extra;
} ad_adg_file;

/* Checks everything that can be checked without knowing what the sections mean, and inflates them; AD_ELIMIT before
 * that when reading the graph would take more than `most` bytes. */
ad_status ad_adg_open(ad_adg_file *f, const void *bytes, size_t size, uint64_t most, ad_error *e);
void ad_adg_close(ad_adg_file *f);

/* Puts the sections together; compresses those that get smaller by it unless `stored`. */
ad_status ad_adg_assemble(ad_buffer *out, const ad_adg_file *f, bool stored, ad_error *e);

/* An error at a byte of the file. */
ad_status ad_adg_fail(ad_error *e, size_t offset, const char *format, ...) AD_PRINTF(3, 4);

#endif
