-- What a job is done to, where a subscription has several of a kind, such as an endpoint's name.
-- A key cannot be changed here, so the table is made anew.
ALTER TABLE jobs RENAME TO jobs_before;
DROP INDEX jobs_ready;
DROP INDEX jobs_by_state;

-- Stored work: at most one job of each kind and target for a subscription.
CREATE TABLE jobs (
    subscription TEXT NOT NULL,
    kind TEXT NOT NULL,
    target TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    payload TEXT NOT NULL,
    -- Counts up when a newer job takes this one's place, so that a runner finishes only what it was handed.
    version INTEGER NOT NULL DEFAULT 1,
    -- How often this version was handed out; 0 tells that a lease is still that of the version before.
    attempts INTEGER NOT NULL DEFAULT 0,
    leased_until INTEGER,
    last_error TEXT,
    -- When it can be handed out: it is due, and nobody's lease runs any more.
    ready_at INTEGER NOT NULL GENERATED ALWAYS AS (max(due_at, coalesce(leased_until, due_at))) STORED,
    PRIMARY KEY (subscription, kind, target)
) STRICT;

INSERT INTO jobs (subscription, kind, state, due_at, payload, version, attempts, leased_until, last_error)
SELECT subscription, kind, state, due_at, payload, version, attempts, leased_until, last_error FROM jobs_before;
DROP TABLE jobs_before;

-- Parked and failed jobs are outside, so that they cost nothing while runners look for work.
CREATE INDEX jobs_ready ON jobs (ready_at, subscription, kind, target) WHERE state = 'due';

-- For the listings and the counts.
CREATE INDEX jobs_by_state ON jobs (state, subscription, kind, target);

-- Every attempt to deliver a message to an endpoint; removed when it is older than the configuration says.
CREATE TABLE deliveries (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    subscription TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    -- The kind of job that made it, and its payload: what is needed to make it again.
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    message TEXT NOT NULL,
    event TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    at INTEGER NOT NULL,
    took_micros INTEGER NOT NULL,
    -- The status that took it; else why nobody did.
    status INTEGER,
    error TEXT,
    CHECK ((status IS NULL) <> (error IS NULL))
) STRICT;

CREATE INDEX deliveries_of ON deliveries (subscription, number);
CREATE INDEX deliveries_by_message ON deliveries (message, number);
CREATE INDEX deliveries_by_age ON deliveries (at);
