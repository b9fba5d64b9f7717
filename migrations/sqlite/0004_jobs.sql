-- Stored work: at most one job of each kind for a subscription.
CREATE TABLE jobs (
    subscription TEXT NOT NULL,
    kind TEXT NOT NULL,
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
    PRIMARY KEY (subscription, kind)
) STRICT;

-- Parked and failed jobs are outside, so that they cost nothing while runners look for work.
CREATE INDEX jobs_ready ON jobs (ready_at, subscription, kind) WHERE state = 'due';

-- For the listings and the counts.
CREATE INDEX jobs_by_state ON jobs (state, subscription, kind);
