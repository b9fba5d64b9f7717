-- For the search by the beginning of a holder's id.
CREATE INDEX subscriptions_by_holder ON subscriptions (holder_id, key) WHERE listed;
