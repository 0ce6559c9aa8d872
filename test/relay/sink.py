# A database with an HTTP door, for tests: POST of kerb's CSV → SQLite, answered with 204
# after the commit is synced. A window that comes twice is one row.
import csv, http.server, io, sqlite3, sys

db = sqlite3.connect(sys.argv[2])
db.execute("pragma journal_mode=wal")
db.execute("pragma synchronous=full")
db.execute("""create table if not exists w (device, stream, epoch, seq, part, start, quality, reason, class, dir,
    n int, mean real, min int, below int, primary key (device, epoch, stream, seq, class, dir))""")

class Door(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        rows = [(r["tenant"] + "/" + r["site"] + "/" + r["device"],) + tuple(r[k] or None if k in ("n", "mean", "min", "below") else r[k]
            for k in ("stream", "epoch", "seq", "part", "start", "quality", "reason", "class", "dir", "n", "mean", "min", "below"))
            for r in csv.DictReader(io.StringIO(text))]
        db.executemany("insert or ignore into w values (?,?,?,?,?,?,?,?,?,?,?,?,?,?)", rows)
        db.commit()
        self.send_response(204)
        self.end_headers()

http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Door).serve_forever()
