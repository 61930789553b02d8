"""SERVE: what all pages for people share. A page is a resource: published, sent by the lane, the same for everybody."""

from collections.abc import Callable, Mapping
from typing import Any, TypedDict

from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from raceday.pages.errors import NOTHING, answer_fault, render_error
from raceday.pages.look import HEADERS


class PageOptions(TypedDict):
    """The options of `resource` that make a page of it."""

    headers: Mapping[str, str]
    missing: Callable[[str], object]


PAGE: PageOptions = {
    "headers": HEADERS,
    "missing": lambda sentence: render_error(NOTHING._replace(sentence=f"{sentence.capitalize()}.")),
}


class Page(ViewSet):
    """A page; a browser that accepts HTML gets it, and so does everybody else."""

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        return super().perform_content_negotiation(request, force=True)

    def get_exception_handler(self) -> Any:
        return answer_fault
