"""What a browser may load and run on the admin's pages: only what Raceday itself serves, and nothing inline."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

# Alpine, which unfold's pages need, compiles what stands in attributes: that is 'unsafe-eval'. Style elements are
# unfold's own, each by its hash. Style attributes remain, because unfold's widgets set them.
STYLES = (
    "'sha256-CftXQ/6rIQ3AMOrJUsQzoK+KGLgk4scJJlfXyvE/1mQ='",  # the colours, of unfold/layouts/skeleton.html
    "'sha256-+MEQ/O07HiRf96s+FyiSQj7xKrHjGPZWCed2MyGUBF4='",  # the width of a column, of admin/change_list.html
    "'sha256-bsV5JivYxvGywDAZ22EZJKBFip65Ng9xoJVLbBg7bdo='",  # how htmx.js shows that a request runs
)
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'unsafe-eval'",
        f"style-src-elem 'self' {' '.join(STYLES)}",
        "style-src-attr 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)


def is_admin(request: HttpRequest) -> bool:
    """Tell whether a request is for the admin."""
    return request.path == "/admin" or request.path.startswith("/admin/")


def content_security(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Return the middleware that sends the policy with the admin's pages."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if is_admin(request):
            response.headers["Content-Security-Policy"] = POLICY
        return response

    return answer
