"""Lets a trained network look over its own training pictures.

    python3 relabel.py -data SHARED/training -weights OUT/calibrated/street.pt -out OUT/labels

Where nobody annotated a class, what the network is sure of becomes a box and
what it half believes becomes a region to look away from; where somebody did,
a find without a box becomes a region too, for labels are not exhaustive. What
a teacher saw and the network does not stays: it may be what the network has
yet to learn. The pictures are shown in two sizes, one mirrored. OUT/labels
mirrors the layout of the labels, for `train.py -labels`.
"""
import argparse
import json
import os

import numpy as np
import torch

import data
import evaluate
from net import CLASSES, Street

SURE, HALF, MISSED, LEAST = 0.6, 0.2, 0.6, 0.1
SCALES = [(416, False), (576, True)]


def look(net, luma):
    """What the network sees in several views: [n, 6], the score a mean over the views."""
    views = []
    for long, mirrored in SCALES:
        f = evaluate.detect(net, np.ascontiguousarray(luma[:, ::-1]) if mirrored else luma, long, LEAST, 80)
        if mirrored:
            f[:, [1, 3]] = luma.shape[1] - f[:, [3, 1]]
        views.append(f)
    merged = []
    for f in np.concatenate(views)[np.argsort(-np.concatenate(views)[:, 5])]:
        same = [m for m in merged if m[0] == f[0] and evaluate.iou(f[1:5], np.array([m[1:5]]))[0] > 0.5]
        if same:
            same[0][6] += f[5]
        else:
            merged.append([*f, f[5]])
    return np.array([[*m[:5], m[6] / len(SCALES)] for m in merged], np.float32).reshape(-1, 6)


def revise(net, p):
    """The new label lines of one picture."""
    h, w = p.luma.shape
    found, boxes, lines = look(net, p.luma), p.boxes, []
    for b in boxes:
        kind = "i" if b[0] < 0 else "h" if b[6] else "t"
        lines.append((int(b[0]), *b[1:5], b[5], kind))
    for f in found:
        c, score = int(f[0]), f[5]
        if len(boxes) and data.overlap(f[1:5], boxes[:, 1:5]).max() > 0.4:
            continue
        if p.proof[c] < 1 and score >= SURE:
            lines.append((c, *f[1:5], score, "t"))
        elif score >= (HALF if p.proof[c] < 1 else MISSED):
            lines.append((-1, *f[1:5], score, "i"))
    for c, x0, y0, x1, y1, score, kind in lines:
        yield f"{c} {(x0 + x1) / 2 / w:.5f} {(y0 + y1) / 2 / h:.5f} {(x1 - x0) / w:.5f} {(y1 - y0) / h:.5f} {score:.3f} {kind}\n"


def main():
    p = argparse.ArgumentParser()
    p.add_argument("-data", required=True)
    p.add_argument("-profile", default="street")
    p.add_argument("-weights", required=True)
    p.add_argument("-out", required=True)
    p.add_argument("-part", type=int, default=0, help="which of -parts of the pictures")
    p.add_argument("-parts", type=int, default=1)
    a = p.parse_args()
    torch.set_num_threads(1)
    net = Street(a.profile)
    net.load_state_dict(torch.load(a.weights))
    net.eval()
    before, after = np.zeros(len(CLASSES) + 1, int), np.zeros(len(CLASSES) + 1, int)
    with open(os.path.join(a.data, "manifest.jsonl")) as f:
        rows = [r for r in map(json.loads, f) if r["split"] == "train"][a.part::a.parts]
    for i, row in enumerate(rows):
        picture = data.Picture(a.data, row)
        path = os.path.join(a.out, row["label"])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        lines = list(revise(net, picture))
        with open(path, "w") as f:
            f.writelines(lines)
        for b in picture.boxes:
            before[int(b[0])] += 1
        for line in lines:
            after[int(line.split()[0])] += 1
        if (i + 1) % 500 == 0:
            print(f"{i + 1} of {len(rows)}", flush=True)
    for i, name in enumerate(CLASSES + ["look away"]):
        print(f"{name:10s} {before[i]:6d} boxes before, {after[i]:6d} after")


if __name__ == "__main__":
    main()
