-- Stored work: at most one job of each kind for a subscription.
CREATE TABLE jobs (
    subscription TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    due_at TIMESTAMPTZ NOT NULL,
    payload TEXT NOT NULL,
    -- Counts up when a newer job takes this one's place, so that a runner finishes only what it was handed.
    version BIGINT NOT NULL DEFAULT 1,
    -- How often this version was handed out; 0 tells that a lease is still that of the version before.
    attempts INTEGER NOT NULL DEFAULT 0,
    leased_until TIMESTAMPTZ,
    last_error TEXT,
    -- When it can be handed out: it is due, and nobody's lease runs any more (GREATEST passes over NULL).
    ready_at TIMESTAMPTZ NOT NULL GENERATED ALWAYS AS (GREATEST(due_at, leased_until)) STORED,
    PRIMARY KEY (subscription, kind)
);

-- Parked and failed jobs are outside, so that they cost nothing while runners look for work.
CREATE INDEX jobs_ready ON jobs (ready_at, subscription, kind) WHERE state = 'due';

-- For the listings and the counts.
CREATE INDEX jobs_by_state ON jobs (state, subscription, kind);
