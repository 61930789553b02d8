"""What a setting may be: each function refuses a wrong value in a sentence, without repeating a secret. PURE."""

from ipaddress import ip_network
from urllib.parse import urlsplit

import psycopg
from marshmallow import ValidationError
from psycopg.conninfo import conninfo_to_dict


def is_database_url(url: str) -> None:
    """Refuse what libpq cannot read; it never repeats the value, which holds a password."""
    try:
        conninfo_to_dict(url)
    except psycopg.Error:
        raise ValidationError(
            "must read postgresql://user:password@host:port/name, or …/name?host=/socket/folder"
        ) from None


def are_database_urls(urls: list[str]) -> None:
    """Refuse a list in which one is no address of PostgreSQL."""
    for url in urls:
        is_database_url(url)


def is_redis_url(url: str) -> None:
    """Refuse what is not an address of Valkey or Redis."""
    if url and urlsplit(url).scheme not in {"redis", "rediss", "unix"}:
        raise ValidationError("must read redis://host:port/0 or unix:///path/to/socket?db=0")


def is_http_url(url: str) -> None:
    """Refuse what is not an http address."""
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        raise ValidationError("must read http://host/path or https://host/path")


def are_networks(names: list[str]) -> None:
    """Refuse what is neither an address nor a network."""
    for name in names:
        try:
            ip_network(name, strict=False)
        except ValueError:
            raise ValidationError("must read 10.0.0.5 or 10.0.0.0/8, with commas between them") from None


def are_origins(origins: list[str]) -> None:
    """Refuse what no browser sends as its Origin."""
    for origin in origins:
        parts = urlsplit(origin.removesuffix(":*"))
        if (
            parts.scheme not in {"http", "https"}
            or not parts.hostname
            or origin.removesuffix(":*") != f"{parts.scheme}://{parts.netloc}"
        ):
            raise ValidationError(
                "must read https://host or http://host:port, without a path; http://host:* for every port"
            )


def are_countries(codes: list[str]) -> None:
    """Refuse what is no code of a country as the feed writes it."""
    for code in codes:
        if not (2 <= len(code) <= 3 and code.isascii() and code.isalpha() and code.isupper()):
            raise ValidationError("must read NZ,AUS: codes of two or three capital letters, with commas between them")


def is_secret(key: str) -> None:
    """Refuse a key that can be guessed."""
    if key and len(key) < 32:
        raise ValidationError("must have at least 32 characters; leave it out, and ./run makes one")
