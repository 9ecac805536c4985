"""An example value of any type that crosses the wire, every field of it given, always the same."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import inspect

MOMENT: Final = "2026-11-20T09:00:00.000000Z"


def example(kind: Any) -> Any:
    """A value of this type, as plain data; texts say the name of their field."""
    return _of(inspect.type_info(kind), "value")


def _of(kind: inspect.Type, name: str) -> Any:
    match kind:
        case inspect.StructType():
            return {field.encode_name: _of(field.type, field.encode_name) for field in kind.fields}
        case inspect.UnionType():
            return _of(next(each for each in kind.types if not isinstance(each, inspect.NoneType)), name)
        case inspect.StrType():
            return MOMENT if name.endswith("_at") or name == "at" else f"{name} é"
        case inspect.IntType():
            return 7
        case inspect.FloatType():
            return 0.5
        case inspect.BoolType():
            return True
        case inspect.BytesType():
            return name.encode()
        case inspect.NoneType():
            return None
        case inspect.EnumType():
            return next(iter(kind.cls)).value
        case inspect.LiteralType():
            return kind.values[0]
        case inspect.DictType():
            return {"key": _of(kind.value_type, name)}
        case inspect.VarTupleType() | inspect.ListType():
            return [_of(kind.item_type, name)]
        case inspect.TupleType():
            return [_of(each, name) for each in kind.item_types]
        case inspect.AnyType():
            return {"any": 1}
    raise TypeError(f"no example of {kind}")


def plain(value: Any) -> Any:
    """As it crosses the wire, in plain data."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(value))
