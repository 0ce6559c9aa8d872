"""Pictures and labels: what is read, what is believed, how it is bent.

A sample is luma of a fixed size, boxes with class and belief, regions to look
away from, and for each class how much a place without a box counts as proof
that nothing is there.
"""
import io
import json
import os

import numpy as np
from PIL import Image, ImageFilter

from net import CLASSES, STRIDES

PAD = 114

# BLIND names the classes of which a source shows more than its labels tell: a
# place without a box proves next to nothing about them, whatever the manifest
# lists as annotated. Teachers overlooked small people and bicycles; jamcam2 has
# boxes for people and riders who moved and none for vehicles; in coco_by and
# coco_by2 only people were drawn.
BLIND = {"jamcam": ("person", "bicycle", "motorcycle"), "hwyeng": ("person", "bicycle", "motorcycle"),
         "odc": ("person", "bicycle"), "topview": ("person", "bicycle"), "atl": ("person",), "jamcam2": tuple(CLASSES),
         "coco_by": ("bicycle", "motorcycle", "car", "heavy"), "coco_by2": ("bicycle", "motorcycle", "car", "heavy")}

# TURNS says how often a source is drawn, beside the number of its pictures. Few
# cameras filmed most pictures of caxtiq and atl; small people and cyclists come
# from London, Lund and marcel; photographs at eye level and rendered ones are
# least like what a camera over a street sees.
TURNS = {"caxtiq": 0.6, "atl": 0.6, "topview": 0.4, "marcel": 2.0, "jamcam": 1.3, "jamcam2": 2.0, "jamcam3": 4.0, "lund": 3.0,
         "intel_pbc": 2.0, "deecycling": 0.6, "carla": 0.4, "coco_by2": 0.5, "oiveh": 0.7, "clips": 2.0, "scene": 0.45, "follow": 2.5,
         "coco_l": 1.5, "lschen": 1.0, "clips2": 1.5, "clips3": 2.0, "hwyeng": 1.5, "odc": 2.0, "pennfudan": 1.0}


class Picture:
    """One labelled picture. boxes: [n, 6] class x0 y0 x1 y1 belief, pixels; class -1 is looked away from."""

    def __init__(self, root, row, labels=None, things=()):
        self.source, self.scene = row["source"], row.get("scene", row["file"])
        self.luma = np.asarray(Image.open(os.path.join(root, row["file"])).convert("L"))
        h, w = self.luma.shape
        boxes = []
        with open(os.path.join(labels or root, row["label"])) as f:
            for i, line in enumerate(f):
                if not labels and i in things:
                    continue
                c, cx, cy, bw, bh, score, kind = line.split()
                c, cx, cy, bw, bh = int(c), float(cx) * w, float(cy) * h, float(bw) * w, float(bh) * h
                belief = 1.0 if kind == "h" else max(float(score), 0.5)
                boxes.append([c, cx - bw / 2, cy - bh / 2, cx + bw / 2, cy + bh / 2, belief, kind in "hc"])
        self.boxes = mend(np.array(boxes, np.float32).reshape(-1, 7), w, h)
        self.proof = np.ones(len(CLASSES), np.float32)
        for i, c in enumerate(CLASSES):
            if c in BLIND.get(self.source, ()):
                self.proof[i] = 0.15
            elif c not in row["annotated"]:
                self.proof[i] = 0.5


def mend(boxes, w, h):
    """Takes back what was merged by mistake or is no box: an edge of two
    pixels, a box over the whole picture."""
    bw, bh = boxes[:, 3] - boxes[:, 1], boxes[:, 4] - boxes[:, 2]
    keep = (bw >= 3) & (bh >= 3) & ((bw < 0.98 * w) | (bh < 0.98 * h))
    # A person as wide as high is a sign, a balloon, half of somebody.
    odd = (boxes[:, 0] == 0) & (bw > 1.15 * bh) & (boxes[:, 6] == 0)
    boxes[odd, 0] = -1
    return boxes[keep]


def load(root, split, licences, more=(), labels=None):
    """All pictures of a split whose licence class is wanted, for training those of
    the folders more, too; labels is where revised ones of root lie."""
    pictures, things = [], looked(root)
    for where in [root, *(more if split == "train" else ())]:
        with open(os.path.join(where, "manifest.jsonl")) as f:
            for line in f:
                row = json.loads(line)
                if row["split"] == split and row["licence_class"] in licences:
                    pictures.append(Picture(where, row, labels if where == root else None, things.get(row["label"], ())))
    return pictures


def looked(root):
    """Lines of label files that are no ignore region but background: a teacher
    saw a person there and a reader a static thing, as signs, poles and umbrellas."""
    path, things = os.path.join(root, "caxtiq-people-read.jsonl"), {}
    if os.path.exists(path):
        with open(path) as f:
            for row in map(json.loads, f):
                if row["seen"] == "thing":
                    things.setdefault(row["label"], set()).add(row["line"])
    return things


