#!/usr/bin/env python3
"""Makes cases.json by the definitions of README.md; it uses no implementation."""
import json
import math
import random
import statistics

LENS, HORIZON = 1.2, -0.08


class Camera:
    """A pinhole above a flat street; places in metres to pictures in fractions."""

    def __init__(self, up, horizon, lens, aspect):
        self.up, self.horizon, self.lens, self.aspect = up, horizon, lens, aspect

    def picture(self, right, away, up=0.0):
        return [0.5 + self.lens * right / away, self.horizon + self.lens * self.aspect * (self.up - up) / away]

    def height(self, right, away, metres):
        return {"foot": self.picture(right, away), "top": self.picture(right, away, metres), "metres": metres}

    def distance(self, p, q):
        return {"from": self.picture(*p), "to": self.picture(*q), "metres": math.dist(p, q)}


def ground(case):
    """horizon, across and lens of a case."""
    horizon, across, lens = HORIZON, 1.0, LENS
    hs, d = case.get("heights"), case.get("distance")
    if hs:
        a, b = hs
        pa = (a["foot"][1] - a["top"][1]) / a["metres"]
        pb = (b["foot"][1] - b["top"][1]) / b["metres"]
        slope = (pb - pa) / (b["foot"][1] - a["foot"][1])
        horizon, across = a["foot"][1] - pa / slope, case["aspect"] / slope
    if d:
        (x0, z0), (x1, z1) = (locate((horizon, across, lens), d[k]) for k in ("from", "to"))
        x, z = x1 - x0, z1 - z0
        if not hs:
            across = d["metres"] / math.hypot(x, z)
        elif z * z >= 0.3 * (x * x + z * z):
            lens *= math.sqrt(max(d["metres"] ** 2 - x * x, 0)) / abs(z)
    return horizon, across, lens


def locate(g, p):
    horizon, across, lens = g
    y = p[1] - horizon
    return across * (p[0] - 0.5) / y, across * lens / y


def speed(g, trail):
    kept = []
    for at, p in trail:
        if not kept or at - kept[-1][0] >= 100:
            kept.append((at, p))
    last = kept[-1][0]
    kept = [(at / 1000, *locate(g, p)) for at, p in kept[-16:] if last - at <= 1500]
    if len(kept) < 4 or kept[-1][0] - kept[0][0] < 0.4:
        return None
    pairs = [(a, b) for i, a in enumerate(kept) for b in kept[i + 1:]]
    return math.hypot(*(statistics.median((b[k] - a[k]) / (b[0] - a[0]) for a, b in pairs) for k in (1, 2)))


def case(name, camera, way, step=80, long=2400, jitter=0.0, **known):
    random.seed(name)
    c = {"name": name, "aspect": camera.aspect, **known, "points": [], "trail": []}
    g = ground(c)
    for right, away in ((-3, 8), (2, 15), (0, 40)):
        p = camera.picture(right, away)
        r, a = locate(g, p)
        c["points"].append({"at": p, "right_m": r, "away_m": a})
    for ms in range(0, long + 1, step):
        p = camera.picture(*way(ms / 1000))
        c["trail"].append([ms, [p[0] + random.gauss(0, jitter), p[1] + random.gauss(0, jitter)]])
    c["speed_mps"] = speed(g, c["trail"])
    c["stands"] = c["speed_mps"] is not None and c["speed_mps"] < 0.5
    return c


lamp = Camera(6.0, -0.1, 0.83, 4 / 3)
bridge = Camera(9.0, 0.12, 1.6, 16 / 9)
heights = lambda c: [c.height(2, 9, 2.5), c.height(-3, 25, 1.75)]
cases = [
    case("a distance, driving away", lamp, lambda t: (1.2, 9 + 11 * t), distance=lamp.distance((1, 10), (1.5, 18))),
    case("a distance, coming near and braking", lamp, lambda t: (-1, 30 - 8 * t + t * t), distance=lamp.distance((1, 10), (1.5, 18))),
    case("heights, across the picture", lamp, lambda t: (-6 + 5 * t, 14), heights=heights(lamp)),
    case("heights and a distance, obliquely", bridge, lambda t: (-4 + 3 * t, 12 + 9 * t), heights=heights(bridge), distance=bridge.distance((0, 14), (1, 30))),
    case("heights and a distance across: the lens stays", bridge, lambda t: (-4 + 3 * t, 20), heights=heights(bridge), distance=bridge.distance((-4, 20), (5, 20))),
    case("jitter", lamp, lambda t: (1, 9 + 9 * t), jitter=0.004, distance=lamp.distance((1, 10), (1.5, 18))),
    case("standing, with jitter", lamp, lambda t: (1, 12), jitter=0.003, distance=lamp.distance((1, 10), (1.5, 18))),
    case("a slow walker", lamp, lambda t: (1 + 0.8 * t, 12), distance=lamp.distance((1, 10), (1.5, 18))),
    case("too short", lamp, lambda t: (1, 9 + 11 * t), long=300, distance=lamp.distance((1, 10), (1.5, 18))),
    case("too few places", lamp, lambda t: (1, 9 + 11 * t), step=600, long=1200, distance=lamp.distance((1, 10), (1.5, 18))),
]
with open("cases.json", "w", encoding="utf-8") as f:
    f.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
