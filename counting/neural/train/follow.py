"""Labels the pictures of unlabelled clips by following a teacher's boxes through them.

    python3 follow.py -clips CLIPS -boxes BOXES -weights OUT/street-large.pt -out OUT

CLIPS holds clips as .avi, BOXES a text file for each clip with a line for each
box: picture, class, x0, y0, x1, y1, score. One picture misses what the next
ones show: a person who was found in five of them is there in between, too, and
what stays at one place in clips of several hours is a thing. OUT gets pictures,
labels and a manifest as the training data have them.

    people    followed, moving at a walker's speed: boxes; found where none could be followed: looked away from
    vehicles  cars of a sure teacher: boxes; the others: looked away from
    riders    tracks that are too fast, or where the network of WEIGHTS sees a rider: looked away from
    motion    that no box explains: looked away from
    things    "people" at one place in the clips of several hours: background
"""
import argparse
import glob
import json
import os
import subprocess

import numpy as np
import torch
from PIL import Image

from data import overlap
from evaluate import detect, iou
from net import CLASSES, LONG, Street

W, H, RATE = 352, 288, 25 / 6  # of the clips; looks a second
LEAST, SURE = 0.1, 0.5  # scores of the teacher
NAMES = {"person": 0, "bicycle": 1, "motorcycle": 2, "car": 3, "heavy": 4}


def frames(clip):
    raw = subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-threads", "1", "-i", clip, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "-"],
                         stdout=subprocess.PIPE, check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, H, W)


def read(path):
    """Boxes by picture: [n, 6] class x0 y0 x1 y1 score."""
    found = {}
    with open(path) as f:
        for line in f:
            i, name, *v = line.split()
            if float(v[4]) >= LEAST:
                found.setdefault(int(i), []).append([NAMES[name], *map(float, v)])
    return {i: np.array(b, np.float32) for i, b in found.items()}


class Track:
    def __init__(self, i, box):
        self.at, self.boxes, self.v = [i], [box], np.zeros(2)

    def guess(self, i):
        b = self.boxes[-1][1:5].copy()
        b[[0, 2]] += self.v[0] * (i - self.at[-1])
        b[[1, 3]] += self.v[1] * (i - self.at[-1])
        return b

    def add(self, i, box):
        step = (middle(box) - middle(self.boxes[-1])) / (i - self.at[-1])
        self.v = step if len(self.at) == 1 else 0.6 * self.v + 0.4 * step
        self.at.append(i)
        self.boxes.append(box)

    def height(self):
        return float(np.median([b[4] - b[2] for b in self.boxes]))

    def speed(self):
        """Heights a second, end to end."""
        way = np.hypot(*(middle(self.boxes[-1]) - middle(self.boxes[0])))
        return way / self.height() * 2 * RATE / max(self.at[-1] - self.at[0], 1)

    def way(self):
        return np.hypot(*(middle(self.boxes[-1]) - middle(self.boxes[0]))) / self.height()

    def score(self):
        return float(np.mean([b[5] for b in self.boxes]))


def middle(b):
    return np.array([(b[1] + b[3]) / 2, (b[2] + b[4]) / 2])


def link(found, steps, cls=0, gap=6):
    """Tracks of one class, the nearest pairs first."""
    live, done = [], []
    for i in steps:
        b = found.get(i, np.zeros((0, 6), np.float32))
        b = b[b[:, 0] == cls]
        pairs = []
        for k, t in enumerate(live):
            g = t.guess(i)
            tall = g[3] - g[1]
            for j, x in enumerate(b):
                far = np.hypot((g[0] + g[2] - x[1] - x[3]) / 2, (g[1] + g[3] - x[2] - x[4]) / 2)
                if far < 0.45 * tall and 0.6 < (x[4] - x[2]) / tall < 1.65:
                    pairs.append((far / tall, k, j))
        used, taken = set(), set()
        for _, k, j in sorted(pairs):
            if k not in used and j not in taken:
                used.add(k), taken.add(j)
                live[k].add(i, b[j])
        done += [t for t in live if i - t.at[-1] > gap]
        live = [t for t in live if i - t.at[-1] <= gap] + [Track(i, x) for j, x in enumerate(b) if j not in taken]
    return done + live


def fill(t):
    """A followed object's boxes by picture, those between two finds too."""
    out = {}
    for k in range(len(t.at) - 1):
        a, b = t.boxes[k], t.boxes[k + 1]
        for i in range(t.at[k], t.at[k + 1], 2):
            f = (i - t.at[k]) / (t.at[k + 1] - t.at[k])
            out[i] = a * (1 - f) + b * f
    out[t.at[-1]] = t.boxes[-1]
    return out


def still(tracks):
    """Where the teacher sees a person who does not move, for a good part of the clip."""
    return [np.median([b[1:5] for b in t.boxes], 0) for t in tracks if len(t.at) >= 12 and t.way() < 0.25]


