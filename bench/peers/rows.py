"""Writes what the worker wrote, row by row the same, into a fresh database of the same schema.

usage: rows.py SOURCE_URL TARGET_URL notifications|events|events-and-records
Both are postgres://… or both sqlite:///…; the target is migrated and empty.
notifications: one transaction for each group of 100, in the order in which the worker took them in: their
inbox rows and lines of history, and the subscriptions and jobs that they touched, each as the worker left it.
events: one transaction for each 1,000 usage events, in the order in which the worker stored them.
events-and-records: the same, each with the records and meters that it changed, as the worker left them.
Says `ready` once it has read, writes when its input ends, and prints one line of JSON; the time counts from
the first transaction to the last commit.
"""

import json
import sys
import time
from collections import defaultdict
from itertools import islice

GROUP = 100
EVENTS = 1_000

INBOX = ["marketplace", "id", "subscription", "received_at", "outcome", "body"]
SUBSCRIPTIONS = [
    "key", "marketplace", "product", "holder_kind", "holder_id", "state", "word", "tenant", "deadline",
    "sequence", "created_at", "updated_at", "changed_in",
]
CHANGING = ["state", "word", "tenant", "deadline", "sequence", "updated_at", "changed_in"]
HISTORY = [
    "subscription", "at", "what", "happened_at", "event", "outcome", "word", "anomaly", "actor", "detail",
]
EVENT = [
    "product", "tenant", "id", "subscription", "dimension", "hour", "state", "counted", "held_for", "held_until",
    "received_at", "content", "event",
]
RECORD = [
    "subscription", "hour", "dimension", "region", "marketplace", "product", "state", "parts", "frozen_at",
    "expires_at", "retry_at", "record", "updated_at",
]
METER = [
    "subscription", "marketplace", "product", "tenant", "state", "deadline", "cut_by", "closes_by_word", "look_at",
    "updated_at",
]
JOBS = ["subscription", "kind", "target", "state", "due_at", "payload", "version"]


def main():
    source_url, target_url, what = sys.argv[1:]
    store = Sqlite if target_url.startswith("sqlite:") else Postgres
    source = store(source_url)
    groups, items = notifications(source) if what == "notifications" else usage(source, what)
    quarantined = len(source.read("quarantine", ["hash"], "hash"))
    target = store(target_url)
    print("ready", flush=True)
    sys.stdin.read()
    started, cpu_started = time.perf_counter(), time.process_time()
    for group in groups:
        target.write(group)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    print(json.dumps({
        "items": items, "quarantined": quarantined, "seconds": seconds, "cpu_seconds": cpu_seconds,
        "versions": store.versions(),
    }))


def notifications(source):
    rows = {
        "inbox": source.read("inbox", INBOX, "received_at, marketplace, id"),
        "subscriptions": source.read("subscriptions", SUBSCRIPTIONS, "key"),
        "history": source.read("history", HISTORY, "number"),
        "jobs": source.read("jobs", JOBS, "subscription, kind, target"),
    }
    return grouped(rows), len(rows["inbox"])


def usage(source, what):
    """A thousand events at a time, and what they change."""
    events = source.read("usage_events", EVENT, "number")
    records = {row[:3]: row for row in source.read("usage_records", RECORD, "number")}
    meters = {row[0]: row for row in source.read("meters", METER, "subscription")}
    groups = []
    for start in range(0, len(events), EVENTS):
        part = events[start:start + EVENTS]
        group = {"usage_events": sorted(part)}
        if what == "events-and-records":
            subscription, dimension, hour = (EVENT.index(name) for name in ("subscription", "dimension", "hour"))
            keys = sorted({(row[subscription], row[hour], row[dimension]) for row in part})
            group["meters"] = [meters[key] for key in sorted({key[0] for key in keys})]
            group["usage_records"] = [records[key] for key in keys]
        groups.append(group)
    return groups, len(events)


def grouped(rows):
    """The rows of each hundred notifications, in the order in which the worker wrote their history."""
    lines = defaultdict(list)
    position = {}
    for number, line in enumerate(rows["history"]):
        event = line[HISTORY.index("event")]
        lines[event].append(line)
        position.setdefault(event, number)
    inbox_id = INBOX.index("id")
    arrived = iter(sorted(rows["inbox"], key=lambda row: position.get(row[inbox_id], len(position))))
    subscriptions = {row[0]: row for row in rows["subscriptions"]}
    groups, touching = [], defaultdict(list)
    while inbox := list(islice(arrived, GROUP)):
        history = [line for row in inbox for line in lines[row[inbox_id]]]
        touched = sorted({line[0] for line in history})
        for key in touched:
            touching[key].append(len(groups))
        groups.append({
            "inbox": sorted(inbox),
            "subscriptions": [subscriptions[key] for key in touched],
            "history": history,
            "jobs": [],
        })
    # A job's version tells how often it was written; the last groups that touched its subscription did.
    for job in rows["jobs"]:
        for number in touching[job[0]][-job[JOBS.index("version")]:]:
            groups[number]["jobs"].append(job)
    return groups


