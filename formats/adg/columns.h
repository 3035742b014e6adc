/* The numbers that the columns' reader and writer share. */
#ifndef AD_ADG_COLUMNS_H
#define AD_ADG_COLUMNS_H

enum { ADG_OPERATION_SET = 1 };

/* NUMB: one varint a number. */
enum { ADG_NUMBER_DOUBLE = 0, ADG_NUMBER_TEXT = 1, ADG_NUMBER_INTEGER = 2 };
#define ADG_LARGEST_INTEGER 1099511627776.0 /* 2^40 */

/* INPT and CNST: the dtype in the two lowest bits, and these. */
enum { ADG_DTYPE = 3, ADG_HAS_VALUE = 4, ADG_FILL = 8, ADG_FIXED = 16 };

#endif
