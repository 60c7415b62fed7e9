"""Crash points, lost answers, and all orders of the outward calls of several processes.

A process is a coroutine without threads: given the same answers, a use case does the same again, so it is advanced by
running it once more with the answers that it had, one further call, and a stop at the next one. The state of the whole
is then the table, Twilio, the clock and each process's answers. It is a value: it can be kept, compared and come back
to. `explore` visits every state that any order of calls can reach, once, and counts the orders that lead through it.
In each state everything is checked; there, too, all processes may die at once, so that every crash point of every
order is covered.
"""

import gc
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, NoReturn, override

from botocore.exceptions import ClientError, ReadTimeoutError

from otp_feedback.domain.errors import OtpFeedbackError
from tests.promises.world import (
    Answer,
    Boundary,
    Call,
    Killed,
    Operation,
    Process,
    PromiseBroken,
    Snapshot,
    World,
    check_promises,
    check_settled,
)


class Watch(Boundary):
    """Notes the calls of a process."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    @override
    def call(self, call: Call, perform: Callable[[], Any]) -> Any:
        self.calls.append(call)
        return perform()


class Kill(Boundary):
    """Ends a process before or after its n-th call, counted from 1."""

    def __init__(self, number: int, *, after: bool) -> None:
        self.happened = False
        self._left = number
        self._after = after

    @override
    def call(self, call: Call, perform: Callable[[], Any]) -> Any:
        self._left -= 1
        if self._left > 0:
            return perform()
        if self._left == 0 and self._after:
            _whatever_comes(perform)
        self.happened = True
        raise Killed

    @override
    def observe(self, look: Callable[[], Any]) -> Any:
        if self.happened:
            raise Killed
        return look()


class LoseAnswer(Boundary):
    """Carries out the n-th call and drops its answer.

    Parameters
    ----------
    retried
        Whether the same request is sent again, as botocore does; else the caller learns of the time-out alone.
    """

    def __init__(self, number: int, *, retried: bool) -> None:
        self.happened = False
        self._left = number
        self._retried = retried

    @override
    def call(self, call: Call, perform: Callable[[], Any]) -> Any:
        self._left -= 1
        if self._left:
            return perform()
        self.happened = True
        _whatever_comes(perform)
        if self._retried:
            return perform()
        raise ReadTimeoutError(endpoint_url="https://dynamodb")


class FailCall(Boundary):
    """Has the n-th call fail without acting: DynamoDB is throttled, or Twilio is not available.

    Parameters
    ----------
    times_out
        Whether there is no answer at all, rather than a refusal.
    """

    def __init__(self, number: int, *, times_out: bool = False) -> None:
        self._left = number
        self._times_out = times_out

    @override
    def call(self, call: Call, perform: Callable[[], Any]) -> Any:
        self._left -= 1
        if self._left:
            return perform()
        if self._times_out:
            raise ReadTimeoutError(endpoint_url="https://dynamodb")
        raise ClientError({"Error": {"Code": "ProvisionedThroughputExceededException"}}, call.name)


class JustBefore(Boundary):
    """Lets something happen once, just before a call arrives.

    Parameters
    ----------
    meant
        Tells the call.
    happens
        What happens.
    """

    def __init__(self, meant: Callable[[Call], bool], happens: Callable[[], object]) -> None:
        self.happened = False
        self._meant = meant
        self._happens = happens

    @override
    def call(self, call: Call, perform: Callable[[], Any]) -> Any:
        if not self.happened and self._meant(call):
            self.happened = True
            self._happens()
        return perform()


def confirms(call: Call) -> bool:
    """Whether a call is the confirming write."""
    return ":confirmed" in call.request.get("ExpressionAttributeValues", {})


def _whatever_comes(perform: Callable[[], Any]) -> None:
    try:
        perform()
    except (ClientError, OtpFeedbackError):
        return


def calls_of(world: World, operation: Operation) -> list[Call]:
    """The outward calls that an operation makes when it runs alone; the world stays as it was."""
    before = world.snapshot()
    watch = Watch()
    world.run(operation, "alone", watch)
    world.restore(before)
    return watch.calls


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody whose calls are put into every order with those of the others.

    Parameters
    ----------
    operation
        What it does; None where it is no process.
    event
        What happens in its one step, where it is none.
    loses
        The number of the write whose answer is lost, so that it is sent again, as a call of its own; 0 for none. Where
        what the others did makes another call of it that is no write, nothing is lost.
    ahead_ms
        How far its clock is ahead of the others'.
    echoes
        Another participant, by its index, and the number of a call of its: this one's only step is that very request,
        which was on its way all the time and arrives at some later moment, once more.
    """

    name: str
    operation: Operation | None
    event: Callable[[World], None] | None = None
    loses: int = 0
    ahead_ms: int = 0
    echoes: tuple[int, int] | None = None


def echo(participants: Sequence[Participant], index: int, number: int) -> Participant:
    """A repetition of a participant's n-th call that arrives late."""
    return Participant(f"call {number} of {participants[index].name}, late", None, echoes=(index, number))


def tick(milliseconds: int) -> Participant:
    """The clock, as a participant."""
    return Participant(f"{milliseconds} ms pass", None, event=lambda world: world.advance(milliseconds))


