CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT OR IGNORE INTO meta VALUES ('version', 1), ('cursor', NULL), ('dropped', 0), ('epoch', lower(hex(randomblob(16))));

CREATE TABLE IF NOT EXISTS sums (
    slot INTEGER NOT NULL,
    who TEXT NOT NULL,
    calls INTEGER NOT NULL,
    priced INTEGER NOT NULL,
    nano INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    retries INTEGER NOT NULL,
    PRIMARY KEY (slot, who)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS series (
    key TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    touched INTEGER NOT NULL,
    awake INTEGER NOT NULL,
    state TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS series_awake ON series (key) WHERE awake = 1;
CREATE INDEX IF NOT EXISTS series_by_age ON series (kind, touched);
CREATE INDEX IF NOT EXISTS series_oldest ON series (touched);

CREATE TABLE IF NOT EXISTS reports (
    name TEXT PRIMARY KEY,
    at REAL NOT NULL,
    told INTEGER NOT NULL,
    report TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS reports_by_time ON reports (at);

CREATE TABLE IF NOT EXISTS added (name TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS claims (step TEXT PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID;
