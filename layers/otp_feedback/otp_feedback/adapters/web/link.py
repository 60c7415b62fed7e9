"""The routes of the public page behind a link: one answer for every failure, in the language of who asks."""

from urllib.parse import parse_qs

from otp_feedback.adapters.settings import Settings
from otp_feedback.adapters.web.page import asking_page, html_response, result_page
from otp_feedback.adapters.web.problems import problem_response
from otp_feedback.adapters.web.request import HttpRequest
from otp_feedback.adapters.web.response import Response
from otp_feedback.domain.errors import MalformedRequest, Problem, Unavailable
from otp_feedback.domain.links import parse_link_id
from otp_feedback.domain.texts import PageTexts, choose_page_language, page_texts
from otp_feedback.usecases.confirm import confirm_link
from otp_feedback.usecases.ports import Service


class LinkRoutes:
    """The page that asks for a tap, and the page with the result.

    Parameters
    ----------
    settings
        Whether opening the page confirms, where a success goes, and the application's name.
    """

    def __init__(self, settings: Settings, service: Service) -> None:
        self._confirms_on_get = settings.link_confirms_on_get
        self._success_url = settings.success_url
        self._app_name = settings.policy.app_name
        self._service = service

    def ask(self, request: HttpRequest) -> Response:
        """GET and HEAD: the page with the button. It changes nothing, unless the stack chose that opening confirms."""
        try:
            if self._confirms_on_get and request.method == "GET":
                return self._confirmed(request, _link_opened(request))
            return html_response(200, asking_page(self._texts(request), _link_opened(request)), self._success_url)
        except Problem as problem:
            return self._failed(request, problem)

    def tap(self, request: HttpRequest) -> Response:
        """POST: the button was tapped."""
        try:
            return self._confirmed(request, _link_tapped(request))
        except Problem as problem:
            return self._failed(request, problem)

    def _confirmed(self, request: HttpRequest, link: str) -> Response:
        confirm_link(self._service, link, request.journal)
        page = result_page(self._texts(request), confirmed=True)
        if self._success_url is None:
            return html_response(200, page, None)
        return html_response(303, page, self._success_url, {"Location": self._success_url})

    def _failed(self, request: HttpRequest, problem: Problem) -> Response:
        """One page for every failure; only a passing failure has another status, which tells nothing."""
        request.journal.note(outcome=problem.name)
        page = result_page(self._texts(request), confirmed=False)
        if isinstance(problem, Unavailable):
            return html_response(503, page, self._success_url, problem_response(problem).headers)
        return html_response(400, page, self._success_url)

    def _texts(self, request: HttpRequest) -> PageTexts:
        return page_texts(choose_page_language(request.header("accept-language") or ""), self._app_name)


def _link_opened(request: HttpRequest) -> str:
    """The link's id in the address, if it has the form of one."""
    values = parse_qs(request.query).get("id", [])
    if len(values) != 1 or parse_link_id(values[0]) is None:
        raise MalformedRequest("id", "must be the id of a link")
    return values[0]


def _link_tapped(request: HttpRequest) -> str:
    """The link's id that the page's button sends."""
    return dict(request.form()).get("id", "")
