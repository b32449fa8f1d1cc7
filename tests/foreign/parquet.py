"""Asks an exported Parquet file what an auditor would, by DuckDB; prints a line of JSON for each answer."""
import json
import sys

import duckdb

QUESTIONS = [
    "SELECT count(*), min(log_index), max(log_index) FROM journal",
    "SELECT consumer, provider, mode, outcome, count(*) FROM journal WHERE kind = 'exchange' GROUP BY ALL ORDER BY ALL",
    "SELECT e.records, o.purpose FROM journal e JOIN journal o ON e.opened_at = o.log_index",
    "SELECT exchange_id::VARCHAR, hex(leaf_hash), fields, len(subjects), octet_length(subjects[1]) FROM journal WHERE mode = 'get' AND outcome = 'answered'",
    "SELECT reason FROM journal WHERE outcome = 'denied' ORDER BY log_index",
    "SELECT typeof(time), typeof(log_index), typeof(subjects), typeof(exchange_id) FROM journal LIMIT 1",
    "SELECT count(*) FROM journal WHERE time <> (SELECT max(o.time) FROM journal o WHERE o.log_index <= journal.log_index)",
]

connection = duckdb.connect()
connection.execute(f"CREATE VIEW journal AS SELECT * FROM read_parquet('{sys.argv[1]}')")
for question in QUESTIONS:
    print(json.dumps(connection.execute(question).fetchall(), default=str))
