/* Convolutions and pooling.  The windows of an image are gathered by a table: image [N, C, pixels] and one more pixel
 * for all that lies outside, to [N, C, window, place].  Then a convolution is a matrix product, and pooling a
 * reduction. */
#include <math.h>
#include <string.h>

#include "onnx/operators.h"
#include "onnx/reductions.h"
#include "onnx/selection.h"

enum { MOST = AD_MAX_RANK - 2 };

typedef struct windows {
  int axes;
  int64_t size[MOST], kernel[MOST], stride[MOST], dilation[MOST], before[MOST], after[MOST], out[MOST];
  int64_t pixels, window, places; /* products of size, kernel, out */
} windows;

static bool product(int64_t *p, const int64_t *v, int count) {
  *p = 1;
  for (int i = 0; i < count; i++)
    if (__builtin_mul_overflow(*p, v[i], p)) return false;
  return true;
}

/* What the window spans. */
static int64_t extent(const windows *w, int i) {
  return w->dilation[i] * (w->kernel[i] - 1) + 1;
}

/* Of an image of this size.  kernel: NULL for the attribute kernel_shape. */
static void read_windows_of(ad_onnx_build *b, const ad_onnx_call *c, windows *w, int axes, const int64_t *size,
                            const int64_t *kernel) {
  int64_t pads[2 * MOST];
  *w = (windows){.axes = axes};
  if (b->status) return;
  if (!kernel && !ad_onnx_has(c, "kernel_shape")) ad_onnx_fail(b, "the attribute 'kernel_shape' is missing");
  ad_onnx_list(b, c, "kernel_shape", w->kernel, w->axes, 1);
  ad_onnx_list(b, c, "strides", w->stride, w->axes, 1);
  ad_onnx_list(b, c, "dilations", w->dilation, w->axes, 1);
  ad_onnx_list(b, c, "pads", pads, 2 * w->axes, 0);
  for (int i = 0; i < w->axes && !b->status; i++) {
    w->size[i] = size[i];
    w->before[i] = pads[i];
    w->after[i] = pads[i + w->axes];
    if (kernel && ad_onnx_has(c, "kernel_shape") && w->kernel[i] != kernel[i])
      ad_onnx_fail(b, "kernel_shape differs from the shape of the weights");
    if (kernel) w->kernel[i] = kernel[i];
    if (w->kernel[i] < 1 || w->kernel[i] > INT64_C(1) << 30) ad_onnx_fail(b, "the size of the kernel is out of range");
  }
}

/* Of the first operand. */
static void read_windows(ad_onnx_build *b, const ad_onnx_call *c, windows *w, const int64_t *kernel) {
  const ad_shape *x = &c->in[0].shape;
  *w = (windows){0};
  ad_onnx_need_rank(b, c, 0, 3);
  if (!b->status) read_windows_of(b, c, w, x->rank - 2, x->dim + 2, kernel);
}

static void finish(ad_onnx_build *b, windows *w) {
  if (!b->status && (!product(&w->pixels, w->size, w->axes) || !product(&w->window, w->kernel, w->axes) ||
                     !product(&w->places, w->out, w->axes)))
    ad_onnx_fail(b, "the windows are too large");
}

/* The sizes of the result. */
static void place_windows(ad_onnx_build *b, const ad_onnx_call *c, windows *w) {
  const char *automatic = ad_onnx_word(b, c, "auto_pad", "NOTSET");
  const bool upper = !strcmp(automatic, "SAME_UPPER"), lower = !strcmp(automatic, "SAME_LOWER");
  const bool ceiling = ad_onnx_int(b, c, "ceil_mode", 0) != 0;
  for (int i = 0; i < w->axes && !b->status; i++) {
    if (!strcmp(automatic, "VALID")) w->before[i] = w->after[i] = 0;
    if (upper || lower) {
      w->out[i] = (w->size[i] + w->stride[i] - 1) / w->stride[i];
      int64_t more = (w->out[i] - 1) * w->stride[i] + extent(w, i) - w->size[i];
      if (more < 0 || !w->out[i]) more = 0;
      w->before[i] = upper ? more / 2 : more - more / 2;
      w->after[i] = more - w->before[i];
      continue;
    }
    const int64_t room = w->size[i] + w->before[i] + w->after[i] - extent(w, i);
    if (room < 0) {
      ad_onnx_fail(b, "the window of axis %d is larger than the padded image", i + 2);
      return;
    }
    w->out[i] = room / w->stride[i] + 1;
    if (ceiling && room % w->stride[i] && w->out[i] * w->stride[i] < w->size[i] + w->before[i]) w->out[i]++;
  }
  finish(b, w);
}

