"""Every setting of Raceday, read once from the environment or `.env`; a fault is told in a sentence, exit 2."""

import os
import sys
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from environs import Env, EnvValidationError
from marshmallow.validate import OneOf, Range
from psycopg.conninfo import conninfo_to_dict

from config import env_file
from config.validators import (
    are_countries,
    are_database_urls,
    are_networks,
    are_origins,
    is_database_url,
    is_http_url,
    is_redis_url,
    is_secret,
)
from raceday import home, metric_files
from raceday.feed.records import RaceType
from raceday.log import LEVELS, logging_config

BASE_DIR = Path(__file__).resolve().parent.parent


def tell(sentences: Iterable[str]) -> bool:
    """Write sentences for the person who started Raceday; tell whether there was one."""
    told = [sys.stderr.write(f"raceday: {sentence}\n") for sentence in sentences]
    return bool(told)


if "PROMETHEUS_MULTIPROC_DIR" in os.environ:  # containers that share this folder count their processes alike
    metric_files.install()

env = Env(eager=False)
ENV_FILE = BASE_DIR / ".env"
ENV_TEXT = ENV_FILE.read_text() if ENV_FILE.exists() else ""
if tell(env_file.faults_of(ENV_TEXT)):
    raise SystemExit(2)
env.read_env(str(ENV_FILE), recurse=False)
HOME = home.home()

# ── The feed ────────────────────────────────────────────────────────────────────────────────────
NZTAB_API_URL: str = env.str("NZTAB_API_URL", "https://api.tab.co.nz/affiliates/v1", validate=is_http_url)
NZTAB_FROM: str = env.str("NZTAB_FROM", "")
NZTAB_PARTNER: str = env.str("NZTAB_PARTNER", "")
NZTAB_PARTNER_ID: str = env.str("NZTAB_PARTNER_ID", "")
NZTAB_LICENCE_ACKNOWLEDGED: bool = env.bool("NZTAB_LICENCE_ACKNOWLEDGED", False)
COUNTRIES: list[str] = env.list("COUNTRIES", ["NZ", "AUS"], validate=are_countries)
RACE_TYPES: list[str] = env.list(
    "RACE_TYPES", list(RaceType), validate=lambda names: [OneOf(list(RaceType))(name) for name in names]
)
FEED_CONCURRENCY: int = env.int("FEED_CONCURRENCY", 16, validate=Range(1, 200))
# A busy day of 286 races takes about 420 requests a minute, and 286 within 6 s at midnight: see docs/adr/0024.
FEED_REQUESTS_PER_MINUTE: int = env.int("FEED_REQUESTS_PER_MINUTE", 1200, validate=Range(0, 1_000_000))  # 0: no limit
FEED_BURST: int = env.int("FEED_BURST", 200, validate=Range(1, 1_000_000))
FEED_TIMEOUT_SECONDS: float = env.float("FEED_TIMEOUT_SECONDS", 4.0, validate=Range(0.1, 30))
FEED_REFRESH_SECONDS: float = env.float("FEED_REFRESH_SECONDS", 15.0, validate=Range(1, 300))  # of the source

# ── How often a race is polled: seconds between polls, in Raceday's time ─────────────────────────
CADENCE_SECONDS: dict[str, int] = {
    "far": env.int("CADENCE_FAR_SECONDS", 60, validate=Range(1, 3600)),  # > 15 min to the advertised start
    "near": env.int("CADENCE_NEAR_SECONDS", 30, validate=Range(1, 3600)),  # 15 to 5 min
    "soon": env.int("CADENCE_SOON_SECONDS", 15, validate=Range(1, 3600)),  # ≤ 5 min
    "closing": env.int("CADENCE_CLOSING_SECONDS", 5, validate=Range(1, 3600)),  # from 90 s before until it closes
    "settling": env.int("CADENCE_SETTLING_SECONDS", 15, validate=Range(1, 3600)),  # Closed and Interim
}
HISTORY_RETENTION_DAYS: int = env.int("HISTORY_RETENTION_DAYS", 30, validate=Range(2, 3650))
ANSWERS_RETENTION_DAYS: int = env.int("ANSWERS_RETENTION_DAYS", 30, validate=Range(2, 3650))

