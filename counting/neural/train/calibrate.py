"""Makes a score mean what it says, and writes the file that is imported.

    python3 calibrate.py -data SHARED/training -profile street -weights OUT/street.pt -out OUT/street.onnx

The loss rates a find by how well its box fits, so a raw score is no chance to
be right. On the checking set a line through the logits is fitted for each
class (Platt 1999) and becomes part of the last convolution: of finds with a
score of 0.5 half are right there. A class with few boxes to learn from takes
the line of all.
"""
import argparse

import numpy as np
import torch

import data
import evaluate
import export
from net import CLASSES, LONG, Street

ENOUGH = 150  # human boxes of a class


def answers(net, pictures, long):
    """For each class the logits of all finds and whether they were right."""
    logit, right, boxes = [[] for _ in CLASSES], [[] for _ in CLASSES], np.zeros(len(CLASSES))
    for p in pictures:
        found = evaluate.detect(net, p.luma, long, 0.02)
        for c in range(len(CLASSES)):
            if p.proof[c] < 1:
                continue
            mine = p.boxes[(p.boxes[:, 0] == c) & (p.boxes[:, 6] > 0)]
            other = p.boxes[(p.boxes[:, 0] == -1) | (p.boxes[:, 6] == 0)]
            boxes[c] += len(mine)
            for f, hit in evaluate.judge(found[found[:, 0] == c], mine, other):
                logit[c].append(np.log(f[5] / (1 - f[5])))
                right[c].append(hit)
    return [np.array(x) for x in logit], [np.array(x, float) for x in right], boxes


def line(x, y):
    """Slope and offset of the logistic curve through right and wrong (Newton's method)."""
    a, b = 1.0, 0.0
    for _ in range(50):
        p = 1 / (1 + np.exp(-(a * x + b)))
        w = p * (1 - p) + 1e-9
        g = np.array([np.sum((p - y) * x), np.sum(p - y)])
        h = np.array([[np.sum(w * x * x) + 1e-3, np.sum(w * x)], [np.sum(w * x), np.sum(w) + 1e-3]])
        d = (h[1, 1] * g[0] - h[0, 1] * g[1], h[0, 0] * g[1] - h[1, 0] * g[0])
        det = h[0, 0] * h[1, 1] - h[0, 1] * h[1, 0]
        a, b = a - d[0] / det, b - d[1] / det
    return a, b


def main():
    p = argparse.ArgumentParser()
    p.add_argument("-data", required=True)
    p.add_argument("-profile", default="street")
    p.add_argument("-weights", required=True)
    p.add_argument("-out", required=True)
    a = p.parse_args()
    long = LONG[a.profile]
    torch.set_num_threads(1)
    net = Street(a.profile)
    net.load_state_dict(torch.load(a.weights))
    net.eval()
    logit, right, boxes = answers(net, data.load(a.data, "val", ["permissive"]), long)
    common = line(np.concatenate(logit), np.concatenate(right))
    for c, name in enumerate(CLASSES):
        k, b = line(logit[c], right[c]) if boxes[c] >= ENOUGH else common
        print(f"{name:10s} {boxes[c]:5.0f} boxes  logit' = {k:.3f} logit {b:+.3f}   0.5 was {1 / (1 + np.exp(b / k)):.3f}")
        for head in (net.head8, net.head16):
            head.classes.weight.data[c] *= k
            head.classes.bias.data[c] = head.classes.bias.data[c] * k + b
    torch.save(net.state_dict(), a.out.removesuffix(".onnx") + ".pt")
    export.write(net, a.out, long)


if __name__ == "__main__":
    main()