/* Where position k of the window at place o lies: the pixel, or -1 outside; *padded: whether it lies in the padding. */
static int64_t pixel(const windows *w, int64_t k, int64_t o, bool *padded) {
  int64_t index[2][MOST], at = 0;
  bool inside = true;
  *padded = true;
  for (int i = w->axes; i-- > 0; k /= w->kernel[i], o /= w->out[i])
    index[0][i] = k % w->kernel[i], index[1][i] = o % w->out[i];
  for (int i = 0; i < w->axes; i++) {
    const int64_t x = index[1][i] * w->stride[i] + index[0][i] * w->dilation[i] - w->before[i];
    inside = inside && x >= 0 && x < w->size[i];
    *padded = *padded && x < w->size[i] + w->after[i];
    at = at * w->size[i] + x;
  }
  return inside ? at : -1;
}

/* The table [window, place] of pixels; w->pixels stands for the outside; *any: there is such. */
static int64_t *table_of(ad_onnx_build *b, const windows *w, bool *any) {
  int64_t count = 0;
  bool padded;
  *any = false;
  if (!b->status && __builtin_mul_overflow(w->window, w->places, &count)) ad_onnx_fail(b, "the windows are too large");
  int64_t *t = b->status ? NULL : ad_onnx_room(b, (uint64_t)count + 1, sizeof *t);
  for (int64_t k = 0, at = 0; t && k < w->window; k++)
    for (int64_t o = 0; o < w->places; o++, at++) {
      t[at] = pixel(w, k, o, &padded);
      if (t[at] < 0) t[at] = w->pixels, *any = true;
    }
  return t;
}

/* [N, C, window, place] of an image. */
static ad_onnx_value gather_windows(ad_onnx_build *b, const windows *w, ad_onnx_value x, double outside) {
  bool any;
  if (b->status) return x;
  const int64_t n = x.shape.dim[0], channels = x.shape.dim[1];
  x = ad_onnx_reshape(b, x, &(ad_shape){3, {n, channels, w->pixels}});
  const int64_t *t = table_of(b, w, &any);
  if (!t) return x;
  bool same = w->window == 1 && w->places == w->pixels;
  for (int64_t i = 0; same && i < w->pixels; i++) same = t[i] == i;
  if (same) return ad_onnx_reshape(b, x, &(ad_shape){4, {n, channels, 1, w->pixels}});
  if (any) {
    const ad_onnx_value parts[] = {x, ad_onnx_full(b, x.type, &(ad_shape){3, {n, channels, 1}}, outside)};
    x = ad_onnx_concat(b, 2, parts, 2);
  }
  return ad_onnx_gather(b, x, 2, &(ad_shape){2, {w->window, w->places}}, t);
}

/* [N, C, places] as an image again. */
static ad_onnx_value as_image(ad_onnx_build *b, const windows *w, ad_onnx_value x) {
  if (b->status) return x;
  ad_shape shape = {w->axes + 2, {x.shape.dim[0], x.shape.dim[1]}};
  memcpy(shape.dim + 2, w->out, (size_t)w->axes * sizeof w->out[0]);
  return ad_onnx_reshape(b, x, &shape);
}

/* x plus one number a channel. */
static ad_onnx_value add_bias(ad_onnx_build *b, const ad_onnx_call *c, ad_onnx_value x) {
  ad_shape shape = {.rank = x.shape.rank - 1};
  if (b->status || !ad_onnx_given(c, 2)) return x;
  for (int i = 0; i < shape.rank; i++) shape.dim[i] = i ? 1 : x.shape.dim[1];
  return ad_onnx_binary(b, AD_OP_ADD, x, ad_onnx_reshape(b, c->in[2], &shape));
}

