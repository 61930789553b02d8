"""Raceday as it is served, but that no process keeps a body: each comes from Valkey. For benchmarks only."""

from config.wsgi import Connection, server
from raceday import published

published.PROCESS_SECONDS = -1.0

__all__ = ["Connection", "server"]
