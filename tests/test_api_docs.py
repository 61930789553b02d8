"""The page of the API docs: its sections, and a real example at every request and response."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from config.docs import SECTIONS

PLACEHOLDERS = {"string", "additionalProp1"}
Schema = dict[str, Any]


@pytest.fixture
def schema(client: Client) -> Schema:
    described: Schema = client.get("/api/schema", headers={"Accept": "application/vnd.oai.openapi+json"}).json()
    return described


def operations(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield each route of the schema with its description."""
    for path, methods in schema["paths"].items():
        yield from ((f"{method} {path}", operation) for method, operation in methods.items())


def contents(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield what is sent and what comes back, by route and status."""
    for route, operation in operations(schema):
        bodies = {"request": operation.get("requestBody", {}), **operation["responses"]}
        for name, body in bodies.items():
            yield from ((f"{route} {name}", content) for content in body.get("content", {}).values())


def words(value: Any) -> Iterator[str]:
    """Yield every name and every text in an example."""
    if isinstance(value, dict):
        yield from value
        for each in value.values():
            yield from words(each)
    elif isinstance(value, list):
        for each in value:
            yield from words(each)
    elif isinstance(value, str):
        yield value


def misfits(value: Any, shape: Schema, schema: Schema) -> Iterator[str]:
    """Yield the names that an example lacks, and those that its description does not know."""
    for part in shape.get("allOf", []):
        yield from misfits(value, part, schema)
    if reference := shape.get("$ref"):
        shape = schema["components"]["schemas"][reference.rpartition("/")[2]]
    if isinstance(value, list):
        for each in value:
            yield from misfits(each, shape.get("items", {}), schema)
    if isinstance(value, dict) and "properties" in shape:
        yield from set(shape.get("required", [])) - set(value)
        yield from set(value) - set(shape["properties"])
        for name, each in value.items():
            yield from misfits(each, shape["properties"].get(name, {}), schema)


def test_sections_come_in_the_order_of_their_use(schema: Schema) -> None:
    assert [tag["name"] for tag in schema["tags"]] == list(SECTIONS)
    assert list(SECTIONS)[:2] == ["health", "races"]
    assert list(SECTIONS)[-1] == "staff"
    assert all(tag["description"].endswith((".", "?")) for tag in schema["tags"])


def test_the_docs_lead_to_the_pages(schema: Schema) -> None:
    assert "[pages](/)" in schema["info"]["description"]


def test_every_route_stands_in_one_section_and_every_section_has_routes(schema: Schema) -> None:
    tags = {route: operation["tags"] for route, operation in operations(schema)}
    assert {route: found for route, found in tags.items() if len(found) != 1 or found[0] not in SECTIONS} == {}
    assert {found[0] for found in tags.values()} == set(SECTIONS)


def test_every_request_and_response_has_an_example(schema: Schema) -> None:
    found = {name: content.get("examples") for name, content in contents(schema)}
    assert len(found) > 100
    assert [name for name, examples in found.items() if not examples] == []


def test_no_example_is_a_placeholder(schema: Schema) -> None:
    found = [
        f"{name}: {word}"
        for name, content in contents(schema)
        for each in content.get("examples", {}).values()
        for word in words(each.get("value"))
        if word in PLACEHOLDERS
    ]
    assert found == []


def test_every_example_has_the_fields_of_its_description(schema: Schema) -> None:
    found = [
        f"{name}: {field}"
        for name, content in contents(schema)
        for each in content.get("examples", {}).values()
        for field in misfits(each.get("value"), content["schema"], schema)
    ]
    assert found == []


def test_the_stream_cannot_be_tried_out_but_says_how_to_follow_it(client: Client, schema: Schema) -> None:
    stream = schema["paths"]["/api/stream"]["get"]
    assert "curl -N" in stream["description"]
    assert "EventSource" in stream["description"]
    page = client.get("/api/docs").content.decode()
    assert f"#operations-{stream['tags'][0]}-{stream['operationId']} .try-out {{ display: none; }}" in page