class Street:
    """Draws training samples without end; every worker has its own."""

    def __init__(self, pictures, seed, zoom=1.0):
        """zoom: how much larger pictures are shown than to a network of 416 pixels a side."""
        self.all, self.rng, self.zoom = pictures, np.random.default_rng(seed), zoom
        self.turns = np.array([TURNS.get(p.source, 1.0) for p in pictures])
        # Pictures with people come more often, and those with bicycles, of
        # which there is one to thirty motorcycles, much more often.
        for i, p in enumerate(pictures):
            people, bicycles, heavy = ((p.boxes[:, 0] == c).sum() for c in (0, 1, 4))
            self.turns[i] *= 1 + 0.2 * min(people, 8) + (1.2 * min(bicycles, 4) + 0.25 * min(heavy, 3) if p.source != "scene" else 0)
        self.turns /= self.turns.sum()
        self.cutouts = [[(i, j) for i, p in enumerate(pictures) for j, b in enumerate(p.boxes)
                         if p.source != "scene" and b[0] == c and b[5] >= 0.75 and b[4] - b[2] >= 18 and clear(p, j)] for c in (0, 1)]

    def pick(self):
        return self.all[self.rng.choice(len(self.all), p=self.turns)]

    def sample(self, w, h):
        """Returns luma [h, w] uint8, boxes [n, 6] and proof [cells, classes]:
        how much it counts if a cell sees a class where no box is."""
        rng = self.rng
        canvas = np.full((h, w), PAD, np.uint8)
        boxes, regions, proofs = [], [], []
        if rng.random() < 0.45:
            cx, cy = int(w * rng.uniform(0.3, 0.7)), int(h * rng.uniform(0.3, 0.7))
            tiles = [(0, 0, cx, cy), (cx, 0, w, cy), (0, cy, cx, h), (cx, cy, w, h)]
        else:
            tiles = [(0, 0, w, h)]
        for x0, y0, x1, y1 in tiles:
            p = self.pick()
            piece, b = bend(p, x1 - x0, y1 - y0, rng, self.zoom)
            canvas[y0:y1, x0:x1] = piece
            b[:, [1, 3]] += x0
            b[:, [2, 4]] += y0
            boxes.append(b[b[:, 0] >= 0])
            regions.append(b[b[:, 0] < 0][:, 1:5])
            proofs.append((x0, y0, x1, y1, p.proof))
        boxes, regions = np.concatenate(boxes), np.concatenate(regions)
        if all(self.cutouts) and rng.random() < 0.4:
            boxes = self.paste(canvas, boxes, rng.integers(1, 6))
        return weather(canvas, rng), boxes[:, :6], prove(w, h, regions, proofs)

    def paste(self, canvas, boxes, n):
        """Puts people and cyclists where no object is: their edges are faded, for
        a frame around them would be what is learnt. Every third person brings
        one to three others of about the same height, side by side or half behind."""
        rng, (h, w) = self.rng, canvas.shape
        for _ in range(n):
            kind = int(rng.random() < 0.4)
            tall = np.exp(rng.uniform(np.log(9), np.log(110))) * self.zoom
            first = self.put(canvas, boxes, kind, tall, None)
            if first is None:
                continue
            group, boxes = [first], np.concatenate([boxes, [first]]).astype(np.float32)
            for _ in range(rng.integers(1, 4) if kind == 0 and rng.random() < 0.35 else 0):
                b = group[rng.integers(len(group))]
                wide, side = b[3] - b[1], 1 if rng.random() < 0.5 else -1
                at = ((b[1] + b[3]) / 2 + side * wide * rng.uniform(0.55, 1.3), b[4] + (b[4] - b[2]) * rng.normal(0, 0.06))
                other = self.put(canvas, boxes, 0, (b[4] - b[2]) * np.exp(rng.normal(0, 0.08)), at)
                if other is not None:
                    group.append(other)
                    boxes = np.concatenate([boxes, [other]]).astype(np.float32)
        return boxes

    def put(self, canvas, boxes, kind, tall, at):
        """Draws one cutout of about that height, with its feet at a place or
        anywhere, and returns its box, or None where there is no room. Beside
        another of its group it may hide up to 0.45 of it."""
        rng, (h, w) = self.rng, canvas.shape
        i, j = self.cutouts[kind][rng.integers(len(self.cutouts[kind]))]
        p, b = self.all[i], self.all[i].boxes[j]
        x0, y0, x1, y1 = [int(round(v)) for v in (b[1] - 1, b[2] - 1, b[3] + 1, b[4] + 1)]
        x0, y0 = max(x0, 0), max(y0, 0)
        patch = p.luma[y0:y1, x0:x1]
        k = min(tall, patch.shape[0] * 2.2 * self.zoom) / patch.shape[0]
        pw, ph = max(int(patch.shape[1] * k), 3), max(int(patch.shape[0] * k), 6)
        if pw >= w - 2 or ph >= h - 2:
            return None
        px, py = (rng.integers(0, w - pw), rng.integers(0, h - ph)) if at is None else (int(at[0] - pw / 2), int(at[1] - ph))
        if px < 0 or py < 0 or px + pw > w or py + ph > h:
            return None
        box = np.array([px, py, px + pw, py + ph], np.float32)
        if len(boxes) and overlap(box, boxes[:, 1:5]).max() > (0.15 if at is None else 0.45):
            return None
        img = Image.fromarray(patch)
        if rng.random() < 0.5:
            img = img.transpose(Image.FLIP_LEFT_RIGHT)
        patch = np.asarray(img.resize((pw, ph), Image.BOX if k < 0.7 else Image.BILINEAR), np.float32)
        under = canvas[py:py + ph, px:px + pw].astype(np.float32)
        # Near the grey of the wall behind, and with less contrast, for those are missed.
        patch = (patch - patch.mean()) * rng.uniform(0.55, 1.1) + patch.mean() + rng.uniform(0.1, 0.75) * (under.mean() - patch.mean())
        yy, xx = np.mgrid[0:ph, 0:pw]
        r = np.maximum(np.abs((xx + 0.5) / pw - 0.5), np.abs((yy + 0.5) / ph - 0.5) * 0.93) * 2
        alpha = np.clip((1.0 - r) / 0.3, 0, 1)
        canvas[py:py + ph, px:px + pw] = np.clip(under + alpha * (patch - under), 0, 255)
        return [b[0], *box, b[5], 1]


