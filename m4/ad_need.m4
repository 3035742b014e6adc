# Libraries that must or may be there.  What is missing is collected and reported at once, as Debian packages.

# AD_MISSING(WHAT, PACKAGES)
AC_DEFUN([AD_MISSING], [
  ad_missing_packages="$ad_missing_packages $2"
  ad_missing_names="$ad_missing_names, $1"
])

# AD_NEED_PKG_CONFIG: before any other of these.
AC_DEFUN([AD_NEED_PKG_CONFIG], [
  m4_pattern_forbid([^PKG_[A-Z_]+$])
  m4_pattern_allow([^PKG_CONFIG(_PATH|_LIBDIR)?$])
  PKG_PROG_PKG_CONFIG
  PKG_INSTALLDIR
  AS_IF([test -z "$PKG_CONFIG"], [AD_MISSING([pkg-config], [pkgconf])])
])

# AD_NEED_PKG(PREFIX, MODULE, PACKAGE): PREFIX_CFLAGS and PREFIX_LIBS by pkg-config.
AC_DEFUN([AD_NEED_PKG], [
  PKG_CHECK_MODULES([$1], [$2], [], [AD_MISSING([$2], [$3])])
])

# AD_WANT_PKG(PREFIX, MODULE, PACKAGE): the same, and HAVE_PREFIX says whether it is there.
AC_DEFUN([AD_WANT_PKG], [
  PKG_CHECK_MODULES([$1], [$2],
    [ad_have_$1=yes; AC_DEFINE([HAVE_$1], [1], [Define to 1 if $2 is there.])],
    [ad_have_$1="no (package $3)"])
])

# AD_NEED_ARB: FLINT's ball arithmetic.  FLINT 3 has it in <flint/arb.h> and -lflint; before that it was a library of
# its own: <arb.h>, -lflint-arb in Debian, -larb elsewhere.
AC_DEFUN([AD_NEED_ARB], [
  AC_SUBST([ARB_LIBS])
  ad_have_arb=no
  ad_save_LIBS=$LIBS
  ad_save_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS $MPFR_CFLAGS $GMP_CFLAGS"
  AC_CHECK_HEADERS([flint/arb.h])
  for ad_libs in -lflint '-lflint-arb -lflint' '-larb -lflint'; do
    AS_IF([test $ad_have_arb = no], [
      AC_MSG_CHECKING([for arb_digamma in $ad_libs])
      LIBS="$ad_libs $MPFR_LIBS $GMP_LIBS $ad_save_LIBS"
      AC_LINK_IFELSE([AC_LANG_PROGRAM([[
#ifdef HAVE_FLINT_ARB_H
#include <flint/arb.h>
#else
#include <arb.h>
#endif
]], [[arb_t x; arb_init(x); arb_digamma(x, x, 53); arb_clear(x);]])],
        [ad_have_arb=yes; ARB_LIBS=$ad_libs; AC_MSG_RESULT([yes])], [AC_MSG_RESULT([no])])
    ])
  done
  LIBS=$ad_save_LIBS
  CFLAGS=$ad_save_CFLAGS
  AS_IF([test $ad_have_arb = no], [
    AD_MISSING([FLINT with ball arithmetic (arb)], [libflint-dev libflint-arb-dev])])
])

# AD_REPORT_MISSING: stops when something is.
AC_DEFUN([AD_REPORT_MISSING], [
  AS_IF([test -n "$ad_missing_names"], [
    AC_MSG_ERROR([missing: ${ad_missing_names#, }
On Debian, install$ad_missing_packages (from Debian 13 on, libflint-arb-dev is a part of libflint-dev)
or run .ci/install, which installs all that a build needs.])])
])
