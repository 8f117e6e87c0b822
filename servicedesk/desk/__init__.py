"""The agent's pages that need several apps: queue, incident, log a call."""
