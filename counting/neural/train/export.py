"""Writes trained weights as ONNX: python3 export.py WEIGHTS.pt PROFILE OUT.onnx

Weights of convolutions are kept in half precision, which is finer than the
eight bits that most of them run in, and halves the file.
"""
import copy
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F

from net import LONG, Street


class Half(nn.Module):
    """A convolution whose weights lie in the file as half precision."""

    def __init__(self, conv):
        super().__init__()
        self.weight, self.bias = nn.Parameter(conv.weight.half(), requires_grad=False), conv.bias
        self.args = dict(stride=conv.stride, padding=conv.padding, groups=conv.groups)

    def forward(self, x):
        return F.conv2d(x, self.weight.float(), self.bias, **self.args)


class Deployed(nn.Module):
    """The graph that is exported: normalisation folded, sigmoid inside, one map a level."""

    def __init__(self, net):
        super().__init__()
        self.net = plain(copy.deepcopy(net).float().to(memory_format=torch.contiguous_format).eval())

    def forward(self, images):
        return tuple(torch.cat([c.sigmoid(), b], 1) for c, b in self.net(images))


def plain(module):
    for name, child in module.named_children():
        if isinstance(child, nn.Sequential) and isinstance(child[0], nn.Conv2d):
            setattr(module, name, nn.Sequential(Half(nn.utils.fuse_conv_bn_eval(child[0], child[1])), nn.ReLU()))
        elif isinstance(child, nn.Conv2d):
            setattr(module, name, Half(child))
        else:
            plain(child)
    return module


def write(net, path, long):
    """Writes net for pictures of 16:9 whose longer side is long pixels; kerb takes the
    longer side from the file and plans for the camera's own shape."""
    w, h = long, (long * 9 // 16 + 31) // 32 * 32
    torch.onnx.export(Deployed(net).eval(), torch.zeros(1, 1, h, w), path, opset_version=13, do_constant_folding=False,
                      input_names=["images"], output_names=["s8", "s16"])


if __name__ == "__main__":
    net = Street(sys.argv[2])
    net.load_state_dict(torch.load(sys.argv[1]))
    write(net, sys.argv[3], LONG[sys.argv[2]])
