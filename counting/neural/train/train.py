"""Trains the street network. One command, from pictures to an ONNX file:

    python3 train.py -data SHARED/training -scenes SCENES -profile street -licences permissive -out OUT

Debian's python3-torch, python3-numpy and python3-pil are all it needs. SCENES
is what `go run ./test/scenes` wrote. OUT gets street.pt (the averaged
weights), street.onnx, log.csv and street.ckpt, from which the same command
goes on where the last one was stopped. SIGTERM ends it after the step it is in,
with a checkpoint.
"""
import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"  # before numpy: two threads wait for each other longer than they reckon

import argparse
import copy
import csv
import math
import signal
import time

import numpy as np
import torch

import data
import evaluate
import export
import shipped
from loss import candidates, loss
from net import LONG, Street, cells, cost, grid, grow

# Sizes of a batch's pictures: pieces of what a network sees.
SIZES = {"street": [(320, 192), (256, 224), (288, 192), (224, 256)], "street-large": [(448, 288), (384, 320), (416, 288), (320, 384)]}
SIZES["street-small"] = SIZES["street"]


def draw(street, batch, sizes):
    """Makes one batch in the thread that learns from it, so that the state of
    street.rng is the whole state of the feed."""
    w, h = sizes[street.rng.integers(len(sizes))]
    return collate([street.sample(w, h) for _ in range(batch)], w, h)


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


def save(path, state):
    """Writes state beside path and renames it, so that a kill leaves the old file or the new one."""
    torch.save(state, path + ".new")
    os.replace(path + ".new", path)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("-data", required=True)
    p.add_argument("-scenes")
    p.add_argument("-follow", help="pictures of follow.py")
    p.add_argument("-profile", default="street")
    p.add_argument("-licences", default="permissive", help="permissive, or permissive,unclear")
    p.add_argument("-steps", type=int, default=20000)
    p.add_argument("-batch", type=int, default=16)
    p.add_argument("-peak", type=float, default=2e-3)
    p.add_argument("-seed", type=int, default=1)
    p.add_argument("-labels", help="revised labels, of relabel.py")
    p.add_argument("-from", dest="start", help="weights to begin with: a .pt, or a shipped .kerb")
    p.add_argument("-out", required=True)
    a = p.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(a.seed)
    os.makedirs(a.out, exist_ok=True)

    # A checkpoint is taken up only under the settings that it was written with.
    ckpt = os.path.join(a.out, a.profile + ".ckpt")
    settings = {k: getattr(a, k) for k in ("profile", "licences", "steps", "batch", "peak", "seed")}
    state = torch.load(ckpt, weights_only=False) if os.path.exists(ckpt) else {"step": 0, "seconds": 0.0, "settings": settings}
    if state["settings"] != settings:
        raise SystemExit(f"{ckpt} was written with {state['settings']}, not {settings}: give another -out")
    if state["step"] == a.steps:
        return print(f"{ckpt}: all {a.steps} steps are made")

    licences = a.licences.split(",")
    pictures = data.load(a.data, "train", licences, [d for d in (a.scenes, a.follow) if d], a.labels)
    checks = data.load(a.data, "val", ["permissive"])
    quick = checks[::6]
    net = Street(a.profile)
    long, sizes = LONG[a.profile], SIZES[a.profile]
    macs, params = cost(net, (long * 9 // 16 + 31) // 32 * 32, long)
    print(f"{len(pictures)} pictures to learn from, {len(checks)} to check with; {macs / 1e6:.0f} MMAC, {params / 1e3:.0f} k parameters", flush=True)
    street = data.Street(pictures, a.seed * 100, long / 416)
    if a.start and not state["step"]:
        if a.start.endswith(".kerb"):
            smaller = Street("street" if a.profile == "street-large" else a.profile)
            shipped.load(a.start, smaller, draw(street, 48, sizes)[0])
            grow(net, smaller.state_dict())
        else:
            grow(net, torch.load(a.start))
        print("begins with AP50 sixth " + "  ".join(f"{k} {v:.3f}" for k, v in evaluate.evaluate(net, quick, long).items()), flush=True)
    net = net.to(memory_format=torch.channels_last)
    average = copy.deepcopy(net)

    decay = [q for n, q in net.named_parameters() if q.ndim > 1]
    plain = [q for n, q in net.named_parameters() if q.ndim <= 1]
    opt = torch.optim.AdamW([{"params": decay, "weight_decay": 0.02}, {"params": plain, "weight_decay": 0}], lr=a.peak)
    if state["step"]:
        net.load_state_dict(state["net"])
        average.load_state_dict(state["average"])
        opt.load_state_dict(state["opt"])
        street.rng.bit_generator.state = state["draws"]
        torch.set_rng_state(state["torch"])
        print(f"goes on after step {state['step']}", flush=True)
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    log = open(os.path.join(a.out, "log.csv"), "a", buffering=1)
    begun, sums, n, last, kept = time.time() - state["seconds"], np.zeros(2), 0, time.time(), time.time()
    for step in range(state["step"], a.steps):
        net.train()
        x, truth, pair, proof = draw(street, a.batch, sizes)
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
        keep = min(0.9995, 1 - 5 / a.steps, (1 + step) / (20 + step))  # over the last fifth of the steps, about
        with torch.no_grad():
            for e, q in zip(average.state_dict().values(), net.state_dict().values()):
                e.copy_(q) if not e.dtype.is_floating_point else e.lerp_(q, 1 - keep)
        sums += [float(what), float(where)]
        n += 1
        if time.time() - last > 60 or step == a.steps - 1:
            pace = (step + 1) * a.batch / (time.time() - begun)
            print(f"{time.time() - begun:6.0f} s  step {step + 1}/{a.steps}  class {sums[0] / n:.3f}  box {sums[1] / n:.3f}  {pace:.0f} pictures/s", flush=True)
            sums, n, last = np.zeros(2), 0, time.time()
        done = step == a.steps - 1
        if (step + 1) % 1000 == 0 or done:
            ap = evaluate.evaluate(average, checks if done else quick, long)
            csv.writer(log).writerow([step + 1, round(time.time() - begun)] + [round(v, 4) for v in ap.values()])
            print("AP50 " + ("all " if done else "sixth ") + "  ".join(f"{k} {v:.3f}" for k, v in ap.items()), flush=True)
            save(os.path.join(a.out, a.profile + ".pt"), average.state_dict())
            export.write(average, os.path.join(a.out, a.profile + ".onnx"), long)
        if (step + 1) % 500 == 0 or time.time() - kept > 600 or stopped or done:
            kept = time.time()
            save(ckpt, {"step": step + 1, "seconds": time.time() - begun, "settings": settings, "net": net.state_dict(), "average": average.state_dict(),
                        "opt": opt.state_dict(), "draws": street.rng.bit_generator.state, "torch": torch.get_rng_state()})
        if stopped and not done:
            raise SystemExit(f"stopped after step {step + 1}; the same command goes on")


if __name__ == "__main__":
    main()
