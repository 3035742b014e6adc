# AD_MPI: with --with-mpi, processes that mpirun starts share a batch; only the program needs it, not the library.
AC_DEFUN([AD_MPI], [
  AC_ARG_WITH([mpi], [AS_HELP_STRING([--with-mpi], [let mpirun's processes share a batch (Open MPI)])],
    [], [with_mpi=no])
  ad_have_MPI=no
  AS_IF([test "x$with_mpi" != xno], [
    PKG_CHECK_MODULES([MPI], [ompi-c], [ad_have_MPI=yes],
      [AC_MSG_ERROR([--with-mpi: there is no ompi-c for pkg-config; install Open MPI (Debian: libopenmpi-dev openmpi-bin)])])
  ])
  AM_CONDITIONAL([MPI], [test $ad_have_MPI = yes])
])
