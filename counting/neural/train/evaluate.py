"""Average precision at IoU 0.5, by class and by size."""
import numpy as np
import torch

from data import PAD, overlap
from net import CLASSES, cells


def fit(luma, long=416):
    """The picture in the upper left of an input whose sides are multiples of 32, as kerb shows it."""
    from PIL import Image
    h, w = luma.shape
    k = long / max(w, h)
    if k != 1:
        luma = np.asarray(Image.fromarray(luma).resize((round(w * k), round(h * k)), Image.BILINEAR))
    out = np.full(((luma.shape[0] + 31) // 32 * 32, (luma.shape[1] + 31) // 32 * 32), PAD, np.uint8)
    out[:luma.shape[0], :luma.shape[1]] = luma
    return out, k


@torch.no_grad()
def detect(net, luma, long=416, least=0.05, keep=150):
    """[n, 6]: class x0 y0 x1 y1 score, in pixels of the picture."""
    x, k = fit(luma, long)
    logits, boxes, _, _ = cells(net(torch.from_numpy(x)[None, None].float() / 255))
    score, cls = logits[0].sigmoid().max(-1)
    boxes = boxes[0] / k
    order = score.argsort(descending=True)
    order = order[score[order] >= least][:400]
    score, cls, boxes = score[order].numpy(), cls[order].numpy(), boxes[order].numpy()
    found = []
    alive = np.ones(len(score), bool)
    for i in range(len(score)):
        if not alive[i]:
            continue
        found.append([cls[i], *boxes[i], score[i]])
        alive &= iou(boxes[i], boxes) < 0.55
    return np.array(found[:keep], np.float32).reshape(-1, 6)


def iou(box, boxes):
    w = np.minimum(box[2], boxes[:, 2]) - np.maximum(box[0], boxes[:, 0])
    h = np.minimum(box[3], boxes[:, 3]) - np.maximum(box[1], boxes[:, 1])
    both = np.clip(w, 0, None) * np.clip(h, 0, None)
    area = lambda b: (b[..., 2] - b[..., 0]) * (b[..., 3] - b[..., 1])
    return both / (area(box) + area(boxes) - both + 1e-6)


def evaluate(net, pictures, long=416):
    """AP50 by class. Only what a human drew is truth; a teacher's boxes and
    ignore regions excuse a detection; a class counts where the source annotates it."""
    net.eval()
    rows, total = {c: [] for c in range(len(CLASSES))}, np.zeros(len(CLASSES))
    for p in pictures:
        found = detect(net, p.luma, long)
        for c in range(len(CLASSES)):
            if p.proof[c] < 1:
                continue
            mine = p.boxes[(p.boxes[:, 0] == c) & (p.boxes[:, 6] > 0)]
            other = p.boxes[(p.boxes[:, 0] == -1) | (p.boxes[:, 6] == 0)]
            total[c] += len(mine)
            rows[c] += [(f[5], hit) for f, hit in judge(found[found[:, 0] == c], mine, other)]
    ap = {}
    for c, name in enumerate(CLASSES):
        ap[name] = precision(sorted(rows[c], reverse=True), total[c]) if total[c] else float("nan")
    return ap


def judge(found, mine, other):
    """Which finds are right: pairs of find and 1 or 0, best first; excused ones are left out."""
    taken = np.zeros(len(mine), bool)
    for f in found:
        o = iou(f[1:5], mine[:, 1:5]) if len(mine) else np.zeros(0)
        o[taken] = 0
        if len(o) and o.max() >= 0.5:
            taken[o.argmax()] = True
            yield f, 1
        elif not len(other) or overlap(f[1:5], other[:, 1:5]).max() < 0.5:
            yield f, 0


def precision(rows, n):
    """Area under the precision envelope."""
    if not rows:
        return 0.0
    hit = np.cumsum([r[1] for r in rows])
    recall, prec = hit / n, hit / np.arange(1, len(rows) + 1)
    prec = np.maximum.accumulate(prec[::-1])[::-1]
    return float(np.sum(np.diff(np.concatenate([[0], recall])) * prec))