/* ---- Convolution */

static int64_t groups_of(ad_onnx_build *b, const ad_onnx_call *c) {
  const int64_t n = ad_onnx_int(b, c, "group", 1);
  const ad_shape *x = &c->in[0].shape, *w = &c->in[1].shape;
  ad_onnx_need_rank(b, c, 0, 3);
  if (!b->status && x->rank != w->rank) ad_onnx_fail(b, "the weights have another rank than the image");
  if (!b->status && (n < 1 || n > x->dim[1] || x->dim[1] % n)) ad_onnx_fail(b, "%lld groups don't fit", (long long)n);
  return b->status ? 1 : n;
}

void ad_onnx_lower_conv(ad_onnx_build *b, ad_onnx_call *c) {
  windows w;
  const int64_t g = groups_of(b, c);
  const ad_shape *x = &c->in[0].shape, *k = &c->in[1].shape;
  if (!b->status && (k->dim[1] != x->dim[1] / g || k->dim[0] % g))
    ad_onnx_fail(b, "the weights don't fit the channels of the image");
  read_windows(b, c, &w, k->dim + 2);
  place_windows(b, c, &w);
  ad_onnx_value y = gather_windows(b, &w, c->in[0], 0);
  if (b->status) return;
  const int64_t n = x->dim[0], in = k->dim[1] * w.window, out = k->dim[0] / g;
  const bool one = g == 1; /* without the axis of groups */
  y = ad_onnx_reshape(b, y, one ? &(ad_shape){3, {n, in, w.places}} : &(ad_shape){4, {n, g, in, w.places}});
  ad_onnx_value f = ad_onnx_reshape(b, c->in[1], one ? &(ad_shape){2, {out, in}} : &(ad_shape){3, {g, out, in}});
  y = ad_onnx_reshape(b, ad_onnx_matmul(b, f, y), &(ad_shape){3, {n, g * out, w.places}});
  c->out[0] = add_bias(b, c, as_image(b, &w, y));
}

/* The transpose of a convolution from an image of size `out` to one of size `size`: its windows are read with the two
 * exchanged. */
static void place_transposed(ad_onnx_build *b, const ad_onnx_call *c, windows *w) {
  const char *automatic = ad_onnx_word(b, c, "auto_pad", "NOTSET");
  const bool upper = !strcmp(automatic, "SAME_UPPER"), same = upper || !strcmp(automatic, "SAME_LOWER");
  int64_t more[MOST], want[MOST];
  ad_onnx_list(b, c, "output_padding", more, w->axes, 0);
  const bool said = ad_onnx_has(c, "output_shape");
  ad_onnx_list(b, c, "output_shape", want, w->axes, 0);
  for (int i = 0; i < w->axes && !b->status; i++) {
    const int64_t full = w->stride[i] * (w->size[i] - 1) + more[i] + extent(w, i);
    if (!strcmp(automatic, "VALID")) w->before[i] = w->after[i] = 0;
    if (said || same) {
      const int64_t target = said ? want[i] : w->size[i] * w->stride[i], cut = full > target ? full - target : 0;
      w->before[i] = upper ? cut / 2 : cut - cut / 2;
      w->after[i] = cut - w->before[i];
      more[i] += full < target ? target - full : 0;
    }
    w->out[i] = w->size[i];
    w->size[i] = w->stride[i] * (w->out[i] - 1) + more[i] + extent(w, i) - w->before[i] - w->after[i];
    if (w->size[i] < 0 || !w->out[i]) ad_onnx_fail(b, "axis %d of the result would have a negative size", i + 2);
  }
  finish(b, w);
}