def prove(w, h, regions, proofs):
    levels = []
    for s in STRIDES:
        x, y = np.arange(w // s) * s + s / 2, np.arange(h // s) * s + s / 2
        grid = np.ones((h // s, w // s, len(CLASSES)), np.float32)
        for x0, y0, x1, y1, proof in proofs:
            grid[np.ix_((y >= y0) & (y < y1), (x >= x0) & (x < x1))] = proof
        for x0, y0, x1, y1 in regions:
            grid[np.ix_((y >= y0 - 1) & (y <= y1 + 1), (x >= x0 - 1) & (x <= x1 + 1))] = 0
        levels.append(grid.reshape(-1, len(CLASSES)))
    return np.concatenate(levels)


def clear(p, j):
    """Nothing else overlaps box j."""
    o = overlap(p.boxes[j, 1:5], p.boxes[:, 1:5])
    o[j] = 0
    return o.max() < 0.1


def overlap(box, boxes):
    """Shared area as a part of the smaller one."""
    w = np.minimum(box[2], boxes[:, 2]) - np.maximum(box[0], boxes[:, 0])
    h = np.minimum(box[3], boxes[:, 3]) - np.maximum(box[1], boxes[:, 1])
    area = lambda b: (b[..., 2] - b[..., 0]) * (b[..., 3] - b[..., 1])
    return np.clip(w, 0, None) * np.clip(h, 0, None) / np.maximum(np.minimum(area(box), area(boxes)), 1e-3)


def bend(p, w, h, rng, zoom=1.0):
    """A piece of w x h of picture p, scaled, stretched, turned a little and mirrored at random."""
    H, W = p.luma.shape
    # Small enough to see far, but not so small that most of the piece is empty.
    k = max(zoom * np.exp(rng.uniform(np.log(0.5), np.log(1.7))), 0.9 * min(w / W, h / H))
    near = False
    if rng.random() < 0.25 and np.isin(p.boxes[:, 0], (0, 1)).any():
        k, near = zoom * rng.uniform(1.5, 3.5), True  # people who stand near are scarce
    kx, ky = k * np.exp(rng.uniform(-0.12, 0.12)), k * np.exp(rng.uniform(-0.12, 0.12))
    turn = np.deg2rad(rng.normal(0, 2.0)) if rng.random() < 0.4 else 0.0
    flip = -1.0 if rng.random() < 0.5 else 1.0
    luma, pre = p.luma, 1.0
    if k < 0.6:  # area first, or a bilinear step would skip pixels
        pre = 0.5
        luma = np.asarray(Image.fromarray(luma).reduce(2))
    # out = A (in - middle) + to
    c, s = np.cos(turn), np.sin(turn)
    A = np.array([[c * kx * flip, -s * ky], [s * kx * flip, c * ky]])
    span = np.abs(A) @ np.array([W / 2, H / 2])
    to = np.array([aim(w, span[0], rng), aim(h, span[1], rng)])
    if near:  # somebody into the middle, about
        b = p.boxes[rng.choice(np.flatnonzero(np.isin(p.boxes[:, 0], (0, 1))))]
        at = A @ np.array([(b[1] + b[3] - W) / 2, (b[2] + b[4] - H) / 2])
        to = np.array([rng.uniform(0.25, 0.75) * w, rng.uniform(0.35, 0.65) * h]) - at
    inv = np.array([[A[1, 1], -A[0, 1]], [-A[1, 0], A[0, 0]]]) / (A[0, 0] * A[1, 1] - A[0, 1] * A[1, 0])
    off = np.array([W / 2, H / 2]) - inv @ to
    m = [inv[0, 0] * pre, inv[0, 1] * pre, off[0] * pre, inv[1, 0] * pre, inv[1, 1] * pre, off[1] * pre]
    piece = np.asarray(Image.fromarray(luma).transform((w, h), Image.AFFINE, m, Image.BILINEAR, fillcolor=PAD))
    b = p.boxes.copy()
    mid = np.stack([(b[:, 1] + b[:, 3]) / 2 - W / 2, (b[:, 2] + b[:, 4]) / 2 - H / 2], 1) @ A.T + to
    half = np.stack([(b[:, 3] - b[:, 1]) * kx, (b[:, 4] - b[:, 2]) * ky], 1) / 2
    whole = 4 * half[:, 0] * half[:, 1]
    b[:, 1:3], b[:, 3:5] = mid - half, mid + half
    b[:, [1, 3]] = b[:, [1, 3]].clip(0, w)
    b[:, [2, 4]] = b[:, [2, 4]].clip(0, h)
    bw, bh = b[:, 3] - b[:, 1], b[:, 4] - b[:, 2]
    left = bw * bh / np.maximum(whole, 1e-3)
    b = b[(bw > 1) & (bh > 1)]
    left, bw, bh = left[(bw > 1) & (bh > 1)], bw[(bw > 1) & (bh > 1)], bh[(bw > 1) & (bh > 1)]
    b[(left < 0.35) | (bw < 2.5) | (bh < 4), 0] = -1  # too little of it, or too small, to be asked for
    return piece, b


def aim(room, span, rng):
    """Where the picture's middle comes to lie in a side of so many pixels."""
    if 2 * span > room:
        return rng.uniform(room - span, span)
    return rng.uniform(span, room - span) if rng.random() < 0.5 else span


def weather(luma, rng):
    """Light, lens, sensor, rain and compression of cheap cameras on bad days."""
    x = luma.astype(np.float32)
    h, w = x.shape
    if rng.random() < 0.25:  # a picture that was smaller once
        k = rng.uniform(0.45, 0.9)
        small = Image.fromarray(luma).resize((int(w * k), int(h * k)), Image.BOX)
        x = np.asarray(small.resize((w, h), Image.BILINEAR), np.float32)
    if rng.random() < 0.2:
        x = np.asarray(Image.fromarray(x.astype(np.uint8)).filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 1.3))), np.float32)
    if rng.random() < 0.06:  # shake
        n, way = int(rng.integers(2, 5)), rng.integers(0, 2)
        x = np.mean([np.roll(x, i, way) for i in range(n)], 0)
    if rng.random() < 0.7:  # exposure and tone
        x = 255 * (np.clip(x, 0, 255) / 255) ** np.exp(rng.normal(0, 0.35))
        x = (x - 128) * np.exp(rng.normal(0, 0.25)) + 128 + rng.normal(0, 18)
    if rng.random() < 0.15:  # fog, a veil of low sun or a dirty lens
        a = rng.uniform(0.25, 0.8)
        veil = rng.uniform(90, 235) + np.linspace(-30, 30, h)[:, None] * rng.uniform(-1, 1)
        x = x * a + veil * (1 - a)
    if rng.random() < 0.12:  # dusk and night
        x = x * rng.uniform(0.2, 0.6) + rng.uniform(0, 25)
    if rng.random() < 0.05:  # the infrared lamp of a camera: bright middle, dark rim
        yy, xx = np.mgrid[-1:1:h * 1j, -1:1:w * 1j]
        x = x * np.exp(-(xx ** 2 + yy ** 2) * rng.uniform(0.3, 1.2))
    if rng.random() < 0.06:  # rain
        for _ in range(rng.integers(10, 60)):
            rx, ry, rl = rng.integers(0, w), rng.integers(0, h), rng.integers(4, 14)
            x[ry:ry + rl, rx] += rng.uniform(10, 45)
    if rng.random() < 0.5:
        x += rng.standard_normal((h, w), np.float32) * rng.exponential(5)
    x = np.clip(x, 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        buf = io.BytesIO()
        Image.fromarray(x).save(buf, "JPEG", quality=int(rng.integers(18, 80)))
        x = np.asarray(Image.open(buf))
    return x
