"""Writes trained weights as ONNX: python3 export.py WEIGHTS.pt PROFILE OUT.onnx"""
import copy
import sys

import torch

from net import Deployed, Street


def write(net, path, w=416, h=256):
    deployed = Deployed(copy.deepcopy(net).float().to(memory_format=torch.contiguous_format)).eval()
    torch.onnx.export(deployed, torch.zeros(1, 1, h, w), path, opset_version=13, do_constant_folding=True,
                      input_names=["images"], output_names=["s8", "s16"])


if __name__ == "__main__":
    net = Street(sys.argv[2])
    net.load_state_dict(torch.load(sys.argv[1]))
    write(net, sys.argv[3])
