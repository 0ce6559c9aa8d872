# homeassistant.py DISCOVERY TRUTH…: renders the templates of discovery messages (topic, tab,
# JSON a line) with Jinja2 over recorded windows, as Home Assistant does, and compares with the
# numbers in them. Checks the form of the messages. Prints one line, exits with 1 at a mistake.
import json, re, sys
from jinja2 import Environment, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

env = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
windows = {}
for path in sys.argv[2:]:
    for line in open(path):
        w = json.loads(line)
        windows.setdefault(f"kerb/v1/{w['tenant']}/{w['site']}/{w['device']}", {}).setdefault(w["stream"], []).append(w)

class This: state = "17"
numbers = unknown = sensors = 0
ids = set()
for line in open(sys.argv[1]):
    topic, body = line.rstrip("\n").split("\t")
    d = json.loads(body)
    assert re.fullmatch(r"homeassistant/device/[a-zA-Z0-9_-]+/config", topic), topic
    assert d["dev"]["ids"] and d["o"]["name"] and d["cmps"], d
    online = env.from_string(d["avty_tpl"])
    assert online.render(value_json={"online": True}) == "online" and online.render(value_json={"online": False}) == "offline"
    for c in d["cmps"].values():
        sensors += 1
        assert c["p"] == "sensor" and c["unique_id"] not in ids, c
        ids.add(c["unique_id"])
        t = env.from_string(c["val_tpl"])
        base, kind, stream = c["stat_t"].rsplit("/", 2)
        cls, dir, number = re.search(r"'class','eq','(\w+)'", c["val_tpl"])[1], re.search(r"'dir','eq','(\w+)'", c["val_tpl"]), re.search(r"c\[0\]\.(\w+) is defined", c["val_tpl"])[1]
        for w in windows[base][stream]:
            got = t.render(value_json={"window": w} if kind == "now" else w, this=This)
            cells = [x for x in w.get("counts", []) if x["class"] == cls and (not dir or x["dir"] == dir[1])]
            want = str(cells[0][number]) if cells and number in cells[0] else "unknown"
            assert got == want, (got, want, w)
            if want == "unknown": unknown += 1
            else: numbers += 1
        if kind == "count":  # a message that proves the topic keeps the state
            assert t.render(value_json={"schema": "kerb.proof/1"}, this=This) == "17"
assert numbers and unknown
print(f"jinja2: {sensors} sensors, {numbers} numbers and {unknown} unknown as released")