/* Adds up windows [N, C, window, place] where they lie in the image. */
static ad_onnx_value scatter_windows(ad_onnx_build *b, windows *w, ad_onnx_value y) {
  bool any;
  const int64_t *t = table_of(b, w, &any);
  if (!t || b->status) return y;
  const ad_shape image = {3, {y.shape.dim[0], y.shape.dim[1], w->pixels + 1}};
  const ad_onnx_value zero = ad_onnx_full(b, y.type, &image, 0);
  y = ad_onnx_scatter_add(b, zero, y, 2, &(ad_shape){2, {w->window, w->places}}, t);
  y = ad_onnx_part(b, y, 2, 0, w->pixels);
  memcpy(w->out, w->size, sizeof w->out);
  return as_image(b, w, y);
}

void ad_onnx_lower_conv_transpose(ad_onnx_build *b, ad_onnx_call *c) {
  static const int64_t swap[] = {0, 2, 1};
  windows w;
  const int64_t g = groups_of(b, c);
  const ad_shape *x = &c->in[0].shape, *k = &c->in[1].shape;
  if (!b->status && k->dim[0] != x->dim[1]) ad_onnx_fail(b, "the weights don't fit the channels of the image");
  read_windows(b, c, &w, k->dim + 2);
  place_transposed(b, c, &w);
  if (b->status) return;
  const int64_t n = x->dim[0], in = x->dim[1] / g, out = k->dim[1];
  ad_onnx_value f = ad_onnx_reshape(b, c->in[1], &(ad_shape){3, {g, in, out * w.window}});
  ad_onnx_value y = ad_onnx_reshape(b, c->in[0], &(ad_shape){4, {n, g, in, w.places}});
  y = ad_onnx_matmul(b, ad_onnx_transpose(b, f, swap), y); /* [n, g, out * window, places] */
  y = ad_onnx_reshape(b, y, &(ad_shape){4, {n, g * out, w.window, w.places}});
  c->out[0] = add_bias(b, c, scatter_windows(b, &w, y));
}

/* Blocks [N, C * block, place], added up to an image. */
void ad_onnx_lower_col2im(ad_onnx_build *b, ad_onnx_call *c) {
  windows w = {0};
  int64_t axes, same;
  const int64_t *size = ad_onnx_operand_ints(b, c, 1, "the shape of the image", &axes);
  const int64_t *block = ad_onnx_operand_ints(b, c, 2, "the shape of a block", &same);
  const ad_shape *x = &c->in[0].shape;
  ad_onnx_need_rank(b, c, 0, 3);
  if (!b->status && (x->rank != 3 || axes != same || axes < 1 || axes > MOST))
    ad_onnx_fail(b, "the shapes of the image and the block don't fit");
  if (!b->status) read_windows_of(b, c, &w, (int)axes, size, block);
  for (int i = 0; i < w.axes && !b->status; i++)
    if (size[i] < 0 || size[i] > INT64_C(1) << 40) ad_onnx_fail(b, "the shape of the image is out of range");
  place_windows(b, c, &w);
  if (!b->status && (x->dim[1] % w.window || x->dim[2] != w.places)) ad_onnx_fail(b, "the blocks don't fit the image");
  if (b->status) return;
  const ad_shape split = {4, {x->dim[0], x->dim[1] / w.window, w.window, w.places}};
  c->out[0] = scatter_windows(b, &w, ad_onnx_reshape(b, c->in[0], &split));
}

/* ---- Pooling */

/* What MaxPool chose, for a MaxUnpool that has its indices. */
typedef struct choice {
  windows w;
  ad_onnx_value ones; /* [N, C, window, place] */
  ad_shape image;
} choice;

/* The flat index in the whole image of position k of the window at place o, channels aside. */
static double index_of(const windows *w, int64_t k, int64_t o, bool by_columns) {
  int64_t at, row = 0, step = 1;
  bool padded;
  if ((at = pixel(w, k, o, &padded)) < 0) return 0;
  if (!by_columns) return (double)at;
  const ad_shape size = ad_onnx_shape(w->axes, w->size);
  int64_t index[AD_MAX_RANK];
  ad_onnx_unravel(&size, at, index);
  for (int i = 0; i < w->axes; i++) row += index[i] * step, step *= w->size[i];
  return (double)row;
}

