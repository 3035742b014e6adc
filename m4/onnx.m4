# AD_ONNX: ONNX models can be read where protobuf-c, its compiler and the format's definition are there.
#   --with-onnx-proto=FILE  the definition, onnx.proto; Debian's libonnx-dev has it in /usr/include/onnx
AC_DEFUN([AD_ONNX], [
  AC_ARG_WITH([onnx-proto], [AS_HELP_STRING([--with-onnx-proto=FILE],
    [the definition of ONNX (default: /usr/include/onnx/onnx.proto); no: do without])], [], [with_onnx_proto=yes])
  AC_SUBST([ONNX_PROTO])
  AC_SUBST([PC_ONNX])
  AC_CHECK_PROGS([PROTOC_C], [protoc-c])
  AD_WANT_PKG([PROTOBUF_C], [libprotobuf-c >= 1.3], [libprotobuf-c-dev])
  AS_CASE([$with_onnx_proto], [yes], [ONNX_PROTO=/usr/include/onnx/onnx.proto], [ONNX_PROTO=$with_onnx_proto])
  ad_have_ONNX=yes
  AS_IF([test "x$with_onnx_proto" = xno], [ad_have_ONNX="no (--without-onnx-proto)"],
    [
      ad_onnx_packages=
      AS_IF([test "x$ad_have_PROTOBUF_C" != xyes], [ad_onnx_packages="$ad_onnx_packages libprotobuf-c-dev"])
      AS_IF([test -z "$PROTOC_C"], [ad_onnx_packages="$ad_onnx_packages protobuf-c-compiler"])
      AS_IF([test ! -r "$ONNX_PROTO"], [ad_onnx_packages="$ad_onnx_packages libonnx-dev"])
      AS_IF([test -n "$ad_onnx_packages"], [ad_have_ONNX="no (packages$ad_onnx_packages)"])
    ])
  AS_IF([test "x$ad_have_ONNX" = xyes], [PC_ONNX=' libprotobuf-c'], [PROTOBUF_C_CFLAGS=; PROTOBUF_C_LIBS=])
  AM_CONDITIONAL([ONNX], [test "x$ad_have_ONNX" = xyes])
])
