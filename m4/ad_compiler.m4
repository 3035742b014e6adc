# What adtool asks of the compiler.

# AD_PROG_CC_C17: C17, with GNU extensions where the compiler's default is older.
AC_DEFUN([AD_PROG_CC_C17], [
  AC_CACHE_CHECK([for the option to $CC for C17], [ad_cv_prog_cc_c17], [
    ad_cv_prog_cc_c17=unknown
    ad_save_CC=$CC
    for ad_flag in '' -std=gnu17 -std=gnu18; do
      CC="$ad_save_CC $ad_flag"
      AC_COMPILE_IFELSE([AC_LANG_SOURCE([[
#if !defined __STDC_VERSION__ || __STDC_VERSION__ < 201710L
#error "not C17"
#endif
]])], [ad_cv_prog_cc_c17=$ad_flag; break])
    done
    CC=$ad_save_CC
    test -n "$ad_cv_prog_cc_c17" || ad_cv_prog_cc_c17='none needed'])
  AS_CASE([$ad_cv_prog_cc_c17],
    [unknown], [AC_MSG_ERROR([$CC does not compile C17; try gcc 8, clang 7 or newer: ./configure CC=clang])],
    ['none needed'], [],
    [CC="$CC $ad_cv_prog_cc_c17"])
])

# AD_ADD_CFLAGS(FLAGS): adds those that the compiler takes to AD_CFLAGS.
AC_DEFUN([AD_ADD_CFLAGS], [
  AC_SUBST([AD_CFLAGS])
  for ad_flag in $1; do
    AC_MSG_CHECKING([whether $CC takes $ad_flag])
    ad_save_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS -Werror $ad_flag"
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM()],
      [AC_MSG_RESULT([yes]); AD_CFLAGS="$AD_CFLAGS $ad_flag"], [AC_MSG_RESULT([no])])
    CFLAGS=$ad_save_CFLAGS
  done
])

# AD_STRICT_FLOATING_POINT: each double operation is rounded once, as written.
AC_DEFUN([AD_STRICT_FLOATING_POINT], [
  AD_ADD_CFLAGS([-ffp-contract=off])
  AC_MSG_CHECKING([whether double arithmetic is strict])
  AC_COMPILE_IFELSE([AC_LANG_SOURCE([[
#include <float.h>
#if defined __FAST_MATH__ || (defined __FINITE_MATH_ONLY__ && __FINITE_MATH_ONLY__)
#error "fast math"
#endif
_Static_assert(FLT_EVAL_METHOD == 0, "double is evaluated in double");
_Static_assert(DBL_MANT_DIG == 53 && DBL_MAX_EXP == 1024, "double is IEEE binary64");
]])], [AC_MSG_RESULT([yes])], [
    AC_MSG_RESULT([no])
    AC_MSG_ERROR([double must be IEEE binary64 and each operation rounded once.
Remove -ffast-math and -Ofast from CFLAGS; on 32-bit x86 add -msse2 -mfpmath=sse.])])
])

# AD_SANITIZERS: every report ends the program.
AC_DEFUN([AD_SANITIZERS], [
  ad_sanitize='-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer'
  AC_MSG_CHECKING([whether $CC links with $ad_sanitize])
  ad_save_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS $ad_sanitize"
  AC_LINK_IFELSE([AC_LANG_PROGRAM()], [AC_MSG_RESULT([yes])], [
    AC_MSG_RESULT([no])
    AC_MSG_ERROR([$CC has no sanitizer runtime; with clang install libclang-rt-dev, or leave --enable-sanitizers out])])
  CFLAGS=$ad_save_CFLAGS
  AD_CFLAGS="$AD_CFLAGS $ad_sanitize"
])

# AD_LANES: SSE2, AVX2 and AVX-512 code chosen at run time; on x86-64, with SLEEF.
AC_DEFUN([AD_LANES], [
  AC_SUBST([AVX2_CFLAGS], ['-mavx2 -mfma'])
  AC_SUBST([AVX512_CFLAGS], ['-mavx512f -mavx512dq -mavx2 -mfma'])
  AC_SUBST([PC_SLEEF])
  AC_MSG_CHECKING([whether to build SIMD code])
  ad_lanes="no (package libsleef-dev)"
  AS_IF([test "x$ad_have_SLEEF" = xyes], [
    ad_save_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS $SLEEF_CFLAGS $AVX512_CFLAGS"
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[
#ifndef __x86_64__
#error "not x86-64"
#endif
#include <immintrin.h>
#include <sleef.h>
]], [[__m512d x = Sleef_sind8_u10avx512f(_mm512_set1_pd(0)); (void)x;
return __builtin_cpu_supports("avx512dq");]])], [ad_lanes=yes], [ad_lanes="no (not x86-64)"])
    CFLAGS=$ad_save_CFLAGS
  ])
  AC_MSG_RESULT([$ad_lanes])
  AS_IF([test "x$ad_lanes" = xyes], [
    AC_DEFINE([HAVE_LANES], [1], [Define to 1 to use SIMD code.])
    PC_SLEEF=' sleef'
  ], [SLEEF_LIBS=; SLEEF_CFLAGS=])
  AM_CONDITIONAL([LANES], [test "x$ad_lanes" = xyes])
])
