-- The tables of the store. A row number says where its row belongs, so that what is read together
-- lies together and nothing but names and ids needs an index:
--   definition, execution   (pipeline << 32) | version, or sequence number
--   action                  (commit << 8) | place among the attempts that the commit began
-- Bodies are JSON, last in their rows, so that the columns before them are read without them.

-- What is written in passing. `delivered`: up to which commit every outbox was delivered.
CREATE TABLE mark (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- `name` is null once the pipeline was deleted: its rows are no longer found, and its number is not
-- given away again. `was` is the name that it had.
-- `live`: the sequence numbers of the live executions, four bytes each, the low one first.
CREATE TABLE pipeline (
    number    INTEGER PRIMARY KEY,
    name      TEXT UNIQUE,
    was       TEXT,
    version   INTEGER NOT NULL,
    commit_id BLOB NOT NULL,
    deadline  INTEGER,
    live      BLOB NOT NULL,
    head      BLOB NOT NULL
) STRICT;

-- One row for a pipeline that has any, a JSON object.
CREATE TABLE tags (
    pipeline INTEGER PRIMARY KEY,
    body     BLOB NOT NULL
) STRICT;

CREATE TABLE definition (
    number INTEGER PRIMARY KEY,
    body   BLOB NOT NULL
) STRICT;

-- `attempts`: the numbers of its rows in `action`, in the order in which they began, eight bytes
-- each, the low one first, shifted by two: bit 0 is set while a worker has the job to do, bit 1
-- when the output variables in `news` are part of the execution's state.
CREATE TABLE execution (
    number   INTEGER PRIMARY KEY,
    id       BLOB NOT NULL UNIQUE,
    attempts BLOB NOT NULL,
    body     BLOB NOT NULL
) STRICT;

-- Written once, when the attempt begins.
CREATE TABLE action (
    number INTEGER PRIMARY KEY,
    id     BLOB NOT NULL,
    job    BLOB NOT NULL
) STRICT;

-- How an attempt went on: one row an attempt, under its number in `action`.
CREATE TABLE news (
    action INTEGER PRIMARY KEY,
    body   BLOB NOT NULL
) STRICT;

CREATE TABLE token (
    pipeline  INTEGER NOT NULL,
    token     TEXT NOT NULL,
    execution BLOB NOT NULL,
    PRIMARY KEY (pipeline, token)
) STRICT, WITHOUT ROWID;

-- One row a commit, under its number: who caused it, what it changed, what it ordered.
CREATE TABLE journal (
    number   INTEGER PRIMARY KEY,
    pipeline INTEGER NOT NULL,
    outbox   BLOB,
    entry    BLOB NOT NULL
) STRICT;

CREATE TABLE project (
    name TEXT PRIMARY KEY,
    body BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Builds of projects, under numbers that tell the order in which they were asked for.
-- `in_project`: the build's number in its project. `version`: how often the row was written.
-- `token`: what the client sent so that the same request starts one build.
CREATE TABLE build (
    number     INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    project    TEXT NOT NULL,
    in_project INTEGER NOT NULL,
    started    INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    is_open    INTEGER NOT NULL,
    token      TEXT,
    body       BLOB NOT NULL
) STRICT;

CREATE UNIQUE INDEX build_in_project ON build (project, in_project);
CREATE INDEX build_open ON build (number) WHERE is_open;
CREATE INDEX build_token ON build (token) WHERE token IS NOT NULL;
