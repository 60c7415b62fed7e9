"""The pages say what the code says, wherever both can be compared, and every link leads somewhere."""

import itertools
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

import pytest

from local.twilio_routes import Kind, Operation
from otp_feedback.domain.delivery import Delivery
from otp_feedback.domain.verification import Feedback, State, Status
from otp_feedback.usecases import ports

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "layers/otp_feedback/otp_feedback"
PAGES = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(part.startswith(".") or part == "node_modules" for part in path.relative_to(ROOT).parts)
)
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text()
PROMISES = (ROOT / "docs/promises.md").read_text()
NOTHING = "(none)"

Step = tuple[str, str]


def by_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> list[str]:
    """The targets of a page's links within the repository; code is none."""
    text = re.sub(r"^```.*?^```$|`[^`\n]+`", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"[a-z]+:", target)]


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_every_link_leads_to_a_file_and_a_heading(page):
    for target in links(page):
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.exists(), target
        assert there.is_relative_to(ROOT), target
        assert not anchor or anchor in anchors(there), target


def test_the_links_are_found():
    assert len(PAGES) > 10
    assert {"README.md", "docs/architecture.md", "tests/promises/README.md"} <= {by_name(page) for page in PAGES}
    assert len(links(ROOT / "README.md")) > 10


def test_no_file_names_a_page_that_is_not_in_the_repository():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a checkout of git")
    elsewhere = "DESIGN" + ".md"
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.is_file() and path.suffix in {".py", ".md", ".yaml", ".toml", ".mk"}:
            text = path.read_text()
            assert elsewhere not in text, name
            # Twilio's document and signature vectors are test data that need not be there.
            assert name.startswith("tests/") or ("../" + "shared") not in text, name


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def transitions(*kinds: str) -> set[Step]:
    """The steps that the table names for some kinds of words."""
    steps = set()
    for kind, step, *_ in rows(ARCHITECTURE, "What may follow what"):
        if kind in kinds:
            before, _, after = step.partition("→")
            steps |= set(itertools.product(re.findall(r"`([^`]+)`", before), re.findall(r"`([^`]+)`", after)))
    return steps


def drawn() -> list[set[Step]]:
    """The steps of each of the page's state pictures."""
    pictures = re.findall(r"```mermaid\nstateDiagram-v2\n(.*?)```", ARCHITECTURE, re.DOTALL)
    steps = [re.findall(r"^ +(\S+) --> (\S+)$", picture, re.MULTILINE) for picture in pictures]
    return [{(a.replace("[*]", NOTHING), b.replace("[*]", NOTHING)) for a, b in picture} for picture in steps]


def named(steps: Iterable[Step]) -> set[str]:
    return {name for step in steps for name in step} - {NOTHING}


def test_the_pictures_draw_the_steps_of_the_table():
    assert drawn() == [transitions("state", "status"), transitions("feedback"), transitions("delivery")]


def test_the_table_names_every_state_status_feedback_and_delivery():
    assert named(transitions("state", "status")) == set(map(str, Status)) >= set(map(str, State))
    assert named(transitions("feedback")) == set(map(str, Feedback))
    assert named(transitions("delivery")) == {delivery.status for delivery in Delivery}


def test_what_a_step_may_lead_to_is_what_the_ranks_allow():
    """A step may be skipped; what the ranks allow beyond that, nobody does: Twilio is asked for a message once."""
    reached = {step for step in transitions("delivery") if NOTHING not in step}
    while more := {(a, d) for (a, b), (c, d) in itertools.product(reached, reached) if b == c} - reached:
        reached |= more
    allowed = {(a.status, b.status) for a, b in itertools.product(Delivery, Delivery) if a < b.rank_floor}
    assert reached | {("unknown", "rejected")} == allowed


def test_every_module_that_the_page_names_is_there():
    paths = set(re.findall(r"`([\w./<>*]+(?:\.(?:py|yaml|toml|mk)|/))`", ARCHITECTURE))
    assert len(paths) > 30
    patterns = {re.sub("<[^>]+>", "*", path) for path in paths}
    assert {path for path in patterns if not any((*PACKAGE.glob(path), *ROOT.glob(path)))} == set()


def test_every_write_that_the_page_names_is_a_method_of_the_store():
    protocols = (ports.Verifications, ports.Budgets, ports.InboundBindings, ports.Outbox)
    methods = {name for protocol in protocols for name in vars(protocol) if not name.startswith("_")}
    called = {name for row in rows(ARCHITECTURE, "What may follow what") for name in re.findall(r"`(\w+)`", row[2])}
    life = ARCHITECTURE.partition("\n## The life of one verification in the table\n")[2].partition("\n## ")[0]
    written = set(re.findall(r"`([a-z]+(?:_[a-z]+)*)`", life)) - {"limit_key", "pk"}
    assert called | written <= methods
    reading = {name for name in methods if name.startswith(("read_", "due_", "bound_"))} | {"read"}
    assert methods - reading == called | written


def test_every_promise_names_tests_that_are_there():
    promises = rows(PROMISES, "The ten promises")
    assert [row[0] for row in promises] == [str(number) for number in range(1, 11)]
    for cells in promises:
        suites = re.findall(r"`(tests/[\w/.]+)`", cells[-1])
        assert suites, cells[0]
        for suite in suites:
            assert (ROOT / suite).exists(), suite


def test_the_laptops_page_names_every_control_route_and_every_fault():
    page = (ROOT / "docs/laptop.md").read_text()
    served = {
        " ".join(route)
        for file in ("local/twilio_routes.py", "local/gateway.py")
        for route in re.findall(r'\("([A-Z]+)", "(/_(?:emulator|local/clock)[\w/]*)"', (ROOT / file).read_text())
    }
    assert len(served) == 7
    assert set(re.findall(r"^\| `([A-Z]+ /_[\w/]+)`", page, re.MULTILINE)) == served
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == set(get_args(Kind))
    assert all(f"`{operation}`" in page for operation in get_args(Operation))