# ── Servers ─────────────────────────────────────────────────────────────────────────────────────
DATABASE_URL: str = env.str("DATABASE_URL", "", validate=is_database_url) or home.database_url(HOME)
REDIS_URL: str = env.str("REDIS_URL", "", validate=is_redis_url) or home.redis_url(HOME)
DATABASE_REPLICA_URLS: list[str] = env.list("DATABASE_REPLICA_URLS", [], validate=are_database_urls)
REPLICA_MAX_LAG_SECONDS: float = env.float("REPLICA_MAX_LAG_SECONDS", 5.0, validate=Range(0.1, 3600))
DB_POOL_MAX: int = env.int("DB_POOL_MAX", 12, validate=Range(10, 200))
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CORS_ALLOWED_ORIGINS: list[str] = env.list("CORS_ALLOWED_ORIGINS", [], validate=are_origins)
RATE_LIMIT_PER_MINUTE: int = env.int("RATE_LIMIT_PER_MINUTE", 100, validate=Range(0, 1_000_000))  # 0: no limit
RATE_LIMIT_EXPENSIVE_PER_5_MINUTES: int = env.int(
    "RATE_LIMIT_EXPENSIVE_PER_5_MINUTES", 10, validate=Range(0, 1_000_000)
)
RATE_LIMIT_TRUSTED: list[str] = env.list("RATE_LIMIT_TRUSTED", [], validate=are_networks)
IS_PRIVATE = {"localhost", "127.0.0.1", "[::1]", "::1"}.issuperset(ALLOWED_HOSTS)
WEB_PORT: int = env.int("WEB_PORT", 8000, validate=Range(1, 65535))  # `./run` sets both
STREAM_PORT: int = env.int("STREAM_PORT", 8001, validate=Range(1, 65535))
DEMO: bool = env.bool("DEMO", False)  # `./run demo` sets it
STREAMS_PER_CLIENT: int = env.int("STREAMS_PER_CLIENT", 20, validate=Range(0, 100_000))  # 0: no limit
STREAMS_MAX: int = env.int("STREAMS_MAX", 10_000, validate=Range(1, 100_000))
# Alerts go to https addresses on the public internet only, unless this is set.
WEBHOOKS_PRIVATE: bool = env.bool("WEBHOOKS_PRIVATE", False)
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", [])
HTTPS: bool = env.bool("HTTPS", False)
SECRET_KEY: str = env.str("SECRET_KEY", "", validate=is_secret)
METRICS_PUBLIC: bool = env.bool("METRICS_PUBLIC", False)  # else /metrics answers this machine only
LOG_LEVEL: str = env.str("LOG_LEVEL", "INFO", validate=OneOf(LEVELS))

tell(env_file.unknown_names(ENV_TEXT, env.dump()))
try:
    env.seal()
except EnvValidationError as faults:
    wrong = cast(dict[str, list[str]], faults.error_messages).items()
    tell(f"setting {name} is wrong: {' '.join(map(str, sentences))}" for name, sentences in wrong)
    raise SystemExit(2) from None
closer = {name: CADENCE_SECONDS[name] for name in ("far", "near", "soon", "closing")}
if tell(
    f"CADENCE_{near.upper()}_SECONDS ({closer[near]}) must not be above CADENCE_{far.upper()}_SECONDS ({closer[far]}):"
    " polls come closer together towards the close."
    for far, near in pairwise(closer)
    if closer[near] > closer[far]
):
    raise SystemExit(2)
if not SECRET_KEY:
    try:
        SECRET_KEY = home.secret_key(HOME)
    except OSError as fault:
        tell([f"no secret key: {fault}. Set SECRET_KEY, or RACEDAY_HOME to a folder you can write."])
        raise SystemExit(2) from None

if not NZTAB_LICENCE_ACKNOWLEDGED and not IS_PRIVATE:
    tell(
        [
            "ALLOWED_HOSTS lets other people in, but the feed's terms allow personal use only without Entain's written"
            " permission: set NZTAB_LICENCE_ACKNOWLEDGED=true once you have it."
        ]
    )
    raise SystemExit(2)

# ── Django ──────────────────────────────────────────────────────────────────────────────────────
DEBUG = False
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework.authtoken",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_prometheus",
    "django_q",
    "raceday",
    "accounts",
    "meetings",
    "races",
    "moneyflow",
    "operations",
    "board",
]
MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "raceday.api.cors.cors",
    "django.middleware.security.SecurityMiddleware",
    "raceday.api.static_files.PageFiles",
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "raceday.api.headers.ConditionalGet",
    "raceday.api.limits.rate_limit",
    "raceday.api.query_count.query_count",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "raceday.staff.policy.content_security",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True  # no collectstatic step between a clone and a running product
WHITENOISE_ALLOW_ALL_ORIGINS = False
COMPRESSED_STATIC = ("board",)  # folders whose files browsers load with each first view
BUNDLED_SCRIPTS = ("board/race.js",)  # that are sent together with the modules that they import
USE_TZ = True
TIME_ZONE = "Pacific/Auckland"  # what staff read in the admin; bounds of days come from raceday.racing_day
AUTH_USER_MODEL = "accounts.User"
LOGIN_REDIRECT_URL = "/admin/"  # after a login that was not on the way to a page
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = False
LOGGING_CONFIG = None
logging_config(LOG_LEVEL)

