#!/bin/sh
# Derivatives of models that PyTorch exports, against PyTorch's own; skipped without PyTorch (Debian's python3-torch).
set -eu
for python in python3 /usr/bin/python3; do
  if "$python" -c 'import torch' >/dev/null 2>&1; then
    exec "$python" "$ADTOOL_SRCDIR/tests/onnx_torch.py"
  fi
done
echo 'skipped: no PyTorch (python3-torch)'
exit 77
