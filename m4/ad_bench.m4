# AD_BENCH: what the benchmark (make bench) and one test, of ASL, may find beside adtool; nothing else uses it.
#   ADOL-C  Debian's libadolc-dev, and a C++ compiler
#   ASL     Debian's libamplsolver-dev
AC_DEFUN([AD_BENCH], [
  ad_have_ADOLC="no (packages libadolc-dev, g++)"
  AC_SUBST([ADOLC_VERSION])
  AC_CHECK_PROGS([CXX], [g++ clang++ c++])
  AC_SUBST([CXXFLAGS], ["${CXXFLAGS--O2}"])
  AS_IF([test -n "$CXX" && $PKG_CONFIG --exists adolc], [
    ad_have_ADOLC=yes
    ADOLC_VERSION=`$PKG_CONFIG --modversion adolc`
  ])
  AM_CONDITIONAL([BENCH_ADOLC], [test "x$ad_have_ADOLC" = xyes])

  ad_have_ASL="no (package libamplsolver-dev)"
  AC_SUBST([ASL_CFLAGS], ['-isystem /usr/include/ampl-netlib-solvers'])
  AC_SUBST([ASL_LIBS], ['-lamplsolver -ldl'])
  AC_MSG_CHECKING([for AMPL's solver library])
  ad_save_CFLAGS=$CFLAGS
  ad_save_LIBS=$LIBS
  CFLAGS="$CFLAGS $ASL_CFLAGS"
  LIBS="$ASL_LIBS $LIBS -lm"
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <asl.h>]], [[ASL *asl = ASL_alloc(ASL_read_fg); ASL_free(&asl);]])],
    [ad_have_ASL=yes])
  CFLAGS=$ad_save_CFLAGS
  LIBS=$ad_save_LIBS
  AC_MSG_RESULT([$ad_have_ASL])
  AM_CONDITIONAL([BENCH_ASL], [test "x$ad_have_ASL" = xyes])

  AC_MSG_CHECKING([whether $CC takes -march=native])
  AC_SUBST([NATIVE_CFLAGS])
  ad_save_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS -Werror -march=native"
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM()], [NATIVE_CFLAGS=-march=native; AC_MSG_RESULT([yes])], [AC_MSG_RESULT([no])])
  CFLAGS=$ad_save_CFLAGS
])