def moved(pictures):
    """Boxes of what differs from the clip's median picture, by picture."""
    from_median = np.abs(pictures.astype(np.int16) - np.median(pictures[::4], 0).astype(np.int16)).astype(np.uint8)
    return from_median.reshape(len(pictures), H // 8, 8, W // 8, 8).mean((2, 4)) > 9


def labels(i, tracks, found, motion, things, riders, seen):
    """Label rows of picture i: class x0 y0 x1 y1 score kind. seen: boxes of the network."""
    rows = []
    for t, boxes in tracks:
        if i in boxes:
            rows.append([0, *boxes[i][1:5], max(t.score(), 0.6), "t"])
    known = np.array([r[1:5] for r in rows] or np.zeros((0, 4)), np.float32)
    for b in found.get(i, ()):
        c = int(b[0])
        if c == 0:
            if len(known) and iou(b[1:5], known).max() > 0.4:
                continue
            if len(things) and iou(b[1:5], things).max() > 0.45:
                continue
            rows.append([-1, *b[1:5], b[5], "i"])
        else:
            rows.append([3, *b[1:5], b[5], "t"] if c == 3 and b[5] >= SURE else [-1, *b[1:5], b[5], "i"])
    for b in [*riders.get(i, ()), *seen]:
        if not len(known) or iou(b, known).max() < 0.4:
            rows.append([-1, *b, 0.5, "i"])
    known = np.array([r[1:5] for r in rows] or np.zeros((0, 4)), np.float32)
    for y, x in np.argwhere(motion[i]):
        cell = np.array([x * 8, y * 8, x * 8 + 8, y * 8 + 8], np.float32)
        if not len(known) or overlap(cell, known).max() < 0.2:
            rows.append([-1, *cell, 0.5, "i"])
    return rows


def ridden(box, seen):
    """Whether the network sees a rider rather than a walker there."""
    there = seen[iou(box[1:5], seen[:, 1:5]) > 0.35] if len(seen) else seen
    wheels, feet = there[np.isin(there[:, 0], (1, 2))], there[there[:, 0] == 0]
    return len(wheels) and (not len(feet) or wheels[:, 5].max() > feet[:, 5].max())


def main():
    p = argparse.ArgumentParser()
    p.add_argument("-clips", required=True)
    p.add_argument("-boxes", required=True)
    p.add_argument("-profile", default="street-large")
    p.add_argument("-weights", required=True)
    p.add_argument("-out", required=True)
    a = p.parse_args()
    torch.set_num_threads(1)
    net = Street(a.profile)
    net.load_state_dict(torch.load(a.weights))
    net.eval()
    clips = {}
    for path in sorted(glob.glob(os.path.join(a.boxes, "*.gob"))):
        name = os.path.splitext(os.path.basename(path))[0]
        found = read(path)
        steps = range(0, 84, 2)
        clips[name] = found, link(found, steps)
    # A place where "people" stand in clips of at least three hours.
    places = [(n[:5], n[6:8], b) for n, (_, tracks) in clips.items() for b in still(tracks)]
    for d in ("images/follow", "labels/follow"):
        os.makedirs(os.path.join(a.out, d), exist_ok=True)
    rows, count = [], {"people": 0, "tracks": 0, "things": 0, "pictures": 0, "away": 0, "ridden": 0}
    for name, (found, tracks) in clips.items():
        camera, hour = name[:5], name[6:8]
        things = []
        for b in still(tracks):
            hours = {h for c, h, o in places if c == camera and iou(b, o[None])[0] > 0.4}
            if len(hours) >= 3:
                things.append(b)
        things = np.array(things, np.float32).reshape(-1, 4)
        good, riders = [], {}
        for t in tracks:
            if len(t.at) < 5 or max(b[5] for b in t.boxes) < 0.45 or t.score() < 0.25:
                continue
            boxes = fill(t)
            wheels = sum(len(found.get(i, ())) > 0 and any(o[0] in (1, 2) and overlap(b[1:5], o[None, 1:5])[0] > 0.3 for o in found[i]) for i, b in zip(t.at, t.boxes))
            if wheels >= 2 or t.speed() > 1.5:
                for i, b in boxes.items():
                    riders.setdefault(i, []).append(b[1:5])
            elif t.way() > 0.7 or t.score() > 0.6 and not (len(things) and iou(t.boxes[0][1:5], things).max() > 0.3):
                good.append((t, boxes))
        pictures = frames(os.path.join(a.clips, name + ".avi"))
        motion = moved(pictures)
        n = sum(len(b) for _, b in good)
        chosen = sorted(range(4, len(pictures) - 4, 2), key=lambda i: -sum(i in b for _, b in good))
        chosen = [i for k, i in enumerate(sorted(chosen[:20])) if k % 3 == 0] if n else [20]
        looks = {i: detect(net, pictures[i], LONG[a.profile], 0.2) for i in chosen}
        for t, boxes in list(good):
            if any(ridden(boxes[i], looks[i]) for i in chosen if i in boxes):
                good.remove((t, boxes))
                count["ridden"] += 1
                for i, b in boxes.items():
                    riders.setdefault(i, []).append(b[1:5])
        for i in chosen:
            lines = labels(i, good, found, motion, things, riders, looks[i][looks[i][:, 5] >= 0.5][:, 1:5])
            file = f"follow/{name}_{i:03d}"
            Image.fromarray(pictures[i]).save(os.path.join(a.out, f"images/{file}.jpg"), quality=92)
            with open(os.path.join(a.out, f"labels/{file}.txt"), "w") as f:
                for c, x0, y0, x1, y1, score, kind in lines:
                    f.write(f"{c} {(x0 + x1) / 2 / W:.5f} {(y0 + y1) / 2 / H:.5f} {(x1 - x0) / W:.5f} {(y1 - y0) / H:.5f} {score:.3f} {kind}\n")
            rows.append({"file": f"images/{file}.jpg", "label": f"labels/{file}.txt", "split": "train", "source": "follow", "scene": name,
                         "licence_class": "permissive", "annotated": CLASSES})
            count["people"] += sum(r[0] == 0 for r in lines)
            count["away"] += sum(r[0] < 0 for r in lines)
        count["tracks"] += len(good)
        count["things"] += len(things)
    count["pictures"] = len(rows)
    with open(os.path.join(a.out, "manifest.jsonl"), "w") as f:
        f.writelines(json.dumps(r) + "\n" for r in rows)
    print(count)


if __name__ == "__main__":
    main()
