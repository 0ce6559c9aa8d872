"""The street network: one plane of luma in, two grids of objects out.

Built for kerb's executor: 1x1 and depthwise 3x3 convolutions, ReLU before a
residual sum, nearest upsampling, no activation that costs anything in eight
bits. Each cell of a grid says how sure it is of five classes and where the
object's box lies:

    s8   [1, 9, H/8,  W/8]     s16  [1, 9, H/16, W/16]
    0-4  person, bicycle, motorcycle, car, heavy: 0-1
    5-8  dx, dy, log w, log h in strides; centre = (cell + 0.5 + d) * stride
"""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

CLASSES = ["person", "bicycle", "motorcycle", "car", "heavy"]
STRIDES = [8, 16]

# channels at stride 2, 4, 8, 16, 32; blocks at 4, 8, 16, 32; neck at 8 and 16
PROFILES = {
    "street": dict(c=[16, 32, 64, 128, 256], n=[1, 3, 4, 2], neck=[64, 96]),
    "street-large": dict(c=[16, 32, 64, 128, 256], n=[1, 5, 6, 3], neck=[64, 96]),
    "street-small": dict(c=[16, 32, 64, 96, 160], n=[0, 1, 2, 1], neck=[48, 64]),
}

# LONG is the longer side of a network's input in pixels, as kerb shows it, and
# what it is trained and checked for.
LONG = {"street": 416, "street-large": 608, "street-small": 416}


def cbr(i, o, k=1, s=1, g=1):
    return nn.Sequential(nn.Conv2d(i, o, k, s, k // 2, groups=g, bias=False), nn.BatchNorm2d(o, momentum=0.03), nn.ReLU(inplace=True))


class Step(nn.Module):
    """Depthwise 3x3, then 1x1, and what came in added where it fits."""

    def __init__(self, i, o, s=1):
        super().__init__()
        self.spread, self.mix, self.adds = cbr(i, i, 3, s, i), cbr(i, o), i == o and s == 1

    def forward(self, x):
        y = self.mix(self.spread(x))
        return y + x if self.adds else y


def stage(i, o, n):
    return nn.Sequential(Step(i, o, 2), *[Step(o, o) for _ in range(n)])


class Head(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.what, self.where = Step(c, c), Step(c, c)
        self.classes, self.box = nn.Conv2d(c, len(CLASSES), 1), nn.Conv2d(c, 4, 1)
        nn.init.constant_(self.classes.bias, -math.log((1 - 0.01) / 0.01))
        nn.init.zeros_(self.box.weight)
        nn.init.zeros_(self.box.bias)

    def forward(self, x):
        return self.classes(self.what(x)), self.box(self.where(x))


class Street(nn.Module):
    def __init__(self, profile):
        super().__init__()
        p = PROFILES[profile]
        c, n, (near, far) = p["c"], p["n"], p["neck"]
        self.stem = cbr(1, c[0], 3, 2)
        self.s4, self.s8 = stage(c[0], c[1], n[0]), stage(c[1], c[2], n[1])
        self.s16, self.s32 = stage(c[2], c[3], n[2]), stage(c[3], c[4], n[3])
        self.deep, self.mid = cbr(c[4], far), cbr(c[3], far)
        self.fuse16 = Step(far, far)
        self.down, self.fine = cbr(far, near), cbr(c[2], near)
        self.fuse8 = Step(near, near)
        self.head8, self.head16 = Head(near), Head(far)

    def forward(self, x):
        """Logits and raw boxes of both levels, full precision."""
        a = self.s8(self.s4(self.stem(x)))
        b = self.s16(a)
        c = self.s32(b)
        b = self.fuse16(self.mid(b) + F.interpolate(self.deep(c), scale_factor=2, mode="nearest"))
        a = self.fuse8(self.fine(a) + F.interpolate(self.down(b), scale_factor=2, mode="nearest"))
        return [self.head8(a), self.head16(b)]


@torch.no_grad()
def grow(net, smaller):
    """Puts the weights of a network with fewer blocks into net. Blocks that only
    net has begin as good as the identity: what they add to their input starts
    at a twentieth of its size (Chen et al. 2016, Net2DeeperNet, arXiv
    1511.05641), so that net computes nearly the same as the smaller one."""
    mine = net.state_dict()
    for name, v in smaller.items():
        mine[name].copy_(v)
    fresh = {k.rsplit(".", 3)[0] for k in mine if k not in smaller}
    for name, m in net.named_modules():
        if isinstance(m, Step) and name in fresh:
            if not m.adds:
                raise ValueError(f"{name} changes the size: only blocks that add to their input can be new")
            m.mix[1].weight.fill_(0.05)


def grid(w, h):
    """Centres [N, 2] and strides [N] of all cells of a picture, in pixels."""
    centres, strides = [], []
    for s in STRIDES:
        gy, gx = torch.meshgrid(torch.arange(h // s) + 0.5, torch.arange(w // s) + 0.5, indexing="ij")
        centres.append(torch.stack([gx, gy], -1).reshape(-1, 2) * s)
        strides.append(torch.full(((h // s) * (w // s),), float(s)))
    return torch.cat(centres), torch.cat(strides)


def cells(outputs):
    """Both levels after one another: logits [B, N, 5], boxes x0 y0 x1 y1 in
    pixels [B, N, 4], and the grid."""
    h, w = outputs[0][0].shape[2:]
    centres, strides = grid(w * STRIDES[0], h * STRIDES[0])
    flat = lambda k: torch.cat([o[k].flatten(2).transpose(1, 2).float() for o in outputs], 1)
    logits, box = flat(0), flat(1)
    centre = centres + box[..., :2] * strides[:, None]
    half = box[..., 2:].clamp(-5, 5).exp() * (strides[:, None] / 2)
    return logits, torch.cat([centre - half, centre + half], -1), centres, strides


def cost(net, h, w):
    """Multiply-accumulates of one picture, and parameters."""
    total = [0]

    def count(m, i, o):
        total[0] += o.numel() * m.in_channels // m.groups * m.kernel_size[0] * m.kernel_size[1]

    hooks = [m.register_forward_hook(count) for m in net.modules() if isinstance(m, nn.Conv2d)]
    with torch.no_grad():
        net.eval()(torch.zeros(1, 1, h, w))
    for k in hooks:
        k.remove()
    return total[0], sum(p.numel() for p in net.parameters())


if __name__ == "__main__":
    for name in PROFILES:
        long = LONG[name]
        for h, w in [(long * 9 // 16 // 32 * 32 + 32, long), (long * 3 // 4 // 32 * 32 + 32, long)]:
            macs, params = cost(Street(name), h, w)
            print(f"{name} {w}x{h}: {macs / 1e6:.1f} MMAC, {params / 1e6:.2f} M parameters")
