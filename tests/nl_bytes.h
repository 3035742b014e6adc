/* Small .nl files in any form, from one list of tokens. */
#ifndef NL_BYTES_H
#define NL_BYTES_H

#include "mem.h"

typedef enum nl_form { NL_TEXT, NL_LITTLE, NL_BIG } nl_form;

/* Tokens stand between blanks: C O V J ... a key; #5 an integer; =2.5 a real; ~5 a short; '0 a kind of bound; $w a
 * word. The first ten are the header's: sizes of lines 2, 3, 5, 8 (of the Jacobian) and 10. */
typedef struct nl_header {
  int variables, constraints, objectives, nonlinear_variables, nonzeros, defined;
} nl_header;

void nl_bytes(ad_buffer *out, nl_form form, const nl_header *h, const char *tokens);

#endif
