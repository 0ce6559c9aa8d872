#!/usr/bin/env python3
"""Keep the windows of kerb devices in SQLite, each once, and add them up by the hour.

    mosquitto_sub -v -q 1 -c -i counts -t 'kerb/v1/+/+/+/#' | ./consumer.py counts.db
    sqlite3 counts.db 'select * from crossings'

Views: crossings (lines, loops), presence (zones), coverage (0 to 1, per hour), holes (windows to ask for by resend).
mosquitto_sub acknowledges a message before it is stored here. What a kill loses is in holes.
"""
import json, sqlite3, sys

db = sqlite3.connect(sys.argv[1])
db.executescript("""
pragma journal_mode=wal; pragma synchronous=normal;
create table if not exists w(dev, epoch, stream, seq integer, start, end, seconds, quality, reason, raw, primary key(dev, epoch, stream, seq));
create table if not exists c(dev, epoch, stream, seq integer, class, dir, n, mean, lo, below, primary key(dev, epoch, stream, seq, class, dir));
create table if not exists s(dev, stream, kind, made_up, deviation, primary key(dev, stream));
create table if not exists gone(dev, epoch, stream, first, last, primary key(dev, epoch, stream, first, last));
create table if not exists ended(dev, epoch, stream, last, primary key(dev, epoch, stream));
create view if not exists cell as select w.*, substr(start, 1, 13) hour, class, dir, n, mean, lo, below, kind, made_up, deviation
 from w join c using(dev, epoch, stream, seq) left join s using(dev, stream);
-- n is added as it is, below zero too; a withheld number is from lo to below - 1; noise has the deviation of the sum
create view if not exists crossings as select dev, stream, made_up, hour, class, dir, total(n) n, total(coalesce(n, lo)) low,
 total(coalesce(n, below - 1)) high, sum(n is null) withheld, deviation * sqrt(count(n)) noise
 from cell where kind is not 'zone' and mean is null group by dev, stream, hour, class, dir;
-- means are weighted with the time (of single pictures, the number) of their windows; a last band has no upper end
create view if not exists presence as select dev, stream, made_up, hour, class, total(coalesce(mean, lo) * seconds) / sum(seconds) low,
 case when sum(coalesce(mean, below) is null) = 0 then total(coalesce(mean, below) * seconds) / sum(seconds) end high
 from cell where kind is 'zone' or mean is not null group by dev, stream, hour, class;
create view if not exists coverage as select dev, stream, substr(start, 1, 13) hour, sum(seconds) / 3600.0 share, sum(quality = 'gap') gaps,
 count(*) windows from w group by dev, stream, hour;
create view if not exists holes as select * from (select dev, epoch, stream,
 lag(seq, 1, 0) over (partition by dev, epoch, stream order by seq) + 1 first, seq - 1 last
 from (select dev, epoch, stream, seq from w union select dev, epoch, stream, last + 1 from ended)) h where first <= last
 and not exists (select 1 from gone g where (g.dev, g.epoch, g.stream) = (h.dev, h.epoch, h.stream) and g.first <= h.first and g.last >= h.last);
""")

def window(dev, m, raw):
    key = (dev, m["epoch"], m["stream"], m["seq"])
    old = db.execute("select raw from w where (dev, epoch, stream, seq) = (?, ?, ?, ?)", key).fetchone()
    if old:  # a second one has the same bytes
        return None if old[0] == raw else print(f"{key}: two windows of one key: a fault, or two devices with one card", file=sys.stderr)
    seen = m.get("observed_s", m.get("observed_instants", 0))
    db.execute("insert into w values(?,?,?,?,?,?,?,?,?,?)", key + (m["start"], m["end"], seen, m["quality"], m.get("reason"), raw))
    for c in m.get("counts", []):  # a gap has none: unknown, not 0
        db.execute("insert into c values(?,?,?,?,?,?,?,?,?,?)", key + (c["class"], c.get("dir", ""), c.get("n"), c.get("mean"), c.get("min", 0), c.get("below")))

def meta(dev, m, raw):
    for s in m["streams"]:  # quantities share the noise's budget with the counts
        own = [q.get("noise") for q in s.get("quantities", []) if q["name"] == "counts"] or [m["clearing"].get("noise", {}).get("n")]
        db.execute("replace into s values(?,?,?,?,?)", (dev, s["id"], s["kind"], s.get("made_up"), (own[0] or {}).get("deviation", 0)))

def event(dev, m, raw):
    d = m.get("data", {})
    for g in m.get("gone", []) + ([d] if m.get("kind") == "evicted" else []):
        db.execute("insert or ignore into gone values(?,?,?,?,?)", (dev, g["epoch"], g["stream"], g["from"], g["to"]))
    for stream, last in d["last"].items() if m.get("kind") == "epoch" and "previous" in d else ():
        db.execute("replace into ended values(?,?,?,?)", (dev, d["previous"], stream, last))

kinds = {"kerb.count/1": window, "kerb.meta/1": meta, "kerb.event/1": event, "kerb.ack/1": event}
for line in sys.stdin:
    topic, _, raw = line.rstrip("\n").partition(" ")
    dev, on = "/".join(topic.split("/")[2:5]), topic.split("/")[5]
    m = json.loads(raw) if raw[:1] == "{" else {}  # a retained message can be empty
    if m.get("schema") in kinds and on != "now":  # the windows of now are on count, too
        if "/".join((m["tenant"], m["site"], m["device"])) == dev:  # the broker vouches for the topic
            kinds[m["schema"]](dev, m, raw)
            db.commit()
