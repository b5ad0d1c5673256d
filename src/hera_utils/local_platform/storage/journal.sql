-- What the local platform remembers. Each statement has a name (a line that begins with "-- name:") by which journal.py calls it.

-- name: schema_1
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE objects (
  kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, uid TEXT NOT NULL, version INTEGER NOT NULL, text TEXT NOT NULL,
  PRIMARY KEY (kind, namespace, name)
) WITHOUT ROWID;
CREATE TABLE runs (
  uid TEXT PRIMARY KEY, namespace TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL,
  created REAL NOT NULL, finished REAL,          -- seconds since the epoch; finished is NULL while the run goes on
  metadata TEXT NOT NULL, spec TEXT NOT NULL, status TEXT NOT NULL, kept TEXT NOT NULL, memory TEXT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX run_names ON runs (namespace, name);
CREATE TABLE nodes (
  run TEXT NOT NULL, id TEXT NOT NULL, position INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY (run, id)
) WITHOUT ROWID;
-- Children of nodes with many children: one row each, so that a new child adds one row. Other nodes have their children in their text.
CREATE TABLE children (
  run TEXT NOT NULL, node TEXT NOT NULL, position INTEGER NOT NULL, child TEXT NOT NULL, PRIMARY KEY (run, node, position)
) WITHOUT ROWID;
CREATE TABLE pods (
  uid TEXT PRIMARY KEY, run TEXT NOT NULL, node TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL,
  shown INTEGER NOT NULL,                        -- 1: yes; 0: no more (podGC), its logs are kept with the run; -1: never a pod
  position INTEGER NOT NULL, body TEXT NOT NULL, status TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX pod_runs ON pods (run);
CREATE INDEX pod_names ON pods (namespace, name);
CREATE TABLE outbox (
  pod TEXT NOT NULL, command TEXT NOT NULL, run TEXT NOT NULL, node TEXT NOT NULL, position INTEGER NOT NULL, text TEXT NOT NULL,
  PRIMARY KEY (pod, command)
) WITHOUT ROWID;
CREATE TABLE timers (run TEXT NOT NULL, key TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (run, key)) WITHOUT ROWID;
CREATE TABLE locks (
  run TEXT NOT NULL, holder TEXT NOT NULL, position INTEGER NOT NULL, granted INTEGER NOT NULL, text TEXT NOT NULL,
  PRIMARY KEY (run, holder)
) WITHOUT ROWID;
CREATE TABLE events (position INTEGER PRIMARY KEY, run TEXT NOT NULL, text TEXT NOT NULL);
CREATE INDEX event_runs ON events (run);

-- name: schema_2
-- Runs that were deleted after they ended (text: the workflow, compressed). Without text: a run that exists, but not in the archive.
CREATE TABLE archive (
  uid TEXT PRIMARY KEY, namespace TEXT NOT NULL, name TEXT NOT NULL, created REAL NOT NULL, finished REAL, text BLOB
);
CREATE INDEX archive_names ON archive (namespace, name);

-- name: schema_3
-- An update writes its whole row again, so large columns that do not change (specs) have a table of their own. In a table without rowids
-- each row of a kilobyte would take a whole page.
CREATE TABLE specs (run TEXT PRIMARY KEY, spec TEXT NOT NULL, kept TEXT NOT NULL);
INSERT INTO specs (run, spec, kept) SELECT uid, spec, kept FROM runs;
CREATE TABLE runs_3 (
  uid TEXT PRIMARY KEY, namespace TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, created REAL NOT NULL, finished REAL,
  metadata TEXT NOT NULL, status TEXT NOT NULL, memory TEXT NOT NULL
);
INSERT INTO runs_3 SELECT uid, namespace, name, version, created, finished, metadata, status, memory FROM runs;
DROP TABLE runs;
ALTER TABLE runs_3 RENAME TO runs;
CREATE UNIQUE INDEX run_names ON runs (namespace, name);
CREATE TABLE pods_3 (
  uid TEXT PRIMARY KEY, run TEXT NOT NULL, node TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL,
  shown INTEGER NOT NULL, position INTEGER NOT NULL, body TEXT NOT NULL, status TEXT NOT NULL
);
INSERT INTO pods_3 SELECT uid, run, node, namespace, name, version, shown, position, body, status FROM pods ORDER BY position;
DROP TABLE pods;
ALTER TABLE pods_3 RENAME TO pods;
CREATE INDEX pod_runs ON pods (run);
CREATE INDEX pod_names ON pods (namespace, name);
CREATE INDEX pod_positions ON pods (position);

-- name: schema_4
-- A run's memory beside its document: the part that never changes (fixed), and maps with an entry for each of thousands of nodes (notes).
ALTER TABLE specs ADD COLUMN fixed TEXT NOT NULL DEFAULT '{}';
CREATE TABLE notes (
  run TEXT NOT NULL, part TEXT NOT NULL, entry TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (run, part, entry)
) WITHOUT ROWID;

-- name: archived
SELECT uid, namespace, name, created, finished, text IS NOT NULL FROM archive WHERE ? = '' OR namespace = ?
-- name: get_archived
SELECT text FROM archive WHERE uid = ?
-- name: archive_run
INSERT INTO archive (uid, namespace, name, created, finished, text) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (uid) DO NOTHING
-- name: bury_archived
DELETE FROM archive WHERE uid = ? AND text IS NULL
-- name: delete_archived
DELETE FROM archive WHERE uid = ?

-- name: put_meta
INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value
-- name: get_meta
SELECT value FROM meta WHERE name = ?

-- name: put_object
INSERT INTO objects (kind, namespace, name, uid, version, text) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (kind, namespace, name) DO UPDATE SET uid = excluded.uid, version = excluded.version, text = excluded.text
-- name: delete_object
DELETE FROM objects WHERE kind = ? AND namespace = ? AND name = ?
-- name: all_objects
SELECT kind, namespace, name, uid, version, text FROM objects

-- name: put_run
INSERT INTO runs (uid, namespace, name, version, created, finished, metadata, status, memory)
VALUES (:uid, :namespace, :name, :version, :created, :finished, :metadata, :status, :memory)
ON CONFLICT (uid) DO UPDATE SET version = excluded.version, finished = excluded.finished, metadata = excluded.metadata,
  status = excluded.status, memory = excluded.memory
-- name: put_spec
INSERT INTO specs (run, spec, kept, fixed) VALUES (:uid, :spec, :kept, :fixed)
ON CONFLICT (run) DO UPDATE SET spec = excluded.spec, kept = excluded.kept, fixed = excluded.fixed
-- name: update_run
UPDATE runs SET version = :version, finished = :finished, metadata = :metadata, status = :status, memory = :memory WHERE uid = :uid
-- name: delete_run
DELETE FROM runs WHERE uid = ?
-- name: delete_spec
DELETE FROM specs WHERE run = ?
-- name: run_names
SELECT uid, namespace, name, version, created, finished, coalesce(json_extract(status, '$.startedAt'), '') FROM runs
-- name: count_unfinished_runs
SELECT count(*) FROM runs WHERE finished IS NULL
-- name: get_run
SELECT uid, namespace, name, version, created, finished, metadata, spec, status, kept FROM runs JOIN specs ON run = uid WHERE uid = ?
-- name: headers
SELECT uid, namespace, name, version, created, finished, metadata, spec, status, kept FROM runs JOIN specs ON run = uid
WHERE ? = '' OR namespace = ?
-- name: owned_runs
SELECT uid, metadata FROM runs WHERE instr(metadata, '"ownerReferences"')
-- name: last_succeeded
SELECT uid FROM runs WHERE namespace = ? AND instr(metadata, ?) AND json_extract(metadata, ?) = ?
  AND json_extract(status, '$.phase') = 'Succeeded' ORDER BY created DESC LIMIT 1
-- name: phases_of_runs
SELECT json_extract(status, '$.phase'), count(*) FROM runs GROUP BY 1
-- name: run_memory
SELECT memory, fixed FROM runs JOIN specs ON run = uid WHERE uid = ?
-- name: run_notes
SELECT part, entry, text FROM notes WHERE run = ?
-- name: put_note
INSERT OR REPLACE INTO notes (run, part, entry, text) VALUES (?, ?, ?, ?)
-- name: delete_note
DELETE FROM notes WHERE run = ? AND part = ? AND entry = ?
-- name: delete_part
DELETE FROM notes WHERE run = ? AND part = ?
-- name: delete_notes
DELETE FROM notes WHERE run = ?

-- name: put_node
INSERT INTO nodes (run, id, position, text) VALUES (?, ?, ?, ?)
ON CONFLICT (run, id) DO UPDATE SET text = excluded.text
-- name: delete_node
DELETE FROM nodes WHERE run = ? AND id = ?
-- name: delete_nodes
DELETE FROM nodes WHERE run = ?
-- name: put_child
INSERT OR REPLACE INTO children (run, node, position, child) VALUES (?, ?, ?, ?)
-- name: delete_children
DELETE FROM children WHERE run = ? AND node = ?
-- name: delete_all_children
DELETE FROM children WHERE run = ?
-- name: run_children
SELECT node, child FROM children WHERE run = ? ORDER BY node, position
-- name: run_nodes
SELECT id, text FROM nodes WHERE run = ? ORDER BY position

-- name: last_node
SELECT coalesce(max(position), -1) FROM nodes WHERE run = ?

-- name: put_pod
INSERT OR REPLACE INTO pods (uid, run, node, namespace, name, version, shown, position, body, status)
VALUES (:uid, :run, :node, :namespace, :name, :version, :visibility, :position, :body, :status)
-- name: update_pod
UPDATE pods SET version = :version, status = :status WHERE uid = :uid
-- name: hide_pod
UPDATE pods SET shown = 0 WHERE uid = ?
-- name: delete_pod
DELETE FROM pods WHERE uid = ?
-- name: get_pod
SELECT uid, run, node, namespace, name, version, shown, position, body, status FROM pods WHERE uid = ?
-- name: named_pods
SELECT uid, run, node, namespace, name, version, shown, position, body, status FROM pods
WHERE namespace = ? AND name = ? ORDER BY position
-- name: run_pods
SELECT uid, run, node, namespace, name, version, shown, position, body, status FROM pods WHERE run = ? ORDER BY position
-- name: first_run_pods
SELECT uid, run, node, namespace, name, version, shown, position, body, status FROM pods WHERE run = ? ORDER BY rowid LIMIT ? OFFSET ?
-- name: runs_gone
SELECT DISTINCT run FROM pods WHERE run != '' AND run NOT IN (SELECT uid FROM runs)
-- name: run_pod_uids
SELECT uid FROM pods WHERE run = ?
-- name: all_pods
SELECT uid, run, node, namespace, name, version, shown, position, body, status FROM pods
WHERE shown = 1 AND (? = '' OR namespace = ?) ORDER BY position

-- name: phases_of_pods
SELECT json_extract(status, '$.phase'), count(*) FROM pods WHERE shown = 1 GROUP BY 1

-- name: put_outbox
INSERT OR REPLACE INTO outbox (pod, command, run, node, position, text) VALUES (?, ?, ?, ?, ?, ?)
-- name: get_launch
SELECT text FROM outbox WHERE pod = ? AND command = 'launch'
-- name: settle_pod
DELETE FROM outbox WHERE pod = ?
-- name: launched_pods
SELECT pod, outbox.run, outbox.node FROM outbox JOIN pods ON uid = pod WHERE command = 'launch' ORDER BY outbox.position
-- name: deleted_pods
SELECT pod FROM outbox WHERE command = 'delete' AND pod NOT IN (SELECT pod FROM outbox WHERE command = 'kill')
-- name: all_outbox
SELECT pod, command, run, node, position, text FROM outbox ORDER BY position

-- name: put_timer
INSERT INTO timers (run, key, at) VALUES (?, ?, ?) ON CONFLICT (run, key) DO UPDATE SET at = excluded.at
-- name: delete_timer
DELETE FROM timers WHERE run = ? AND key = ?
-- name: delete_timers
DELETE FROM timers WHERE run = ?
-- name: all_timers
SELECT run, key, at FROM timers

-- name: put_lock
INSERT INTO locks (run, holder, position, granted, text) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (run, holder) DO UPDATE SET granted = excluded.granted, text = excluded.text
-- name: grant_lock
UPDATE locks SET granted = 1 WHERE run = ? AND holder = ?
-- name: delete_lock
DELETE FROM locks WHERE run = ? AND holder = ?
-- name: delete_locks
DELETE FROM locks WHERE run = ?
-- name: all_locks
SELECT run, holder, position, granted, text FROM locks ORDER BY position

-- name: add_event
INSERT INTO events (run, text) VALUES (?, ?)
-- name: run_events
SELECT text FROM events WHERE run = ? ORDER BY position
-- name: delete_events
DELETE FROM events WHERE run = ?

-- name: last_positions
SELECT (SELECT coalesce(max(position), 0) FROM pods), (SELECT coalesce(max(position), 0) FROM outbox),
  (SELECT coalesce(max(position), 0) FROM locks)
