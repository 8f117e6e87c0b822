"""Replays a ServiceNow-style event log through the desk's own actions, with the log's own times."""