def upsert(key, changing, insert):
    sets = ", ".join(f"{column} = EXCLUDED.{column}" for column in changing)
    return f"{insert} ON CONFLICT ({key}) DO UPDATE SET {sets}"


class Postgres:
    """One statement for each table and group, its rows as arrays; prepared once."""

    TYPES = {
        "body": "bytea", "received_at": "timestamptz", "deadline": "timestamptz", "created_at": "timestamptz",
        "updated_at": "timestamptz", "at": "timestamptz", "happened_at": "timestamptz", "due_at": "timestamptz",
        "sequence": "bigint", "version": "bigint", "hour": "bigint", "counted": "bigint", "parts": "bigint",
        "held_until": "timestamptz", "frozen_at": "timestamptz", "expires_at": "timestamptz",
        "retry_at": "timestamptz", "cut_by": "timestamptz", "closes_by_word": "timestamptz",
        "look_at": "timestamptz", "changed_in": "bigint",
    }

    def __init__(self, url):
        import psycopg
        self.connection = psycopg.connect(url, autocommit=True)
        self.statements = {
            "inbox": (INBOX, self.insert("inbox", INBOX)),
            "subscriptions": (
                SUBSCRIPTIONS,
                upsert("key", CHANGING, self.insert("subscriptions", SUBSCRIPTIONS)),
            ),
            "history": (HISTORY, self.insert("history", HISTORY)),
            "jobs": (JOBS, upsert("subscription, kind, target", JOBS[3:], self.insert("jobs", JOBS))),
            "usage_events": (EVENT, self.insert("usage_events", EVENT)),
            "meters": (METER, upsert("subscription", METER[1:], self.insert("meters", METER))),
            "usage_records": (
                RECORD,
                upsert("subscription, hour, dimension, region", RECORD[6:], self.insert("usage_records", RECORD)),
            ),
        }

    @staticmethod
    def versions():
        import psycopg
        return {"Python": sys.version.split()[0], "psycopg": psycopg.__version__}

    def insert(self, table, columns):
        arrays = ", ".join(f"%b::{self.TYPES.get(column, 'text')}[]" for column in columns)
        return f"INSERT INTO {table} ({', '.join(columns)}) SELECT * FROM UNNEST({arrays})"

    def read(self, table, columns, order):
        return self.connection.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY {order}").fetchall()

    def write(self, group):
        with self.connection.transaction():
            for table, (columns, statement) in self.statements.items():
                if rows := group.get(table):
                    arrays = [list(column) for column in zip(*rows)]
                    self.connection.execute(statement, arrays, prepare=True)


class Sqlite:
    """A prepared statement for each table, run for all rows of a group; durable at every commit."""

    def __init__(self, url):
        import sqlite3
        self.connection = sqlite3.connect(url.removeprefix("sqlite://"), isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")
        self.statements = {
            "inbox": self.insert("inbox", INBOX),
            "subscriptions": upsert("key", CHANGING, self.insert("subscriptions", SUBSCRIPTIONS)),
            "history": self.insert("history", HISTORY),
            "jobs": upsert("subscription, kind, target", JOBS[3:], self.insert("jobs", JOBS)),
            "usage_events": self.insert("usage_events", EVENT),
            "meters": upsert("subscription", METER[1:], self.insert("meters", METER)),
            "usage_records": upsert(
                "subscription, hour, dimension, region", RECORD[6:], self.insert("usage_records", RECORD)
            ),
        }

    @staticmethod
    def versions():
        import sqlite3
        return {"Python": sys.version.split()[0], "SQLite of Python": sqlite3.sqlite_version}

    @staticmethod
    def insert(table, columns):
        return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"

    def read(self, table, columns, order):
        return self.connection.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY {order}").fetchall()

    def write(self, group):
        self.connection.execute("BEGIN IMMEDIATE")
        for table, statement in self.statements.items():
            self.connection.executemany(statement, group.get(table, []))
        self.connection.execute("COMMIT")


if __name__ == "__main__":
    main()
