"""The routes of whoever got a link."""

from local.openapi.operation import FORM, HTML, NO_STORE, Answer, Body, Operation, component_parameter
from otp_feedback.adapters.web.page import security_headers
from otp_feedback.domain import errors

EXAMPLE_LINK = "000syw7rIjXKeGogUSqgWPf77GCicukUKcwGjcEc1le0"
PAGE_HEADERS = {name: name.replace("-", "") for name in security_headers(None)} | NO_STORE
ACCEPT_LANGUAGE = component_parameter("AcceptLanguage")
ID = {
    "name": "id",
    "in": "query",
    "required": False,
    "description": "The link's id. What cannot be one is answered as a failure, without a button.",
    "schema": {"type": "string"},
    "example": EXAMPLE_LINK,
}
_ON = {"Location": "Location"}


def _page(status: int, description: str, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, description, HTML, {"type": "string"}, {}, PAGE_HEADERS | (headers or {}))


LINKS = (
    Operation(
        method="GET",
        path="/confirm",
        operation_id="showLinkPage",
        caller="public",
        summary="The page that a link opens",
        description=(
            "Asks, with one button. Reads and changes nothing: previews and scanners come here. "
            "Only where the stack chose `LinkConfirmation=open` does it confirm, and can answer as `POST /confirm`."
        ),
        answers=(
            _page(200, "The page; with `LinkConfirmation=open` the result."),
            _page(303, "Confirmed, with `LinkConfirmation=open` and a `SuccessUrl`.", _ON),
            _page(400, "No id of a link; or, with `LinkConfirmation=open`, not confirmed."),
            _page(503, "Not confirmed for the moment, with `LinkConfirmation=open`."),
        ),
        problems=(errors.Unavailable,),
        parameters=(ID, ACCEPT_LANGUAGE),
    ),
    Operation(
        method="HEAD",
        path="/confirm",
        operation_id="probeLinkPage",
        caller="public",
        summary="The page's headers",
        description="As `GET`, without the page; never confirms.",
        answers=(
            Answer(200, "The page's headers.", headers=PAGE_HEADERS),
            Answer(400, "No id of a link.", headers=PAGE_HEADERS),
        ),
        problems=(),
        parameters=(ID, ACCEPT_LANGUAGE),
    ),
    Operation(
        method="POST",
        path="/confirm",
        operation_id="confirmByLink",
        caller="public",
        summary="Confirm by the link's button",
        description="What the page's form sends. One answer for every failure.",
        answers=(
            _page(200, "Confirmed."),
            _page(303, "Confirmed, where the stack has a `SuccessUrl`.", _ON),
            _page(400, "Not confirmed; the page does not tell why."),
            _page(503, "Not confirmed for the moment; the button can be pressed again."),
        ),
        problems=(errors.Unavailable,),
        body=Body(
            FORM,
            {
                "type": "object",
                "properties": {
                    "id": {
                        "type": "string",
                        "pattern": r"^[A-Za-z0-9_-]{44}$(?!\n)",
                        "description": "The id that the link carried: letters and digits; earlier ones base64url.",
                        "examples": [EXAMPLE_LINK],
                    }
                },
                "required": ["id"],
            },
            {"tap": {"id": EXAMPLE_LINK}},
        ),
        parameters=(ACCEPT_LANGUAGE,),
    ),
)