@dataclass(frozen=True, slots=True)
class Explored:
    """What an exploration came to.

    Parameters
    ----------
    orders
        Complete orders of calls.
    states
        Different states that they pass through.
    outcomes
        How each participant ended, and in how many of the orders they ended so together.
    """

    orders: int
    states: int
    outcomes: Mapping[tuple[str, ...], int]


def explore(
    world: World,
    participants: Sequence[Participant],
    *,
    preemptions: int | None = None,
    crashes: bool = False,
    at_end: Callable[[World, Sequence[Answer]], None] | None = None,
) -> Explored:
    """Visit every state that the participants can reach from the world as it is, and check the promises in each.

    Parameters
    ----------
    preemptions
        How often somebody may be stopped before its end, at most; None for any number, which is complete.
    crashes
        Whether in every state all processes die and recovery is checked; else only where all have ended.
    at_end
        Further checks where all have ended.

    Raises
    ------
    PromiseBroken
        Says in which order.
    """
    explorer = _Explorer(world, participants, preemptions, crashes=crashes, at_end=at_end)
    before = world.snapshot()
    gc.disable()  # states are many and all kept: looking through them for garbage takes a fifth of the time
    try:
        return explorer.explore()
    finally:
        gc.enable()
        world.restore(before)


class _Paused(BaseException):
    """The process stands before its next call."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """What a process was answered, or saw; `is_call` where it was an outward call."""

    is_call: bool
    value: Any = None
    error: Exception | None = None

    def get(self) -> Any:
        if self.error is not None:
            raise self.error.with_traceback(None)
        return self.value


_Log = tuple[_Entry, ...]


class _Replay(Boundary):
    """Answers from the log, lets so many further calls through, and stops at the next one.

    Parameters
    ----------
    echoes
        Whether it stops right after the further call, as if that had never been answered.
    """

    def __init__(self, log: _Log, steps: int, *, loses: int = 0, echoes: bool = False) -> None:
        self.log = list(log)
        self._echoes = echoes
        self._position = 0
        self._steps = steps
        self._loses = loses
        self._calls = 0
        self._paused = False

    @override
    def call(self, call: Call, perform: Callable[[], Any]) -> Any:
        self._calls += 1
        if self._calls == self._loses and call.writes:
            _whatever_comes(lambda: self._once(perform))
        if self._echoes and self._position == len(self.log) and not call.writes:
            self._pause()
        return self._once(perform)

    @override
    def observe(self, look: Callable[[], Any]) -> Any:
        if self._paused:
            raise _Paused
        if self._position == len(self.log):
            self.log.append(_Entry(is_call=False, value=look()))
        self._position += 1
        return self.log[self._position - 1].get()

    def _once(self, perform: Callable[[], Any]) -> Any:
        if self._position == len(self.log):
            if not self._steps:
                self._pause()
            self._steps -= 1
            self.log.append(_entry(perform))
            if self._echoes:
                self._pause()
        self._position += 1
        return self.log[self._position - 1].get()

    def _pause(self) -> NoReturn:
        self._paused = True
        raise _Paused


def _entry(perform: Callable[[], Any]) -> _Entry:
    try:
        return _Entry(is_call=True, value=perform())
    except (ClientError, OtpFeedbackError) as error:
        return _Entry(is_call=True, error=error)


@dataclass(frozen=True, slots=True)
class _Node:
    """A state: the world, and each participant's log and answer."""

    world: Snapshot
    logs: tuple[_Log, ...]
    answers: tuple[Answer | None, ...]
    last: int | None = None
    preemptions: int = 0


