"""Trains the street network. One command, from pictures to an ONNX file:

    python3 train.py -data SHARED/training -scenes SCENES -profile street -licences permissive -out OUT

Debian's python3-torch, python3-numpy and python3-pil are all it needs. SCENES
is what `go run ./test/scenes` wrote. OUT gets street.pt (the averaged
weights), log.csv and, at the end, street.onnx.
"""
import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"  # before numpy: two threads wait for each other longer than they reckon

import argparse
import copy
import csv
import math
import random
import time

import numpy as np
import torch

import data
import evaluate
import export
from loss import candidates, loss
from net import Street, cells, cost, grid

SIZES = [(320, 192), (256, 224), (288, 192), (224, 256)]


class Feed(torch.utils.data.IterableDataset):
    def __init__(self, pictures, batch, seed):
        self.pictures, self.batch, self.seed = pictures, batch, seed

    def __iter__(self):
        torch.set_num_threads(1)
        info = torch.utils.data.get_worker_info()
        number = info.id if info else 0
        if info:
            os.nice(3)
        street = data.Street(self.pictures, self.seed * 100 + number)
        while True:
            w, h = SIZES[street.rng.integers(len(SIZES))]
            yield collate([street.sample(w, h) for _ in range(self.batch)], w, h)


def collate(samples, w, h):
    centres, strides = (v.numpy() for v in grid(w, h))
    truth, pair = [], []
    boxes, n = 0, len(centres)
    for i, (_, b, _) in enumerate(samples):
        truth.append(b)
        pair.append(candidates(b, centres, strides) + [boxes, i * n])
        boxes += len(b)
    return (torch.from_numpy(np.stack([s[0] for s in samples]))[:, None], torch.from_numpy(np.concatenate(truth)).float(),
            torch.from_numpy(np.concatenate(pair)), torch.from_numpy(np.stack([s[2] for s in samples])))


def rate(step, steps, peak):
    """Learning rate: a warm-up, then a cosine to a twentieth."""
    warm = min(400, steps // 10)
    if step < warm:
        return peak * (step + 1) / warm
    return peak * (0.05 + 0.95 * (1 + math.cos(math.pi * (step - warm) / max(steps - warm, 1))) / 2)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("-data", required=True)
    p.add_argument("-scenes")
    p.add_argument("-profile", default="street")
    p.add_argument("-licences", default="permissive", help="permissive, or permissive,unclear")
    p.add_argument("-steps", type=int, default=20000)
    p.add_argument("-batch", type=int, default=16)
    p.add_argument("-peak", type=float, default=2e-3)
    p.add_argument("-seed", type=int, default=1)
    p.add_argument("-labels", help="revised labels, of relabel.py")
    p.add_argument("-from", dest="start", help="weights to begin with")
    p.add_argument("-out", required=True)
    a = p.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(a.seed)
    random.seed(a.seed)
    os.makedirs(a.out, exist_ok=True)

    licences = a.licences.split(",")
    pictures = data.load(a.data, "train", licences, a.scenes, a.labels)
    checks = data.load(a.data, "val", ["permissive", "unclear"])
    quick = checks[::6]
    net = Street(a.profile)
    macs, params = cost(net, 256, 416)
    print(f"{len(pictures)} pictures to learn from, {len(checks)} to check with; {macs / 1e6:.0f} MMAC, {params / 1e3:.0f} k parameters", flush=True)
    if a.start:
        net.load_state_dict(torch.load(a.start))
    net = net.to(memory_format=torch.channels_last)
    average = copy.deepcopy(net)

    decay = [q for n, q in net.named_parameters() if q.ndim > 1]
    plain = [q for n, q in net.named_parameters() if q.ndim <= 1]
    opt = torch.optim.AdamW([{"params": decay, "weight_decay": 0.02}, {"params": plain, "weight_decay": 0}], lr=a.peak)
    feed = iter(torch.utils.data.DataLoader(Feed(pictures, a.batch, a.seed), batch_size=None, num_workers=1, prefetch_factor=8))
    log = open(os.path.join(a.out, "log.csv"), "a", buffering=1)
    begun, sums, n, last = time.time(), np.zeros(2), 0, time.time()
    for step in range(a.steps):
        net.train()
        x, truth, pair, proof = next(feed)
        for g in opt.param_groups:
            g["lr"] = rate(step, a.steps, a.peak)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out = net((x.float() / 255).contiguous(memory_format=torch.channels_last))
        logits, boxes, _, strides = cells(out)
        what, where = loss(logits, boxes, strides, truth, pair, proof)
        opt.zero_grad()
        (what + 1.5 * where).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10)
        opt.step()
        keep = min(0.9995, (1 + step) / (20 + step))
        with torch.no_grad():
            for e, q in zip(average.state_dict().values(), net.state_dict().values()):
                e.copy_(q) if not e.dtype.is_floating_point else e.lerp_(q, 1 - keep)
        sums += [float(what), float(where)]
        n += 1
        if time.time() - last > 60 or step == a.steps - 1:
            pace = (step + 1) * a.batch / (time.time() - begun)
            print(f"{time.time() - begun:6.0f} s  step {step + 1}/{a.steps}  class {sums[0] / n:.3f}  box {sums[1] / n:.3f}  {pace:.0f} pictures/s", flush=True)
            sums, n, last = np.zeros(2), 0, time.time()
        if (step + 1) % 2000 == 0 or step == a.steps - 1:
            done = step == a.steps - 1
            ap = evaluate.evaluate(average, checks if done else quick)
            csv.writer(log).writerow([step + 1, round(time.time() - begun)] + [round(v, 4) for v in ap.values()])
            print("AP50 " + ("all " if done else "sixth ") + "  ".join(f"{k} {v:.3f}" for k, v in ap.items()), flush=True)
            torch.save(average.state_dict(), os.path.join(a.out, a.profile + ".pt"))
            export.write(average, os.path.join(a.out, a.profile + ".onnx"))


if __name__ == "__main__":
    main()
