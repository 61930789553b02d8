"""Raceday as it is served, but no process keeps a body: each comes from Valkey. For benchmarks only."""

from config.wsgi import Connection, server
from raceday.published import lane

lane.PROCESS_SECONDS = -1.0

__all__ = ["Connection", "server"]