@dataclass(slots=True)
class _Explorer:
    world: World
    participants: Sequence[Participant]
    most_preemptions: int | None
    crashes: bool
    at_end: Callable[[World, Sequence[Answer]], None] | None
    _ends: dict[Hashable, Counter[tuple[str, ...]]] = field(default_factory=dict)
    _path: list[str] = field(default_factory=list)
    _ids: dict[Hashable, int] = field(default_factory=dict)
    _frozen: dict[int, tuple[Any, int]] = field(default_factory=dict)
    _recovered: set[Hashable] = field(default_factory=set)

    def explore(self) -> Explored:
        node = _Node(self.world.snapshot(), ((),) * len(self.participants), (None,) * len(self.participants))
        for index, participant in enumerate(self.participants):
            if participant.operation is not None:
                node = self._advanced(node, index, 0)
        outcomes = self._visit(node)
        return Explored(outcomes.total(), len(self._ends), dict(outcomes))

    def _visit(self, node: _Node) -> Counter[tuple[str, ...]]:
        """The outcomes of all orders from here on, each with their number."""
        key = self._key(node)
        known = self._ends.get(key)
        if known is not None:
            return known
        self._check(node)
        outcomes: Counter[tuple[str, ...]] = Counter()
        open_ones = [index for index, answer in enumerate(node.answers) if answer is None]
        for index in open_ones:
            if not self._may_go_on(node, index):
                continue
            stops = node.last is not None and node.last != index and node.last in open_ones
            preemptions = node.preemptions + stops
            if self.most_preemptions is not None and preemptions > self.most_preemptions:
                continue
            self._path.append(self.participants[index].name)
            after = self._advanced(node, index, preemptions)
            outcomes += self._visit(after)
            self._path.pop()
        if self._ended(node):
            outcomes[tuple(answer.outcome for answer in node.answers if answer is not None)] = 1
        self._ends[key] = outcomes
        return outcomes

    def _may_go_on(self, node: _Node, index: int) -> bool:
        """What comes late cannot come before it was sent for the first time."""
        echoes = self.participants[index].echoes
        return echoes is None or sum(entry.is_call for entry in node.logs[echoes[0]]) >= echoes[1]

    def _ended(self, node: _Node) -> bool:
        return not any(answer is None and self._may_go_on(node, index) for index, answer in enumerate(node.answers))

    def _advanced(self, node: _Node, index: int, preemptions: int) -> _Node:
        """The state after a participant's next call, or before its first one where it has none yet."""
        participant, world = self.participants[index], self.world
        world.restore(node.world)
        log = node.logs[index]
        answer: Answer | None = None
        if participant.echoes is not None:
            self._echo(node, *participant.echoes)
            answer = Answer()
        elif participant.event is not None:
            participant.event(world)
            answer = Answer()
        elif participant.operation is not None:
            begun = node.last is not None or bool(self._path)
            replay = _Replay(log, 1 if begun else 0, loses=participant.loses)
            with suppress(_Paused):
                answer = Process(world, participant.name, replay, ahead_ms=participant.ahead_ms).run(
                    participant.operation
                )
            log = tuple(replay.log)
        return _Node(
            world.snapshot(),
            (*node.logs[:index], log, *node.logs[index + 1 :]),
            (*node.answers[:index], answer, *node.answers[index + 1 :]),
            index if self._path else None,
            preemptions,
        )

    def _echo(self, node: _Node, index: int, number: int) -> None:
        """Run a participant up to a call of its past, make that call again, and stop there."""
        log = node.logs[index]
        calls = [position for position, entry in enumerate(log) if entry.is_call]
        participant = self.participants[index]
        assert participant.operation is not None
        with suppress(_Paused):
            process = Process(self.world, participant.name, _Replay(log[: calls[number - 1]], 1, echoes=True))
            process.run(participant.operation)

    def _check(self, node: _Node) -> None:
        world = self.world
        world.restore(node.world)
        ended = self._ended(node)
        try:
            check_promises(world)
            if ended and self.at_end is not None:
                self.at_end(world, [answer for answer in node.answers if answer is not None])
            if ended or self.crashes:
                world.ledger.disturbances += sum(answer is None for answer in node.answers)
                self._recover()
        except AssertionError as error:
            state = "at the end" if ended else "there"
            raise PromiseBroken(f"{error}\n{state}, after: {' → '.join(self._path)}") from error

    def _recover(self) -> None:
        """Recovery starts from the world alone, so that each different one is recovered once."""
        world = self.world
        key = self._world_key(world.snapshot())
        if key not in self._recovered:
            world.recover()
            check_settled(world)
            self._recovered.add(key)

    def _world_key(self, world: Snapshot) -> Hashable:
        return (
            tuple(sorted((key, self._id(item)) for key, item in world.items.items())),
            self._id(world.shown),
            tuple(world.messages),
            world.redacted,
            tuple(world.faults.items()),
            world.now,
            world.keys.mac_key_id,
            self._interned(frozen(world.ledger)),
        )

    def _key(self, node: _Node) -> Hashable:
        bounded = (node.last, node.preemptions) if self.most_preemptions is not None else None
        return (
            self._world_key(node.world),
            tuple(tuple(self._id(entry) for entry in log) for log in node.logs),
            tuple(answer is None for answer in node.answers),
            bounded,
        )

    def _id(self, value: Any) -> int:
        """A number that equal values share; values are never changed, so that each is looked at once."""
        known = self._frozen.get(id(value))
        if known is None:
            known = self._frozen[id(value)] = (value, self._interned(frozen(value)))
        return known[1]

    def _interned(self, value: Hashable) -> int:
        return self._ids.setdefault(value, len(self._ids))


def fingerprint(world: World) -> Hashable:
    """The same for worlds that have the same future."""
    return frozen(world.snapshot())


def frozen(value: Any) -> Hashable:
    """A hashable stand-in, the same for equal values."""
    kind = type(value)
    if kind in _HASHABLE:
        return value  # type: ignore[no-any-return]
    if kind is dict:
        return frozenset([(key, frozen(each)) for key, each in value.items()])
    if kind is tuple or kind is list:
        return tuple([frozen(each) for each in value])
    if isinstance(value, set | frozenset):
        return frozenset([frozen(each) for each in value])
    if is_dataclass(value):
        return (kind, *[frozen(getattr(value, each.name)) for each in fields(value)])
    if isinstance(value, Exception):
        return (kind, str(value), frozen(getattr(value, "response", None)))
    return frozen(dict(value)) if isinstance(value, Mapping) else value


_HASHABLE = frozenset({str, int, float, bool, bytes, type(None)})
