-- In which transaction each subscription was last written: what a follower reads on from.
-- Transactions become visible out of the order of their numbers, so it reads from the oldest one that ran
-- when it last read (pg_snapshot_xmin); what commits later has that number or a higher one.
-- 0 in rows from before.
ALTER TABLE subscriptions ADD COLUMN changed_in BIGINT NOT NULL DEFAULT 0;

CREATE INDEX subscriptions_by_change ON subscriptions (changed_in, key) WHERE listed;

-- Access that the seller gives outside any marketplace. A row stays when its grant is revoked, so that
-- followers see that.
CREATE TABLE grants (
    -- The caller's own.
    id TEXT COLLATE "C" PRIMARY KEY,
    tenant TEXT COLLATE "C" NOT NULL,
    -- For this user only; for all of the tenant's where it is NULL.
    user_id TEXT COLLATE "C",
    product TEXT COLLATE "C" NOT NULL,
    -- The first instant at which it is over.
    until TIMESTAMPTZ,
    why TEXT NOT NULL,
    granted_by TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    revoked_by TEXT,
    revoked_at TIMESTAMPTZ,
    changed_in BIGINT NOT NULL
);

CREATE INDEX grants_by_change ON grants (changed_in, id);
CREATE INDEX grants_by_tenant ON grants (tenant, id);

-- What was done with each grant, and by whom; written once and kept.
CREATE TABLE grant_acts (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    grant_id TEXT COLLATE "C" NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    -- put, revoked
    what TEXT COLLATE "C" NOT NULL,
    actor TEXT NOT NULL,
    -- What was put, as JSON.
    detail TEXT NOT NULL
);

CREATE INDEX grant_acts_by_grant ON grant_acts (grant_id, number);
