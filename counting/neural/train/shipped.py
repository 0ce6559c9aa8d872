"""Reads the weights of a network that kerb ships, so that a training can begin with them.

A .kerb file holds the ONNX file that was imported: convolutions whose batch
normalisation was folded. Training needs the normalisation back. match() takes
its statistics from one batch, such that the network computes the same as before.
"""
import struct

import numpy as np
import torch
import torch.nn as nn

MAGIC = b"kerb-model/1\n"
KINDS = {1: "<f4", 10: "<f2"}  # TensorProto.DataType, onnx.proto3


def fields(b):
    """Yields number and value of each field of a protocol buffer message."""
    i = 0

    def varint():
        nonlocal i
        v = shift = 0
        while True:
            v |= (b[i] & 127) << shift
            shift, i = shift + 7, i + 1
            if b[i - 1] < 128:
                return v

    while i < len(b):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
            continue
        n = varint() if key & 7 == 2 else {1: 8, 5: 4}[key & 7]
        yield key >> 3, b[i:i + n]
        i += n


def varints(b):
    """The numbers of a packed field, none above 2^14."""
    out, v, shift = [], 0, 0
    for x in b:
        v, shift = v | (x & 127) << shift, shift + 7
        if x < 128:
            out.append(v)
            v = shift = 0
    return out


def tensors(path):
    """Initialisers of the network in a .kerb file: name to float32 array."""
    with open(path, "rb") as f:
        b = f.read()
    if not b.startswith(MAGIC):
        raise SystemExit(f"{path} is no kerb model")
    head, body = struct.unpack_from(">II", b, len(MAGIC))
    begin = len(MAGIC) + 8 + head
    found = {}
    for number, graph in fields(b[begin:begin + body]):
        if number != 7:  # ModelProto.graph
            continue
        for number, t in fields(graph):
            if number != 5:  # GraphProto.initializer
                continue
            dims, kind, name, raw = [], 0, "", b""
            for number, v in fields(t):
                if number == 1:
                    dims += [v] if isinstance(v, int) else varints(v)
                elif number == 2:
                    kind = v
                elif number == 8:
                    name = v.decode()
                elif number == 9:
                    raw = v
            if kind in KINDS:
                found[name.removeprefix("net.")] = np.frombuffer(raw, KINDS[kind]).reshape(dims).astype(np.float32)
    return found


@torch.no_grad()
def match(net, found, batch):
    """Puts folded weights into net; batch [B, 1, H, W] uint8 shows which mean and
    variance each convolution has on pictures as they are trained with."""
    hooks = []
    for name, m in net.named_modules():
        if not isinstance(m, nn.Conv2d):
            continue
        m.weight.copy_(torch.from_numpy(found[name + ".weight"]))
        bias = torch.from_numpy(found[name + ".bias"])
        if m.bias is not None:
            m.bias.copy_(bias)
            continue
        norm = dict(net.named_modules())[name.rsplit(".", 1)[0] + ".1"]

        def measure(m, args, bias=bias):
            var, mean = torch.var_mean(args[0], (0, 2, 3), correction=0)
            m.running_mean.copy_(mean)
            m.running_var.copy_(var)
            m.weight.copy_((var + m.eps).sqrt())
            m.bias.copy_(bias + mean)

        hooks.append(norm.register_forward_pre_hook(measure))
    net.eval()(batch.float() / 255)
    for h in hooks:
        h.remove()


def load(path, net, batch):
    match(net, tensors(path), batch)
