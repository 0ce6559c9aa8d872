#!/usr/bin/env python3
"""Writes the vectors: drives vehicles, computes from the drive and from the
definitions in README.md what must be counted, and writes both. It shares no
code with kerb, looks at no output of it, and never reads edges: the expected
numbers come from the vehicles. Run it in this folder."""
import json
from fractions import Fraction

MS, S, H = 10**6, 10**9, 3600 * 10**9
TIMES = [t * S // 10 for t in (5, 10, 20, 30, 40, 50, 60, 80, 100, 150, 200, 300, 600)]
UK = [5.2, 6.6, 11.6]
TLS = [1.5, 3, 4, 5, 5.5, 6, 6.5, 8, 10, 12, 18, 20]
LIMITS = dict(settle_ms=5, min_on_ms=30, stuck_on_s=0, silent_s=0, pair=0, pair_clear=3, chatter=0,
              drift=0, calm_s=60, alert=False, daily=False, zero_share=0.59, let_go_ms=0, card=False)
CLIP = 4 * S  # of the covered time of one vehicle


def bin_of(bounds, v):
    return sum(1 for b in bounds if v >= b)


class Case:
    def __init__(self, name, about, lines, lanes, cuts, end, start=0, wall=None, **limits):
        self.name, self.about, self.lines, self.lanes = name, about, lines, lanes
        self.cuts, self.end, self.start, self.wall = cuts, end, start, wall
        self.limits = {**LIMITS, **limits}
        self.presences = {l: [] for l in lines}  # (on, off) as driven, settled
        self.rows = [(start, l, "is_off", 0) for l in lines]
        self.passages, self.events, self.blind = [], [], {}
        self.extra = {}

    def cover(self, line, on, off, bounce=()):
        """A presence; bounce adds rows (time, word) that mean nothing."""
        self.presences[line].append((on, off))
        self.rows += [(on, line, "on", 0), (off, line, "off", 0)]
        self.rows += [(t, line, w, 0) for t, w in bounce]

    def lane(self, stream):
        return next(l for l in self.lanes if l["stream"] == stream)

    def vehicle(self, stream, at, v, length, wrong=False, cls="vehicle", bounce=False):
        """A vehicle whose front reaches the first loop it meets at `at` ns, at v
        m/s. Over two loops its speed and length follow from its edges."""
        lane = self.lane(stream)
        loops = lane["loops"][::-1] if wrong else lane["loops"]
        o = round((length + lane["loop_length_m"]) / v * S)
        t = round(lane.get("spacing_m", 0) / v * S)
        for i, l in enumerate(loops):
            on = at + i * t
            b = []
            if bounce:
                b = [(on + MS, "off"), (on + 2 * MS, "on"), (on + o + MS, "on"), (on + o + 3 * MS, "off")]
            self.cover(l, on, on + o, b)
        done = at + o + (t if len(loops) == 2 else 0) + self.hold(lane)
        speed = size = 0
        if len(loops) == 2:
            speed = lane["spacing_m"] * S / t
            size = speed * o / S - lane["loop_length_m"]
        elif lane.get("mean_length_m"):
            speed = (lane["mean_length_m"] + lane["loop_length_m"]) * S / o
        self.passage(stream, at, done, cls, wrong, speed, size, at + o)
        return done

    def hold(self, lane):
        """How long a vehicle may still go on after its trailing edge."""
        longest = self.limits["let_go_ms"] * MS
        if self.limits_card(lane) == "pulse":
            return 0
        return min(longest, int(lane["loop_length_m"] * 36 / 480 * S)) if lane.get("loop_length_m") else longest

    def passage(self, stream, at, done, cls="vehicle", wrong=False, speed=0, size=0, off=None, measured=True):
        d = "b_to_a" if wrong != self.lane(stream).get("reverse", False) else "a_to_b"
        self.passages.append(dict(stream=stream, cls=cls, dir=d, at=at, speed=speed, size=size, done=done, off=off, measured=measured))

    def event(self, stream, line, fault, on, at, n=0):
        self.events.append(dict(stream=stream, line=line, fault=fault, on=on, at_ns=at, n=n))

    def distrust(self, line, since, until):
        self.blind.setdefault(line, []).append((since, until))

    def windows(self):
        out = []
        for a, b in zip([self.start] + self.cuts, self.cuts):
            for lane in self.lanes:
                out.append(self.window(lane, a, b))
        return out

    def trusted(self, line, a, b):
        """The parts of [a, b) in which the line is trusted."""
        parts = [(a, b)]
        for x, y in self.blind.get(line, []):
            parts = [q for p, r in parts for q in ((p, min(r, x)), (max(p, y), r)) if q[0] < q[1]]
        return parts

    def window(self, lane, a, b):
        mine = sorted((p for p in self.passages if p["stream"] == lane["stream"]), key=lambda p: p["at"])
        bounds = lane.get("lengths", "uk")
        bounds = bounds if isinstance(bounds, list) else {"uk": UK, "tls": TLS}[bounds]
        w = dict(stream=lane["stream"], start_ns=a, end_ns=b, flow=0, counts={}, headways=[0] * 14, gaps=[0] * 14,
                 speeds=[0] * 16, lengths=[0] * (len(bounds) + 1), loops=[])
        for i, p in enumerate(mine):
            if not a <= p["done"] < b:
                continue
            w["flow"] += 1
            key = p["cls"] + " " + p["dir"]
            w["counts"][key] = w["counts"].get(key, 0) + 1
            if i and p["measured"] and mine[i - 1]["measured"] and not p.get("unchained"):
                w["headways"][bin_of(TIMES, p["at"] - mine[i - 1]["at"])] += 1
                if self.limits_card(lane) == "presence":
                    w["gaps"][bin_of(TIMES, max(0, p["at"] - mine[i - 1]["off"]))] += 1
            if p["speed"]:
                w["speeds"][min(15, int(p["speed"] * 3.6 / 10))] += 1
            if p["size"]:
                w["lengths"][bin_of(bounds, p["size"])] += 1
        for l in lane["loops"]:
            w["loops"].append(self.books(l, a, b))
        seen = 0
        edges = sorted({t for l in lane["loops"] for p in self.trusted(l, a, b) for t in p})
        for x, y in zip(edges, edges[1:]):
            if any(p <= x and y <= r for l in lane["loops"] for p, r in self.trusted(l, a, b)):
                seen += y - x
        w["observed_ns"] = seen
        first = max(w["loops"], key=lambda p: p["observed_ns"])
        w["occupancy"] = float(Fraction(first["on_ns"], first["observed_ns"])) if first["observed_ns"] and self.limits_card(lane) == "presence" else None
        speeds = [min(p["speed"] * 3.6, 150) for p in mine if a <= p["done"] < b and p["speed"]]
        w["traffic"] = dict(covered_ns=first["clipped"], covered_over_ns=first["observed_ns"], congested=first["stood"],
                            speed_sum=sum(int(v * 10 + 0.5) for v in speeds), speed_count=len(speeds))
        for p in w["loops"]:
            del p["clipped"], p["stood"]
        w["lpu"] = 17 * w["flow"]
        w["slow"] = sum(1 for on, off in self.presences[lane["loops"][0]] if off - on >= 2 * S and a <= on + 2 * S < b and self.limits_card(lane) == "presence")
        w["stood"] = sum(1 for on, off in self.presences[lane["loops"][0]] if off - on >= 2900 * MS and a <= on + 2900 * MS < b and self.limits_card(lane) == "presence")
        w.update(lone=0, doubtful=0, missed=0, short=0, unsized=0, quality="ok", reason="")
        w.update(self.extra.get((lane["stream"], a), {}))
        return w

    def limits_card(self, lane):
        return self.lines[lane["loops"][0]]

    def books(self, line, a, b):
        p = dict(on_ns=0, observed_ns=sum(y - x for x, y in self.trusted(line, a, b)), onsets=0, covered=0, congested=0)
        pulse = self.lines[line] == "pulse"
        bits, four = set(), 0
        for on, off in self.presences[line]:
            p["onsets"] += a <= on < b
            for x, y in self.trusted(line, a, b):
                lo, hi = max(on, x), min(off, y)
                if lo < hi and not pulse:
                    p["on_ns"] += hi - lo
                    bits |= set(range((lo - a) // (250 * MS), (hi - a - 1) // (250 * MS) + 1))
                    four += max(0, (hi - a) // (4 * S) - -(-(lo - a) // (4 * S)))
        p["covered"], p["congested"] = len(bits), four
        p["clipped"] = sum(self.clipped(line, v, b) - self.clipped(line, v, a) for v in self.vehicles_on(line))
        p["stood"] = sum(self.stands(line, v, b) > self.stands(line, v, a) for v in self.vehicles_on(line))
        return p

    def vehicles_on(self, line):
        """The presences of the line, those of one vehicle under which the card lets go together."""
        if self.lines[line] == "pulse":
            return []
        lane = next(l for l in self.lanes if line in l["loops"])
        out = []
        for on, off in self.presences[line]:
            if out and on - out[-1][-1][1] < self.hold(lane):
                out[-1].append((on, off))
            else:
                out.append([(on, off)])
        return out

    def clipped(self, line, vehicle, until):
        """The covered time of a vehicle up to a time, at most CLIP."""
        n = 0
        for on, off in vehicle:
            for x, y in self.trusted(line, 0, max(until, 0)):
                n += max(0, min(off, y) - max(on, x))
        return min(n, CLIP)

    def stands(self, line, vehicle, until):
        """Whether up to a time the vehicle has covered a whole interval of 4 s of a window."""
        for a, b in zip([self.start] + self.cuts, self.cuts):
            for on, off in vehicle:
                for x, y in self.trusted(line, a, min(b, until)):
                    lo, hi = max(on, x), min(off, y)
                    if lo < hi and (hi - a) // (4 * S) > -(-(lo - a) // (4 * S)):
                        return True
        return False

    def write(self):
        rows = sorted(self.rows, key=lambda r: (r[0], r[1]))
        with open(self.name + ".csv", "w") as f:
            f.write("line,edge,ns,missed\n")
            f.writelines(f"{l},{w},{t},{m}\n" for t, l, w, m in rows)
            f.write(f",end,{self.end}\n")
        passages = [dict(stream=p["stream"], cls=p["cls"], dir=p["dir"], at_ns=p["at"], speed_mps=p["speed"], length_m=p["size"])
                    for p in sorted(self.passages, key=lambda p: (p["done"], p["stream"]))]
        expect = dict(passages=passages, events=sorted(self.events, key=lambda e: (e["at_ns"], not e["on"], list(self.lines).index(e["line"]))), windows=self.windows())
        doc = dict(about=self.about, trace=self.name + ".csv", lines=[dict(name=n, card=c) for n, c in self.lines.items()],
                   lanes=self.lanes, limits=self.limits, wall=self.wall, cuts_ns=self.cuts, expect=expect)
        with open(self.name + ".json", "w") as f:
            f.write(one_level(doc))


def one_level(doc):
    """JSON with one line for each item of a list: small, and good to diff."""
    def item(v):
        return json.dumps(v, ensure_ascii=False)
    def block(d, pad):
        rows = []
        for k, v in d.items():
            if isinstance(v, dict) and k == "expect":
                rows.append(f"{pad}{item(k)}: {{\n{block(v, pad + '  ')}\n{pad}}}")
            elif isinstance(v, list) and v and isinstance(v[0], dict):
                rows.append(f"{pad}{item(k)}: [\n" + ",\n".join(pad + "  " + item(x) for x in v) + f"\n{pad}]")
            else:
                rows.append(f"{pad}{item(k)}: {item(v)}")
        return ",\n".join(rows)
    return "{\n" + block(doc, "  ") + "\n}\n"


def pair(stream="road", loops=("A", "B"), **more):
    return dict(stream=stream, loops=list(loops), spacing_m=4.0, loop_length_m=2.0, **more)


def single(stream="road", loop="A", **more):
    return dict(stream=stream, loops=[loop], loop_length_m=2.0, **more)


def presence(*names):
    return {n: "presence" for n in names}


def empty():
    return Case("empty", "Nobody came: zero is not missing.", presence("A"), [single()], [60 * S, 120 * S], 121 * S)


def single_loop():
    c = Case("single", "One loop: flow, occupancy, headways and gaps; the speed is an estimate from the declared mean length.",
             presence("A"), [single(mean_length_m=4.5)], [60 * S, 120 * S], 121 * S)
    for at, v, length in ((1, 14, 4.2), (3.2, 13, 4.6), (3.9, 13, 4.4), (9, 9, 11), (40, 20, 4.5), (59.9, 8, 4.0), (75, 15, 1.9), (110, 7, 16)):
        c.vehicle("road", round(at * S), v, length)
    return c


def two_loops():
    c = Case("pair", "Two loops: speed, length, direction (one drives the wrong way), British length classes; one vehicle crosses the end of a window and belongs to the second.",
             presence("A", "B"), [pair()], [30 * S, 60 * S], 61 * S)
    for at, v, length, wrong in ((1, 13.9, 4.3, False), (3, 20, 5.9, False), (5.5, 11, 10, False), (9, 8, 16.5, False),
                                 (15, 6, 4.5, True), (21, 30, 2.2, False), (29.8, 10, 4.8, False), (45, 42, 4.9, False)):
        c.vehicle("road", round(at * S), v, length, wrong)
    return c


def reverse():
    c = Case("reverse", "A lane whose loops are given against its direction a to b.", presence("A", "B"),
             [pair(reverse=True)], [30 * S], 31 * S)
    c.vehicle("road", 2 * S, 12, 4.4)
    c.vehicle("road", 8 * S, 12, 4.4, wrong=True)
    return c


def lengths(name, about, scheme, split):
    c = Case(name, about, presence("A", "B"), [pair(lengths=scheme, split=split)], [80 * S], 81 * S)
    for i, m in enumerate((1.4, 2.2, 3.5, 4.6, 5.2, 5.8, 6.2, 7.1, 9.0, 11.0, 15.0, 18.7, 22.0)):
        cls = ("motorcycle" if m < 3 else "car" if m < 6.6 else "heavy") if split else "vehicle"
        c.vehicle("road", (2 + 6 * i) * S, 15, m, cls=cls)
    return c


def two_lanes():
    c = Case("lanes", "Two lanes at once: a pair and a single loop, each its own stream.", presence("A", "B", "C"),
             [pair("left"), single("right", "C")], [20 * S], 21 * S)
    for i in range(6):
        c.vehicle("left", (1 + 3 * i) * S, 12 + i, 4 + 0.5 * i)
        c.vehicle("right", (1 + 3 * i) * S + 100 * MS * i, 10, 4.5)
    return c


def pulses():
    c = Case("pulse", "Pulse cards give one pulse of 125 ± 25 ms a vehicle: flow, headway, direction and a pair's speed, but no occupancy, no gap and no length.",
             {"A": "pulse", "B": "pulse", "C": "pulse"}, [pair("two"), single("one", "C")], [20 * S], 21 * S)
    for at, ms, v in ((1, 125, 10), (2.5, 100, 14), (7, 150, 25)):
        on = round(at * S)
        t = round(4 / v * S)
        c.cover("A", on, on + ms * MS)
        c.cover("B", on + t, on + t + ms * MS)
        c.passage("two", on, on + t + ms * MS, speed=4 * S / t, off=on + ms * MS)
        c.cover("C", on, on + ms * MS)
        c.passage("one", on, on + ms * MS, off=on + ms * MS)
    return c


def bounce():
    c = Case("bounce", "Contacts bounce for some milliseconds at both ends, and a spike of 2 ms is no vehicle: the same passages as without.",
             presence("A", "B"), [pair()], [30 * S], 31 * S)
    for i in range(5):
        c.vehicle("road", (2 + 5 * i) * S, 10 + 2 * i, 4.5, bounce=True)
    c.rows += [(28 * S, "A", "on", 0), (28 * S + 2 * MS, "A", "off", 0)]
    return c


def short():
    c = Case("short", "On-times below the minimum are no vehicles, and three in a row are chatter; then the loop is not trusted for the calm time.",
             presence("A"), [single()], [30 * S, 60 * S, 90 * S, 120 * S], 121 * S, min_on_ms=40, chatter=10, calm_s=30)
    c.vehicle("road", 2 * S, 10, 4)
    for i in range(3):
        c.cover("A", (10 + i) * S, (10 + i) * S + 20 * MS)
    at = 12 * S + 20 * MS
    c.event("road", "A", "loop_chatter", True, at, 3)
    c.event("road", "A", "loop_chatter", False, at + 30 * S)
    c.distrust("A", at, at + 30 * S)
    c.cover("A", 20 * S, 20 * S + 600 * MS)  # not counted: not trusted
    c.vehicle("road", 80 * S, 10, 4)
    c.passages[-1]["unchained"] = True
    c.extra = {("road", 0): dict(quality="partial", reason="loop_chatter", short=3), ("road", 30 * S): dict(quality="partial", reason="loop_chatter")}
    return c


def chatter():
    c = Case("chatter", "More than 6 onsets in 2 s are no traffic. What was counted until that was known stays counted.",
             presence("A"), [single()], [60 * S, 120 * S, 180 * S], 181 * S, chatter=6)
    for i in range(20):
        on = 10 * S + i * 250 * MS
        c.cover("A", on, on + 100 * MS)
        if i < 6:
            c.passage("road", on, on + 100 * MS, off=on + 100 * MS)
    at, last = 10 * S + 6 * 250 * MS, 10 * S + 19 * 250 * MS
    c.event("road", "A", "loop_chatter", True, at, 7)
    c.event("road", "A", "loop_chatter", False, last + 60 * S)
    c.distrust("A", at, last + 60 * S)
    c.extra = {("road", t * S): dict(quality="partial", reason="loop_chatter") for t in (0, 60)}
    return c


def stuck():
    c = Case("stuck", "A presence over the limit is a fault, not a queue: occupancy counts until then, after it nothing is observed, until two vehicles have come after it. Another loop of a pair goes on counting.",
             presence("A", "B", "C"), [pair("two"), single("one", "C")], [m * 60 * S for m in (5, 10, 15, 20)], 1201 * S, stuck_on_s=120)
    for line, lane in (("C", "one"), ("A", "two")):
        on, off = 60 * S, 700 * S
        c.cover(line, on, off)
        c.event(lane, line, "loop_stuck_on", True, on + 120 * S)
        for t in (800 * S, 900 * S):
            c.cover(line, t, t + 500 * MS)
        c.event(lane, line, "loop_stuck_on", False, 900 * S + 500 * MS)
        c.distrust(line, on + 120 * S, 900 * S + 500 * MS)
    c.cover("B", 400 * S, 400 * S + 500 * MS)
    c.passage("two", 400 * S, 400 * S + 500 * MS, off=400 * S + 500 * MS)
    c.vehicle("two", 1000 * S, 10, 4)
    c.passages[-1]["unchained"] = True
    bad = dict(reason="loop_stuck_on")
    c.extra = {("one", 0): dict(quality="partial", **bad), ("one", 300 * S): dict(quality="gap", **bad), ("one", 600 * S): dict(quality="gap", **bad), ("one", 900 * S): dict(quality="partial", **bad),
               ("two", 0): dict(quality="partial", **bad), ("two", 300 * S): dict(quality="partial", lone=1, **bad), ("two", 600 * S): dict(quality="partial", **bad), ("two", 900 * S): dict(quality="partial", **bad)}
    return c


def silent():
    hours = [3600 * 12] * 24
    for h in range(6, 22):
        hours[h] = 3600
    c = Case("silent", "No vehicle for longer than the hour of day allows: 12 h at night, 1 h from 6 o'clock. The first such moment is at 6 itself. Two vehicles take it back. They are counted all the same, and no quality tells of them.",
             presence("A"), [single()], [t * 3600 * S for t in (1, 2, 3, 4)], 4 * 3600 * S + S, wall="2026-11-23T04:00:00", silent_s=hours)
    done = c.vehicle("road", 600 * S, 10, 4)
    at = 2 * H
    c.event("road", "A", "loop_silent", True, at)
    proof = [(2 * H + 1800 * S, 600 * MS), (2 * H + 1810 * S, 600 * MS)]
    for on, o in proof:
        c.vehicle("road", on, 10, 4)
    back = proof[1][0] + proof[1][1]
    c.event("road", "A", "loop_silent", False, back)
    c.vehicle("road", 2 * H + 1900 * S, 10, 4)
    c.vehicle("road", 2 * H + 1950 * S, 10, 4)
    c.vehicle("road", 3 * H + 1500 * S, 10, 4)
    return c


def disagreement():
    c = Case("disagree", "The second loop of a pair is dead for five vehicles: four in a row are a fault. They are counted, without speed. Two that both see take it back.",
             presence("A", "B"), [pair()], [50 * S, 100 * S, 150 * S], 151 * S, pair=4, pair_clear=2)
    c.vehicle("road", 2 * S, 10, 4)
    o = 600 * MS  # 4 m long, 10 m/s, loop 2 m
    wait = round(4 * 0.6 / (2 + 1.2) * S)  # the second loop may take this long, see README
    for i in range(5):
        on = (10 + 5 * i) * S
        c.cover("A", on, on + o)
        c.passage("road", on, on + wait, off=on + o)
        if i == 3:
            c.event("road", "B", "loop_pair", True, on + o, 4)
    for i in range(3):
        done = c.vehicle("road", (60 + 10 * i) * S, 10, 4)
        if i == 1:
            c.event("road", "B", "loop_pair", False, done)
    c.extra = {("road", 0): dict(quality="partial", reason="loop_pair", lone=5), ("road", 50 * S): dict(quality="partial", reason="loop_pair")}
    return c


def relay():
    c = Case("relay", "A card's fault relay that has fallen for a second says that its loop is not to be believed.",
             presence("A", "F"), [single(relays=["F"])], [60 * S, 120 * S, 180 * S, 240 * S], 241 * S)
    c.vehicle("road", 5 * S, 10, 4)
    c.rows += [(30 * S, "F", "on", 0), (30 * S + 500 * MS, "F", "off", 0)]  # too short
    c.rows += [(40 * S, "F", "on", 0), (130 * S, "F", "off", 0)]
    c.event("road", "A", "loop_relay", True, 41 * S)
    c.event("road", "A", "loop_relay", False, 190 * S)
    c.distrust("A", 41 * S, 190 * S)
    c.cover("A", 100 * S, 101 * S)
    c.vehicle("road", 200 * S, 10, 4)
    c.passages[-1]["unchained"] = True
    c.extra = {("road", 0): dict(quality="partial", reason="loop_relay"), ("road", 60 * S): dict(quality="gap", reason="loop_relay"),
               ("road", 120 * S): dict(quality="gap", reason="loop_relay"), ("road", 180 * S): dict(quality="partial", reason="loop_relay")}
    return c


def missed():
    c = Case("missed", "Four edges were lost between two vehicles: counted as lost, the window marked, and no headway over the hole.",
             presence("A"), [single()], [60 * S, 120 * S], 121 * S)
    c.vehicle("road", 5 * S, 10, 4)
    c.vehicle("road", 30 * S, 10, 4)
    c.passages[-1]["measured"] = False
    c.rows = [(t, l, w, 4 if t == 30 * S else m) for t, l, w, m in c.rows]
    c.event("road", "A", "edges_missed", True, 30 * S, 4)
    c.vehicle("road", 70 * S, 10, 4)
    c.vehicle("road", 75 * S, 10, 4)
    c.extra = {("road", 0): dict(quality="partial", reason="edges_missed", missed=4)}
    return c


def patience():
    c = Case("patience", "The second loop may answer for as long as the vehicle is not shorter than 1.2 m: what seems to be 1.3 m long is one vehicle, what seems to be 1.1 m long are two.",
             presence("A", "B"), [pair()], [30 * S], 31 * S)
    c.vehicle("road", 2 * S, 5, 1.3)
    o = round((1.1 + 2) / 5 * S)
    for line, on in (("A", 10 * S), ("B", 10 * S + 800 * MS)):
        c.cover(line, on, on + o)
        c.passage("road", on, on + round(4 * o / 3.2), off=on + o)
    c.extra = {("road", 0): dict(lone=2)}
    return c


def braking():
    c = Case("braking", "Three brake hard: the trailing edges say 0.7, 0.78 and 0.82 of the speed. One differs by more than a quarter, and its speed is counted as doubtful.",
             presence("A", "B"), [pair()], [40 * S], 41 * S)
    for i, f in enumerate((0.7, 0.78, 0.82)):
        at, t, o = (5 + 10 * i) * S, 400 * MS, 600 * MS
        off = at + o + round(t / f)
        c.cover("A", at, at + o)
        c.cover("B", at + t, off)
        c.passage("road", at, off, speed=10.0, size=10.0 * (o + off - at - t) / 2 / S - 2, off=at + o)
    c.extra = {("road", 0): dict(doubtful=1)}
    return c


def restless():
    c = Case("restless", "A contact that does not come to rest for half a second does not bounce: it is loose. It is over when it has been quiet for the calm time.",
             presence("A"), [single()], [60 * S, 120 * S], 121 * S, chatter=10, calm_s=20)
    c.vehicle("road", 2 * S, 10, 4)
    start = 10 * S
    for i in range(200):  # to 10.597 s, ends free
        c.rows.append((start + 3 * i * MS, "A", "off" if i % 2 else "on", 0))
    at = start + 3 * 167 * MS  # the first edge later than 500 ms
    last = start + 3 * 199 * MS
    c.event("road", "A", "loop_chatter", True, at, 167)
    c.event("road", "A", "loop_chatter", False, last + 20 * S)
    c.distrust("A", at, last + 20 * S)
    c.vehicle("road", 50 * S, 10, 4)
    c.passages[-1]["unchained"] = True
    c.extra = {("road", 0): dict(quality="partial", reason="loop_chatter")}
    return c


def drift(name, about, percent, raised):
    c = Case(name, about, presence("A", "B"), [pair()], [300 * S], 301 * S, drift=0.1)
    for i in range(55):
        at, v, o = (2 + 5 * i) * S, 20, 300 * MS
        t, less = 200 * MS, o * percent // 100
        c.cover("A", at, at + o)
        c.cover("B", at + t, at + t + less)
        c.passage("road", at, max(at + t + less, at + o), speed=v, size=v * (o + less) / 2 / S - 2, off=at + o)
        if i == 49 and raised:
            c.event("road", "B", "loop_drift", True, at + t + less)
    if raised:
        c.extra = {("road", 0): dict(quality="partial", reason="loop_drift", doubtful=55)}  # the trailing edges know
    return c


def scoot():
    c = Case("scoot", "Presence bits of 250 ms, 17 units a vehicle, and intervals of 4 s covered throughout: a queue stands from 9 to 27 s.",
             presence("A"), [single()], [32 * S, 64 * S], 65 * S)
    for on, off in ((1000, 1400), (2250, 2500), (2600, 2740), (9000, 27000), (31900, 32100)):
        c.cover("A", on * MS, off * MS)
        c.passage("road", on * MS, off * MS, off=off * MS)
    return c


def alert():
    c = Case("alert", "A vehicle on the loop for 2.0 s may be standing, for 2.9 s it is. It is over when the loop has moved for the calm time. An alert is about traffic: the window stays ok.",
             presence("A"), [single()], [60 * S, 120 * S], 121 * S, alert=True, calm_s=10)
    for on, o in ((5000, 1900), (20000, 2500), (26000, 4000), (70000, 600)):
        c.cover("A", on * MS, (on + o) * MS)
        c.passage("road", on * MS, (on + o) * MS, off=(on + o) * MS)
    c.event("road", "A", "loop_slow", True, 22 * S)
    c.event("road", "A", "loop_standing", True, 28900 * MS)
    c.event("road", "A", "loop_slow", False, 40 * S)
    c.event("road", "A", "loop_standing", False, 40 * S)
    return c


def daily(name, about, every, share, failed):
    c = Case(name, about, presence("A"), [single()], [24 * H], 24 * H + S, wall="2026-11-23T00:00:00", daily=True, zero_share=share)
    t, dice = 5 * H + 7 * S, 1
    while t < 22 * H:
        dice = dice * 16807 % 2147483647
        c.vehicle("road", t, 10 if failed == 16 else 6 + dice % 1000 / 100, 4)
        t += every * S
    if failed:
        at = 22 * H + 30 * S  # with the first sample after 22 h
        c.event("road", "A", "loop_daily", True, at, failed)
        c.extra = {("road", 0): dict(quality="partial", reason="loop_daily")}
    return c


def daily_parked():
    c = Case("daily-parked", "Something stands on the loop for 100 of every 120 s: occupancy over 0.7 in more than 20 % of the samples (4), and occupancy without flow in more than half (8).",
             presence("A"), [single()], [24 * H], 24 * H + S, wall="2026-11-23T00:00:00", daily=True, zero_share=0.9)
    t, dice = 5 * H + 10 * S, 1
    while t < 22 * H - 120 * S:
        dice = dice * 16807 % 2147483647
        off = t + 100 * S + dice % 4000 * MS
        c.cover("A", t, off)
        c.passage("road", t, off, off=off)
        t += 120 * S
    c.event("road", "A", "loop_daily", True, 22 * H + 30 * S, 4 + 8)
    c.extra = {("road", 0): dict(quality="partial", reason="loop_daily")}
    return c


def daily_lost():
    c = Case("daily-lost", "Edges were lost in more than 40 % of the day's samples (1); the others are empty (2).",
             presence("A"), [single()], [24 * H], 24 * H + S, wall="2026-11-23T00:00:00", daily=True, zero_share=0.9)
    t = 5 * H + 7 * S
    lost = set()
    while t < 22 * H:
        c.vehicle("road", t, 10, 4)
        c.passages[-1]["measured"] = False
        lost.add(t)
        t += 60 * S
    c.rows = [(t, l, w, 2 if t in lost and w == "on" else m) for t, l, w, m in c.rows]
    c.event("road", "A", "edges_missed", True, min(lost), 2)
    c.event("road", "A", "loop_daily", True, 22 * H + 30 * S, 1 + 2)
    c.extra = {("road", 0): dict(quality="partial", reason="edges_missed", missed=2 * len(lost))}
    return c


def let_go():
    c = Case("let-go", "A card that lets go for 20 or 120 ms under a vehicle does not make two of it; 200 ms are a gap. Of a vehicle that stands, 4 s count.",
             presence("A", "B", "C"), [pair("two"), single("one", "C")], [30 * S, 60 * S], 61 * S, let_go_ms=150)
    for at, gap in ((2, 20), (9, 120), (16, 60)):
        at *= S
        for line, late in (("A", 0), ("B", 400 * MS), ("C", 0)):
            c.cover(line, at + late, at + late + 700 * MS)
            c.cover(line, at + late + (700 + gap) * MS, at + late + 1500 * MS)
        c.passage("two", at, at + 1900 * MS + 150 * MS, speed=10.0, size=13.0, off=at + 1500 * MS)
        c.passage("one", at, at + 1500 * MS + 150 * MS, off=at + 1500 * MS)
    for at in (24 * S, 24 * S + 900 * MS):
        c.cover("C", at, at + 700 * MS)
        c.passage("one", at, at + 700 * MS + 150 * MS, off=at + 700 * MS)
    c.vehicle("one", 40 * S, 0.7, 5)
    return c


def wrong_card():
    c = Case("card", "21 on-times of 125 ms are those of a pulse card that is declared as presence: from then on the loop is not trusted.",
             presence("A"), [single()], [300 * S], 301 * S, card=True)
    for i in range(25):
        on = (2 + 9 * i) * S + i * i * MS
        c.cover("A", on, on + 125 * MS)
        if i < 20:
            c.passage("road", on, on + 125 * MS, off=on + 125 * MS)
    at = (2 + 9 * 20) * S + 400 * MS + 125 * MS
    c.event("road", "A", "loop_card", True, at, 1)
    c.distrust("A", at, 400 * S)
    c.extra = {("road", 0): dict(quality="partial", reason="loop_card")}
    return c


CASES = [
    empty(), single_loop(), two_loops(), reverse(),
    lengths("uk", "British length classes: bounds at 5.2, 6.6 and 11.6 m.", "uk", False),
    lengths("tls", "The intervals that the German TLS 8+1 codes share.", "tls", False),
    lengths("custom", "Bins of one's own, and classes by length: motorcycle below 3.0 m, car below 6.6 m, else heavy.", [2.5, 7.5, 12.0], True),
    two_lanes(), pulses(), bounce(), short(), chatter(), stuck(), silent(), disagreement(), patience(), braking(), relay(), missed(), restless(),
    drift("drift", "From the start the second loop's on-times are 15 % short: with 50 vehicles at free flow it is known, and named. Speeds stay right, because leading edges do.", 85, True),
    drift("drift-less", "8 % are within the limit of a tenth.", 92, False), scoot(), alert(),
    daily("daily-urban", "A vehicle every 139 s leaves more than 59 % of the samples empty: a fault on an urban road.", 139, 0.59, 2),
    daily("daily-rural", "The same day is no fault on a rural road.", 139, 0.90, 0),
    daily("daily-repeats", "A vehicle every 50 s, so evenly that every five-minute occupancy is the same: no street does that.", 50, 0.59, 16),
    daily_parked(), daily_lost(), let_go(), wrong_card(),
]

for case in CASES:
    case.write()
