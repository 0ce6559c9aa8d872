"""What a step of training is punished for.

Assignment after TOOD (Feng et al. 2021, arXiv 2108.07755): the cells that
already see an object best answer for it. Classes by varifocal loss (Zhang et
al. 2021, arXiv 2008.13367), boxes by generalised IoU (Rezatofighi et al. 2019,
arXiv 1902.09630).
"""
import numpy as np
import torch

CELLS = 9  # that answer for one object, at most

# What a mistake about a class weighs: of what is scarce more is learnt from
# each. Person, bicycle, motorcycle, car, heavy.
CARE = torch.tensor([1.8, 2.5, 0.7, 1.0, 1.6])


def pairs(a, b):
    """IoU and generalised IoU of boxes a and b, both [n, 4]."""
    lo, hi = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    area = lambda x: (x[:, 2:] - x[:, :2]).clamp(min=0).prod(-1)
    both = (hi - lo).clamp(min=0).prod(-1)
    union = area(a) + area(b) - both + 1e-6
    hull = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).prod(-1) + 1e-6
    iou = both / union
    return iou, iou - (hull - union) / hull


def candidates(boxes, centres, strides):
    """Which cells may answer for which boxes: pairs (box, cell). numpy, for it
    knows the truth alone. A cell may answer if its centre is in the box, or,
    for a tiny box, next to it; a box much larger than a fine cell's sight
    belongs to the coarse grid."""
    mid, half = (boxes[:, 1:3] + boxes[:, 3:5]) / 2, (boxes[:, 3:5] - boxes[:, 1:3]) / 2
    reach = np.maximum(half[:, None], 0.75 * strides[None, :, None])
    may = (np.abs(centres[None] - mid[:, None]) < reach).all(-1)
    may &= ~((2 * half.max(1)[:, None] > 12 * strides[None]) & (strides < strides.max())[None])
    return np.stack(np.nonzero(may), 1)


@torch.no_grad()
def assign(scores, boxes, truth, pair):
    """Which cell answers for which box.

    scores [cells, 5] and boxes [cells, 4] of all pictures of the batch one
    after another, truth [n, 6] class x0 y0 x1 y1 belief, pair [p, 2] of truth
    and cell. Returns for each answering cell: cell, truth, worth 0-1.
    """
    mine, cell = pair[:, 0], pair[:, 1]
    iou, _ = pairs(truth[mine, 1:5], boxes[cell])
    fit = scores[cell, truth[mine, 0].long()].clamp(min=1e-4).sqrt() * (iou + 0.02).pow(3)
    order = (mine.double() - fit.double() / (fit.max() + 1e-9) * 0.999).argsort()
    mine, cell, fit, iou = mine[order], cell[order], fit[order], iou[order]
    first = torch.zeros(len(truth), dtype=torch.long).scatter_add_(0, mine, torch.ones_like(mine)).cumsum(0).roll(1)
    first[0] = 0
    chosen = torch.arange(len(mine)) - first[mine] < CELLS
    mine, cell, fit, iou = mine[chosen], cell[chosen], fit[chosen], iou[chosen]
    # A cell that several want answers for the one it covers best.
    best = torch.zeros(len(scores)).scatter_reduce_(0, cell, fit, "amax")
    won = fit >= best[cell]
    mine, cell, fit, iou = mine[won], cell[won], fit[won], iou[won]
    peak = torch.zeros(len(truth)).scatter_reduce_(0, mine, fit, "amax")
    well = torch.zeros(len(truth)).scatter_reduce_(0, mine, iou, "amax")
    return cell, mine, fit / (peak[mine] + 1e-9) * well[mine].sqrt()


def loss(logits, boxes, strides, truth, pair, proof):
    """logits [B, N, 5], boxes [B, N, 4], proof [B, N, 5]: for classes, for boxes."""
    B, N, C = logits.shape
    logits, boxes, proof, strides = logits.reshape(-1, C), boxes.reshape(-1, 4), proof.reshape(-1, C), strides.repeat(B)
    scores = logits.sigmoid().detach()
    punish = proof * 0.75 * scores.pow(2)
    target, where, whole = torch.zeros_like(scores), boxes.sum() * 0, torch.tensor(1.0)
    if len(pair):
        cell, mine, worth = assign(scores, boxes.detach(), truth, pair)
        kind, belief = truth[mine, 0].long(), truth[mine, 5]
        target[cell, kind] = worth
        punish[cell, kind] = worth * belief
        weight = worth * belief
        whole = weight.sum().clamp(min=1)
        to = truth[mine, 1:5]
        _, giou = pairs(boxes[cell], to)
        edge = ((boxes[cell] - to).abs().sum(-1) / (to[:, 2:] - to[:, :2]).sum(-1).clamp(min=4)).clamp(max=2)
        where = (((1 - giou) + 0.25 * edge) * weight).sum() / whole
    raw = torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (raw * punish * CARE).sum() / whole, where
