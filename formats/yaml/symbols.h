/* Every distinct name and number text of a file, once, with what the reader knows about it. */
#ifndef AD_YAML_SYMBOLS_H
#define AD_YAML_SYMBOLS_H

#include "adtool.h"

#define AD_NOTHING UINT32_MAX /* no definition, no dim */

enum { AD_SHORT_TEXT = 32 };

/* One cache line: most of the time of reading a large file is waiting for these. */
typedef struct ad_symbol {
  uint32_t length;
  union {
    char here[AD_SHORT_TEXT]; /* a text of fewer bytes */
    uint32_t there;           /* in the table's pool */
  } text;                     /* ends with a zero */
  uint32_t key_of[2];         /* the last map at depth 1 and 2 that has it as a key */
  uint32_t def, dim;          /* positions in the reader's lists */
  ad_node node;               /* of that definition, once it is made */
  ad_node literal;            /* the constant that stands for it inside expressions */
  ad_op op;                   /* the operation of that name; AD_NO_OP: none; 0: not looked up yet */
} ad_symbol;

typedef struct ad_symbols {
  ad_symbol *symbol; /* symbol[0] is none */
  size_t count, capacity;
  char *text;
  size_t text_size, text_capacity;
  struct ad_symbol_slot {
    uint32_t hash, id; /* id 0: free */
  } * slot;
  size_t slots; /* a power of two */
  uint64_t seed;
} ad_symbols;

void ad_symbols_clear(ad_symbols *t);
/* The symbol of a text, which must not be one of the table's own; 0 when memory runs out. */
uint32_t ad_symbols_intern(ad_symbols *t, const char *text, size_t length);

/* Asks the memory for what a later search for the text will look at: its slot or, a little later, the symbol. */
void ad_symbols_ask_slot(const ad_symbols *t, const char *text, size_t length);
void ad_symbols_ask_symbol(const ad_symbols *t, const char *text, size_t length);

/* Until the next text is interned. */
static inline const char *ad_symbol_text(const ad_symbols *t, uint32_t id) {
  const ad_symbol *s = &t->symbol[id];
  return s->length < AD_SHORT_TEXT ? s->text.here : t->text + s->text.there;
}

#endif
