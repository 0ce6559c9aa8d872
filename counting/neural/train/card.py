"""What a model card asks: how well, by class, size, light and kind of camera.

    python3 card.py -data SHARED/training -profile street -weights OUT/street.pt
"""
import argparse

import numpy as np
import torch

import data
import evaluate
from net import CLASSES, LONG, Street

LEAST = 0.35  # where recall and precision are read
SIZES = [(0, 12), (12, 20), (20, 32), (32, 64), (64, 999)]  # height, pixels of the network's input


def lights(rng):
    """What is done to the pictures of the checking set before they are shown."""
    from PIL import Image, ImageFilter

    def noisy(x):
        return np.clip(x * 0.35 + 8 + rng.normal(0, 6, x.shape), 0, 255).astype(np.uint8)

    def half(x):
        h, w = x.shape
        return np.asarray(Image.fromarray(x).resize((w // 2, h // 2), Image.BOX).resize((w, h), Image.BILINEAR))

    return {
        "as they are": lambda x: x,
        "dark and noisy": noisy,
        "veiled": lambda x: (x * 0.4 + 120).astype(np.uint8),
        "blurred": lambda x: np.asarray(Image.fromarray(x).filter(ImageFilter.GaussianBlur(1.2))),
        "half the pixels a side": half,
        "mirrored": lambda x: np.ascontiguousarray(x[:, ::-1]),
    }


class Shown:
    """A picture as it is shown."""

    def __init__(self, p, luma, mirrored):
        self.luma, self.proof, self.boxes, self.source = luma, p.proof, p.boxes, p.source
        if mirrored:
            self.boxes = p.boxes.copy()
            self.boxes[:, [1, 3]] = luma.shape[1] - p.boxes[:, [3, 1]]


def found(net, pictures, long):
    """Recall by class and size, and precision by class, at one threshold."""
    hit, all_, right, told = (np.zeros((len(CLASSES), len(SIZES))) for _ in range(4))
    for p in pictures:
        k = long / max(p.luma.shape)
        f = evaluate.detect(net, p.luma, long, LEAST)
        for c in range(len(CLASSES)):
            if p.proof[c] < 1:
                continue
            mine = p.boxes[(p.boxes[:, 0] == c) & (p.boxes[:, 6] > 0)]
            others = p.boxes[(p.boxes[:, 0] == -1) | (p.boxes[:, 6] == 0)]
            got = f[f[:, 0] == c]
            taken = np.zeros(len(got), bool)
            for b in mine:
                s = size((b[4] - b[2]) * k)
                all_[c, s] += 1
                o = evaluate.iou(b[1:5], got[:, 1:5]) if len(got) else np.zeros(0)
                o[taken] = 0
                if len(o) and o.max() >= 0.5:
                    taken[o.argmax()] = True
                    hit[c, s] += 1
            for g, t in zip(got, taken):
                if t or not len(others) or data.overlap(g[1:5], others[:, 1:5]).max() < 0.5:
                    told[c, size((g[4] - g[2]) * k)] += 1
                    right[c, size((g[4] - g[2]) * k)] += t
    return hit, all_, right, told


def size(h):
    return next(i for i, (lo, hi) in enumerate(SIZES) if h < hi)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("-data", required=True)
    p.add_argument("-profile", default="street")
    p.add_argument("-weights", required=True)
    a = p.parse_args()
    long = LONG[a.profile]
    torch.set_num_threads(1)
    net = Street(a.profile)
    net.load_state_dict(torch.load(a.weights))
    net.eval()
    pictures = data.load(a.data, "val", ["permissive", "unclear"])

    print(f"AP50, {len(pictures)} pictures, longer side {long}")
    row("", CLASSES)
    for name, change in lights(np.random.default_rng(1)).items():
        ap = evaluate.evaluate(net, [Shown(q, change(q.luma), name == "mirrored") for q in pictures], long)
        row(name, [f"{v:.3f}" for v in ap.values()])
    for source in sorted({q.source for q in pictures}):
        ap = evaluate.evaluate(net, [q for q in pictures if q.source == source], long)
        row("only " + source, [f"{v:.3f}" for v in ap.values()])

    hit, all_, right, told = found(net, pictures, long)
    print(f"\nfound, of those that there are, by height in pixels, at a score of {LEAST}")
    row("", [f"{lo}–{hi}" for lo, hi in SIZES] + ["all", "right"])
    for c, name in enumerate(CLASSES):
        cells = [f"{h:.0f}/{n:.0f}" for h, n in zip(hit[c], all_[c])]
        cells += [f"{hit[c].sum() / max(all_[c].sum(), 1):.0%}", f"{right[c].sum() / max(told[c].sum(), 1):.0%}"]
        row(name, cells)


def row(first, rest):
    print("| " + " | ".join([f"{first:22s}"] + [f"{r:>12s}" for r in rest]) + " |")


if __name__ == "__main__":
    main()
