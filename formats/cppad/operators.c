#include "cppad/operators.h"

#include <string.h>

const ad_cppad_operator ad_cppad_operators[] = {
#define OPERATOR(name, arguments, form, op) {name, arguments, AD_CPPAD_##form, AD_OP_##op},
#include "cppad/operators.def"
};
const size_t ad_cppad_operator_count = sizeof ad_cppad_operators / sizeof ad_cppad_operators[0];

const ad_cppad_operator *ad_cppad_find(const char *name, size_t length) {
  for (size_t i = 0; i < ad_cppad_operator_count; i++)
    if (strlen(ad_cppad_operators[i].name) == length && !memcmp(ad_cppad_operators[i].name, name, length))
      return &ad_cppad_operators[i];
  return NULL;
}

const ad_cppad_operator *ad_cppad_find_op(ad_cppad_form form, ad_op op) {
  for (size_t i = 0; i < ad_cppad_operator_count; i++)
    if (ad_cppad_operators[i].form == form && ad_cppad_operators[i].op == op) return &ad_cppad_operators[i];
  return NULL;
}
