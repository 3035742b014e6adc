"""Exports a small multilayer perceptron and a small convolutional network, each with its loss, by PyTorch, and compares
adtool's derivatives of the loss by all weights and the input with PyTorch's own.

adtool computes in double with the weights as floats: against PyTorch in double, what differs is what the file holds as
floats (the epsilon of a normalisation); against PyTorch in float, the rounding of float.
"""
import copy
import json
import os
import subprocess
import sys
import tempfile
import warnings

import torch
from torch import nn
from torch.nn import functional

try:
    import onnx  # python3-onnx
except ImportError:
    onnx = None

TO_DOUBLE = 1e-7
TO_FLOAT = 2e-5


class Perceptron(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 8), nn.Linear(8, 4)

    def forward(self, x):
        scores = self.second(torch.tanh(self.first(x)))
        return functional.nll_loss(functional.log_softmax(scores, dim=1), torch.tensor([1, 3, 0, 2, 1]))


class Convolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(2, 6, 3, padding=1, groups=2)
        self.norm = nn.BatchNorm2d(6)
        self.second = nn.Conv2d(6, 4, 3, stride=2, dilation=2, padding=(1, 2))
        self.last = nn.Linear(4 * 2 * 3, 3)

    def forward(self, x):
        x = functional.max_pool2d(functional.gelu(self.norm(self.first(x))), 2)
        x = functional.avg_pool2d(functional.softplus(self.second(x)), 2, stride=1, padding=1)
        return ((self.last(x.flatten(1)) - 0.25) ** 2).mean()


def gradients(model, x):
    model.zero_grad()
    x = x.clone().requires_grad_()
    loss = model(x)
    loss.backward()
    found = {name: p.grad for name, p in model.named_parameters()}
    found["x"] = x.grad
    return loss, found


def export(model, x, path, how):
    """As one graph; with a function for each module; or with the weights in a file of their own."""
    options = {"opset_version": 15, "export_modules_as_functions": True} if how == "functions" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, x, path, input_names=["x"], output_names=["loss"], do_constant_folding=False,
                          training=torch.onnx.TrainingMode.PRESERVE, **options)
    if how == "beside":
        onnx.save_model(onnx.load(path), path, save_as_external_data=True, location="weights.bin", size_threshold=0)


def compare(model, x, folder, how):
    model.eval()
    path, point = os.path.join(folder, "model.onnx"), os.path.join(folder, "point.json")
    export(model, x, path, how)
    with open(point, "w") as f:
        json.dump({"x": x.tolist()}, f)
    out = subprocess.run(["adtool", "grad", path, "--point", point, "--format", "json"], check=True,
                         stdout=subprocess.PIPE).stdout
    loss, = json.loads(out)["outputs"].values()
    checks = bad = 0
    for kind, m, v, bound in (("double", copy.deepcopy(model).double(), x.double(), TO_DOUBLE), ("float", model, x, TO_FLOAT)):
        value, want = gradients(m, v)
        want["loss"] = value.detach()
        for name, tensor in want.items():
            got = torch.tensor(loss["value"] if name == "loss" else loss["gradient"][name], dtype=torch.float64)
            error = float((got - tensor.double()).abs().max() / tensor.double().abs().max())
            checks += 1
            if not error <= bound:
                bad += 1
                print(f"{type(model).__name__}, {how}, {kind}: {name} differs by {error:.3g} of the largest")
    return checks, bad


def main():
    torch.manual_seed(20240229)
    checks = bad = 0
    convolutions = Convolutions()
    with torch.no_grad():  # as after some training
        for t in (convolutions.norm.running_mean, convolutions.norm.weight, convolutions.norm.bias):
            t.copy_(torch.randn(6))
        convolutions.norm.running_var.copy_(torch.rand(6) + 0.5)
    ways = ["graph", "functions"] + (["beside"] if onnx else [])
    for model, x in ((Perceptron(), torch.randn(5, 3)), (convolutions, torch.randn(3, 2, 7, 9))):
        for how in ways:
            with tempfile.TemporaryDirectory() as folder:
                more, wrong = compare(model, x, folder, how)
            checks, bad = checks + more, bad + wrong
    print(f"{(checks - bad) * 100 // checks}%: Checks: {checks}, Failures: {bad}, Errors: 0")
    return bad != 0


if __name__ == "__main__":
    sys.exit(main())
