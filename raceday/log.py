"""One structured JSON line an event, from structlog and from every library alike. No bodies, no secrets."""

import logging
import logging.config
from typing import Any

import structlog

MOST_TEXT, MOST_FAULT = 500, 8000  # letters of one value; a traceback is longer
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def cut(_logger: Any, _method: str, event: Any) -> Any:
    """Cut every text of a line to what a person reads: paths and the like come from clients."""
    for name, value in event.items():
        most = MOST_FAULT if name == "exception" else MOST_TEXT
        if isinstance(value, str) and len(value) > most:
            event[name] = f"{value[: most // 2]} … {value[-most // 2 :]}"
    return event


def logging_config(level: str) -> None:
    """Send this process's logs, at `level` and above, to stderr as JSON lines."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "json": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        cut,
                        structlog.processors.JSONRenderer(),
                    ],
                    "foreign_pre_chain": shared,
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
            "root": {"handlers": ["stderr"], "level": level},
            # At INFO these log each request and each task; we want one line for each poll.
            "loggers": {name: {"level": "WARNING"} for name in ("httpx", "httpcore", "asyncio", "django-q")},
        }
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
