#!/usr/bin/env python3
"""Keep the windows of kerb devices in SQLite (3.38 or later), each once, and add them up by the hour.

    mosquitto_sub -v -q 1 -c -i counts -t 'kerb/v1/+/+/+/#' | ./consumer.py counts.db
    sqlite3 counts.db 'select * from crossings'

Views: crossings (lines, loops), presence (zones), coverage (0 to 1, per hour), holes (windows to ask for by resend).
mosquitto_sub acknowledges a message before it is stored here. What a kill loses is in holes."""
import json, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.executescript("""pragma journal_mode=wal;
create table if not exists w(dev, epoch, stream, seq integer, raw, hour as (substr(raw->>'start', 1, 13)), primary key(dev, epoch, stream, seq));
create table if not exists meta(dev primary key, raw); create table if not exists said(dev, raw, primary key(dev, raw)); -- events, and answers to commands
create view if not exists s as select dev, x.value->>'id' stream, x.value->>'made_up' made_up, coalesce((select q.value->>'$.noise.deviation'
 from json_each(x.value, '$.quantities') q where q.value->>'name' = 'counts'), raw->>'$.clearing.noise.n.deviation', 0) deviation
 from meta, json_each(raw, '$.streams') x; -- quantities share the noise's budget with the counts
create view if not exists cell as select w.*, coalesce(raw->>'observed_s', raw->>'observed_instants') weight, value->>'class' class, value->>'dir' dir,
 value->>'n' n, value->>'mean' mean, coalesce(value->>'min', 0) lo, value->>'below' below from w, json_each(raw, '$.counts'); -- a gap has none: unknown, not 0
-- n is added as it is, below zero too; a withheld number is from lo to below - 1; noise has the deviation of the sum
create view if not exists crossings as select dev, stream, made_up, hour, class, dir, total(n) n, total(coalesce(n, lo)) low,
 total(coalesce(n, below - 1)) high, sum(n is null) withheld, deviation * sqrt(count(n)) noise
 from cell left join s using(dev, stream) where dir is not null group by dev, stream, hour, class, dir;
-- means are weighted with the time (of single pictures, the number) of their windows; a last band has no upper end
create view if not exists presence as select dev, stream, made_up, hour, class, total(coalesce(mean, lo) * weight) / sum(weight) low,
 case when sum(coalesce(mean, below) is null) = 0 then total(coalesce(mean, below) * weight) / sum(weight) end high
 from cell left join s using(dev, stream) where dir is null group by dev, stream, hour, class;
create view if not exists coverage as select dev, stream, hour, sum(raw->>'observed_s') / 3600.0 share, sum(raw->>'quality' = 'gap') gaps,
 count(*) windows from w group by dev, stream, hour;
create view if not exists gone as select dev, value->>'epoch' epoch, value->>'stream' stream, value->>'from' first, value->>'to' last
 from said, json_each(case raw->>'kind' when 'evicted' then json_array(raw->'data') else raw->'gone' end);
create view if not exists holes as select * from (select dev, epoch, stream, lag(seq, 1, 0) over (partition by dev, epoch, stream order by seq) + 1 first,
 seq - 1 last from (select dev, epoch, stream, seq from w union select dev, raw->>'$.data.previous', key, value + 1 from said, json_each(raw, '$.data.last'))) h
 where first <= last and not exists (select 1 from gone g where (g.dev, g.epoch, g.stream) = (h.dev, h.epoch, h.stream) and g.first <= h.first and g.last >= h.last);""")
say = "insert or ignore into said values(:dev, :raw)"
into = {"kerb.count/1": "insert or ignore into w values(:dev, :epoch, :stream, :seq, :raw)", "kerb.meta/1": "replace into meta values(:dev, :raw)",
        "kerb.event/1": say, "kerb.ack/1": say}
for line in sys.stdin:
    topic, _, payload = line.partition(" ")
    try:
        messages = json.loads(payload)  # late windows come as a list
    except ValueError:  # mosquitto_sub writes (null) for a retained message that was emptied
        continue
    names = topic.split("/")[2:5]  # the broker vouches for them, not for those in the message
    for m in messages if isinstance(messages, list) else [messages]:
        if isinstance(m, dict) and m.get("schema") in into and [m.get("tenant"), m.get("site"), m.get("device")] == names:
            row = dict(m, dev="/".join(names), raw=json.dumps(m))
            db.execute(into[m["schema"]], row)
            if "seq" in m and (row["raw"],) != db.execute("select raw from w where (dev, epoch, stream, seq) = (:dev, :epoch, :stream, :seq)", row).fetchone():
                print(f"{row['dev']} {m['epoch']} {m['stream']} {m['seq']}: two windows of one key: a fault, or two devices with one card", file=sys.stderr)
    db.commit()
