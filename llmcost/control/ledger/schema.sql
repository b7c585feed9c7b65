CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT OR IGNORE INTO meta VALUES ('version', 1), ('expired_holds', 0), ('expired_nano', 0), ('epoch', lower(hex(randomblob(16))));

CREATE TABLE IF NOT EXISTS counters (
    key TEXT NOT NULL,
    slot INTEGER NOT NULL,
    spent INTEGER NOT NULL,
    held INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (key, slot)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS counters_by_end ON counters (until) WHERE until > 0;

-- state: 'held', 'expired' (given back, but still a call), 'kept' (expired and booked as spent) or 'settled'; stakes: JSON [[key, slot, until, amount], ...]
CREATE TABLE IF NOT EXISTS calls (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    expires REAL NOT NULL,
    keep INTEGER NOT NULL,
    choice INTEGER NOT NULL,
    stakes TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS calls_by_expiry ON calls (expires);

CREATE TABLE IF NOT EXISTS buckets (
    series TEXT NOT NULL,
    slot INTEGER NOT NULL,
    nano INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    PRIMARY KEY (series, slot)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS buckets_by_age ON buckets (slot);

CREATE TABLE IF NOT EXISTS claims (name TEXT PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID;
