"""Why a value does not fit a wire type, told from the type: the parser's own messages repeat what was sent."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct, inspect
from msgspec.structs import FieldInfo

from otp_feedback.domain.errors import MalformedRequest

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}", re.ASCII)
_NO_NEWLINE = r"(?!\n)"


def explain(value: Any, wire_type: type[Struct], path: str = "") -> MalformedRequest:
    """The first fault of a JSON value that was refused: an unknown field, else the fields in the type's order.

    Parameters
    ----------
    path
        Where the value stands, dotted; empty for the whole.
    """
    if not isinstance(value, Mapping):
        return MalformedRequest(path or "body", "must be a JSON object")
    fields = {field.encode_name: field for field in msgspec.structs.fields(wire_type)}
    unknown = [str(name) for name in value if name not in fields]
    if unknown:
        if _key_belongs_elsewhere(unknown, wire_type):
            return MalformedRequest(path or "body", "takes no idempotency_key: it is the header Idempotency-Key")
        names = ", ".join(fields)
        takes = f"takes no other fields than {names}" if names else "takes no fields"
        return MalformedRequest(path or "body", takes, next(filter(_NAME.fullmatch, unknown), None))
    for name, field in fields.items():
        fault = _fault_of(value, field, f"{path}.{name}" if path else name)
        if fault is not None:
            return fault
    return MalformedRequest(path or "body", "must hold each field once")


def _key_belongs_elsewhere(unknown: Iterable[str], wire_type: type[Struct]) -> bool:
    """Whether one of the names spells Idempotency-Key, and the request takes that as a header."""
    takes_a_header = getattr(wire_type, "KEY_IS_A_HEADER", False)
    return takes_a_header and any(re.sub("[-_]", "", name).lower() == "idempotencykey" for name in unknown)


def _fault_of(value: Mapping[str, Any], field: FieldInfo, path: str) -> MalformedRequest | None:
    if field.encode_name not in value:
        return MalformedRequest(path, "is required") if field.required else None
    given = value[field.encode_name]
    try:
        msgspec.convert(given, field.type)
    except msgspec.ValidationError:
        wanted = _plain(inspect.type_info(field.type))
        if isinstance(wanted, inspect.StructType):
            return explain(given, wanted.cls, path)
        return MalformedRequest(path, _says(wanted, given))
    return None


def _plain(wanted: inspect.Type) -> inspect.Type:
    """A type without its description, and without null, which means that the field is left out."""
    match wanted:
        case inspect.Metadata(type=inner):
            return _plain(inner)
        case inspect.UnionType(types=types):
            return _plain(next(each for each in types if not isinstance(each, inspect.NoneType)))
        case _:
            return wanted


def _says(wanted: inspect.Type, given: Any) -> str:
    """What a type takes."""
    match wanted:
        case inspect.EnumType(cls=enum):
            return f"must be one of {', '.join(sorted(member.value for member in enum))}"
        case inspect.IntType(ge=int(least), le=int(most)):
            return f"must be a whole number from {least} to {most}"
        case inspect.StrType() if not isinstance(given, str):
            return "must be a string"
        case inspect.StrType(pattern=str(pattern)):
            return f"must match {pattern.removesuffix(_NO_NEWLINE)}"
        case inspect.StrType(min_length=least, max_length=int(most)):
            return f"must have {least} to {most} characters" if least else f"must have at most {most} characters"
        case _:
            return "has the wrong type or form"
