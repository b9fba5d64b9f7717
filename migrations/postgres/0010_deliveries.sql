-- What a job is done to, where a subscription has several of a kind, such as an endpoint's name.
ALTER TABLE jobs ADD COLUMN target TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE jobs DROP CONSTRAINT jobs_pkey;
ALTER TABLE jobs ADD PRIMARY KEY (subscription, kind, target);

DROP INDEX jobs_ready;
CREATE INDEX jobs_ready ON jobs (ready_at, subscription, kind, target) WHERE state = 'due';
DROP INDEX jobs_by_state;
CREATE INDEX jobs_by_state ON jobs (state, subscription, kind, target);

-- Every attempt to deliver a message to an endpoint; removed when it is older than the configuration says.
CREATE TABLE deliveries (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscription TEXT COLLATE "C" NOT NULL,
    endpoint TEXT COLLATE "C" NOT NULL,
    -- The kind of job that made it, and its payload: what is needed to make it again.
    kind TEXT COLLATE "C" NOT NULL,
    payload TEXT NOT NULL,
    message TEXT COLLATE "C" NOT NULL,
    event TEXT COLLATE "C" NOT NULL,
    sequence BIGINT NOT NULL,
    attempt INTEGER NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    took_micros BIGINT NOT NULL,
    -- The status that took it; else why nobody did.
    status INTEGER,
    error TEXT,
    CHECK ((status IS NULL) <> (error IS NULL))
);

CREATE INDEX deliveries_of ON deliveries (subscription, number);
CREATE INDEX deliveries_by_message ON deliveries (message, number);
CREATE INDEX deliveries_by_age ON deliveries (at);