# ── PostgreSQL: one connection a thread, kept, failing fast ─────────────────────────────────────
LIMITS = "-c statement_timeout=8000 -c lock_timeout=4000 -c idle_in_transaction_session_timeout=10000"


def database(url: str, *, limits: str = LIMITS, **options: Any) -> dict[str, Any]:
    """Return Django's description of the database at `url`; what the URL says wins over options."""
    dsn: dict[str, Any] = {name: value for name, value in conninfo_to_dict(url).items() if value is not None}
    return {
        "ENGINE": "django_prometheus.db.backends.postgresql",
        "NAME": dsn.pop("dbname", "raceday"),
        "USER": dsn.pop("user", ""),
        "PASSWORD": dsn.pop("password", ""),
        "HOST": dsn.pop("host", ""),
        "PORT": dsn.pop("port", ""),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": 2,
            "application_name": "raceday",
            "prepare_threshold": 0,  # at once, where raceday.rows asks for it; Django turns preparing off
            "options": limits,
            **options,
            **dsn,
        },
    }


def replica(url: str) -> dict[str, Any]:
    """Describe a replica: it takes no writes, and a host that fell silent is noticed in 3 s."""
    described = database(url, limits=f"{LIMITS} -c default_transaction_read_only=on", tcp_user_timeout=3000)
    return {**described, "TEST": {"MIRROR": "default"}}


DATABASES = {"default": database(DATABASE_URL)}
DATABASES |= {f"replica_{number}": replica(url) for number, url in enumerate(DATABASE_REPLICA_URLS, 1)}
DATABASE_ROUTERS = ["raceday.replicas.Router"]
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "raceday",
        "OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 1, "SOCKET_TIMEOUT": 2},
    }
}

# ── django-q2: `control` polls, `write-0` and `write-1` transform and write, `publish` makes bodies ─
ENDLESS = {"workers": 1}  # whose worker does nothing else for as long as it lives
Q_CLUSTER = {
    "name": "default",
    "broker_class": "raceday.queue.broker.StreamBroker",
    "redis": REDIS_URL,
    "workers": 1,
    "timeout": 20,  # above statement_timeout, so that its kill never fires
    "retry": 30,  # above timeout, so that no task runs twice at once
    "max_attempts": 3,
    "recycle": 100_000,  # each worker that ever was leaves its metrics behind, read at every scrape
    "queue_limit": 50,  # what waits inside a cluster is overdue after `retry`; the rest waits in Valkey
    "catch_up": False,
    "scheduler": False,  # it would hold a connection; what Raceday does daily, the poller asks for by Raceday's clock
    "save_limit": 250,
    "poll": 0.2,
    "guard_cycle": 0.5,
    "label": "django-q2",
    "ALT_CLUSTERS": {
        "control": ENDLESS,  # two of it run: who polls, and who stands by
        "write-0": ENDLESS,
        "write-1": ENDLESS,
        "publish": ENDLESS,
    },
}

# ── The API and the admin ───────────────────────────────────────────────────────────────────────
REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"],
    "UNAUTHENTICATED_USER": None,
    "EXCEPTION_HANDLER": "raceday.api.errors.error_response",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "COERCE_DECIMAL_TO_STRING": False,
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Raceday",
    "DESCRIPTION": (
        "Racing and the money on it, as the NZ TAB feed shows it. People read it on [pages](/)."
        " Query names may be written in snake_case or camelCase; an unknown one is refused."
        " Times carry the New Zealand offset, money is whole cents, odds are per $1,"
        " percentages 0–100, what is not known is null. Every error is `{error, details?}`."
    ),
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,  # what is sent is described apart from what comes back
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},  # None: no badge from a foreign host
    "SCHEMA_PATH_PREFIX": "/api",
    "PREPROCESSING_HOOKS": ["raceday.api.description.api_endpoints"],
}
UNFOLD = {
    "SITE_TITLE": "Raceday",
    "SITE_HEADER": "Raceday",
    "SITE_SYMBOL": "sports_score",
    "SITE_URL": "/",
    "STYLES": ["/static/operations/admin.css"],
    "DASHBOARD_CALLBACK": "operations.admin.dashboard.dashboard",
    "SIDEBAR": {"navigation": "operations.admin.dashboard.sidebar"},
}
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# ── Safe by default; HTTPS=true once TLS stands in front ────────────────────────────────────────
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "raceday.pages.errors.csrf_failure"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