/* The first of the largest in each window. */
static void put_indices(ad_onnx_build *b, ad_onnx_call *c, const windows *w, ad_onnx_value x) {
  const bool by_columns = ad_onnx_int(b, c, "storage_order", 0) != 0;
  const ad_onnx_value most = ad_onnx_reduce(b, AD_OP_REDUCE_MAX, x, 1u << 2, true);
  const ad_onnx_value ones = ad_onnx_first(b, ad_onnx_binary(b, AD_OP_EQUAL, x, most), 2, false);
  choice *made = b->status ? NULL : ad_onnx_room(b, 1, sizeof *made);
  if (!made) return;
  const int64_t n = x.shape.dim[0], channels = x.shape.dim[1];
  ad_onnx_value in = ad_onnx_known(b, AD_ONNX_DOUBLE, &(ad_shape){2, {w->window, w->places}});
  ad_onnx_value base = ad_onnx_known(b, AD_ONNX_DOUBLE, &(ad_shape){3, {n, channels, 1}});
  for (int64_t i = 0; i < w->window * w->places && !b->status; i++)
    in.data->v[i].r = index_of(w, i / w->places, i % w->places, by_columns);
  for (int64_t i = 0; i < n * channels && !b->status; i++) base.data->v[i].r = (double)(i * w->pixels);
  in = ad_onnx_reduce(b, AD_OP_SUM, ad_onnx_binary(b, AD_OP_MUL, ones, in), 1u << 2, false);
  *made = (choice){*w, ones, c->in[0].shape};
  c->out[1] = as_image(b, w, ad_onnx_binary(b, AD_OP_ADD, in, base));
  c->out[1].type = AD_ONNX_INT64;
  c->out[1].choice = by_columns ? NULL : made;
}

void ad_onnx_lower_max_pool(ad_onnx_build *b, ad_onnx_call *c) {
  windows w;
  read_windows(b, c, &w, NULL);
  place_windows(b, c, &w);
  const ad_onnx_value x = gather_windows(b, &w, c->in[0], -INFINITY);
  c->out[0] = as_image(b, &w, ad_onnx_reduce(b, AD_OP_REDUCE_MAX, x, 1u << 2, false));
  if (ad_onnx_wanted(c, 1)) put_indices(b, c, &w, x);
}

/* How many positions of each window count. */
static ad_onnx_value counts_of(ad_onnx_build *b, const windows *w, int type, bool with_padding) {
  bool padded;
  ad_shape shape = ad_onnx_shape(w->axes, w->out);
  ad_onnx_value v = ad_onnx_known_reals(b, type, &shape);
  for (int64_t o = 0; !b->status && o < w->places; o++)
    for (int64_t k = 0; k < w->window; k++) {
      const bool inside = pixel(w, k, o, &padded) >= 0;
      v.data->v[o].r += with_padding ? padded : inside;
    }
  return v;
}

void ad_onnx_lower_average_pool(ad_onnx_build *b, ad_onnx_call *c) {
  windows w;
  const bool with_padding = ad_onnx_int(b, c, "count_include_pad", 0) != 0;
  if (!ad_onnx_is_real(c->in[0].type)) ad_onnx_refuse(b, "a mean of integers");
  read_windows(b, c, &w, NULL);
  place_windows(b, c, &w);
  const ad_onnx_value counts = counts_of(b, &w, c->in[0].type, with_padding);
  const ad_onnx_value sum = ad_onnx_reduce(b, AD_OP_SUM, gather_windows(b, &w, c->in[0], 0), 1u << 2, false);
  c->out[0] = ad_onnx_binary(b, AD_OP_DIV, as_image(b, &w, sum), counts);
}

void ad_onnx_lower_lp_pool(ad_onnx_build *b, ad_onnx_call *c) {
  windows w;
  read_windows(b, c, &w, NULL);
  place_windows(b, c, &w);
  const ad_onnx_value x = gather_windows(b, &w, c->in[0], 0);
  c->out[0] = as_image(b, &w, ad_onnx_norm(b, x, ad_onnx_int(b, c, "p", 2), 1u << 2, false));
}

/* All axes but the first two. */
static unsigned image_axes(ad_onnx_build *b, const ad_onnx_call *c) {
  ad_onnx_need_rank(b, c, 0, 3);
  return ((1u << c->in[0].shape.rank) - 1) & ~3u;
}

void ad_onnx_lower_global_pool(ad_onnx_build *b, ad_onnx_call *c) {
  c->out[0] = ad_onnx_reduce(b, c->row->op, c->in[0], image_axes(b, c), true);
}

void ad_onnx_lower_global_lp_pool(ad_onnx_build *b, ad_onnx_call *c) {
  c->out[0] = ad_onnx_norm(b, c->in[0], ad_onnx_int(b, c, "p", 2), image_axes(b, c), true);
}

/* By what MaxPool chose, where windows don't share pixels and the result has its image's shape. */
static void unpool(ad_onnx_build *b, ad_onnx_call *c, const ad_shape *shape) {
  const choice *made = c->in[1].choice;
  windows w = made->w;
  bool apart = ad_shape_equal(&made->image, shape) && ad_shape_equal(&c->in[0].shape, &c->in[1].shape);
  for (int i = 0; i < w.axes; i++) apart = apart && w.stride[i] >= extent(&w, i);
  if (!apart) {
    ad_onnx_refuse(b, "indices of a MaxPool whose windows overlap, or whose image has another shape");
    return;
  }
  ad_onnx_value x = ad_onnx_reshape(b, c->in[0], &(ad_shape){4, {shape->dim[0], shape->dim[1], 1, w.places}});
  x = ad_onnx_where(b, made->ones, x, ad_onnx_number(b, x.type, 0));
  c->out[0] = scatter_windows(b, &w, x);
}

/* Puts elements back where MaxPool had them.  A larger shape that is asked for is filled with zeros at the end. */
void ad_onnx_lower_max_unpool(ad_onnx_build *b, ad_onnx_call *c) {
  windows w;
  int64_t count, sizes = 0;
  read_windows(b, c, &w, NULL);
  const int64_t *want = ad_onnx_given(c, 2) ? ad_onnx_operand_ints(b, c, 2, "the shape", &sizes) : NULL;
  ad_shape shape = c->in[0].shape;
  for (int i = 0; i < w.axes; i++)
    shape.dim[i + 2] = w.stride[i] * (w.size[i] - 1) + w.kernel[i] - (want ? 0 : w.before[i] + w.after[i]);
  if (want && sizes != shape.rank) ad_onnx_fail(b, "the shape has another rank than the operand");
  if (b->status) return;
  if (c->in[1].choice) {
    if (want) shape = ad_onnx_shape(shape.rank, want);
    unpool(b, c, &shape);
    return;
  }
  const int64_t *index = ad_onnx_operand_ints(b, c, 1, "the indices", &count);
  if (!index) return;
  const int64_t size = ad_shape_size(&shape);
  int64_t *from = size < 0 ? NULL : ad_onnx_room(b, (uint64_t)size + 1, sizeof *from);
  if (size < 0 || count != ad_shape_size(&c->in[0].shape)) ad_onnx_fail(b, "the indices don't fit");
  for (int64_t i = 0; from && i < size; i++) from[i] = -1;
  for (int64_t i = 0; from && i < count && !b->status; i++)
    if (index[i] < 0 || index[i] >= size)
      ad_onnx_fail(b, "the index %lld is out of range", (long long)index[i]);
    else
      from[index[i]] = i;
  if (from) c->out[0] = ad_onnx_pick(b, c->in[0], &shape, from, ad_onnx_number(b, c->in[0].type, 0));
  for (int i = 0; want && i < shape.rank && !b->status; i++) {
    ad_shape more = c->out[0].shape;
    if (want[i] < more.dim[i]) ad_onnx_fail(b, "the shape is smaller than the windows");
    if (want[i] <= more.dim[i]) continue;
    more.dim[i] = want[i] - more.dim[i];
    const ad_onnx_value zero = ad_onnx_full(b, c->out[0].type, &more, 0);
    c->out[0] = ad_onnx_concat(b, 2, (ad_onnx_value[]){c->out[0], zero}, i);
  }
}
