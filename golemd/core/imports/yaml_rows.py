"""YAML → plain values, with the line of every key.

Rules. What a plain word means is said by YAML 1.2's core schema, which the writers of these files follow: null, true,
false and numbers, and everything else is text. Aliases and keys that are there twice are refused: no writer makes them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from typing import Any, Final

import msgspec
import yaml

from golemd.core.imports.rows import Found, Row
from golemd.core.toml import Path

MAX_DIGITS: Final = 400  # of a whole number; a longer one is taken as text

_LOADER: Final = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # libyaml where it was built, ten times as fast
_LONE: Final = re.compile("[\ud800-\udfff]")
_WORDS: Final = {"": None, "~": None, **dict.fromkeys(("null", "Null", "NULL"))}
_FLAGS: Final = {word: flag for flag in (True, False) for word in (str(flag), str(flag).lower(), str(flag).upper())}
_WHOLE: Final = re.compile(rf"[-+]?[0-9]{{1,{MAX_DIGITS}}}", re.ASCII)
_NUMBER: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)


class Tree:
    """The values of one document, and the lines of its keys by path."""

    def __init__(self, data: bytes, found: Found) -> None:
        self.lines: dict[Path, int] = {}
        self.value: Any = None
        self._found = found
        self._seen: set[int] = set()
        try:
            root = yaml.compose(data.decode(), _LOADER)
            self.value = None if root is None else self._value(root, ())
        except UnicodeDecodeError:
            found.refuse(1, "is not UTF-8")
        except RecursionError:
            found.refuse(1, "is nested too deeply")
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or str(error).splitlines()[0]
            found.refuse(1 if mark is None else mark.line + 1, f"is not valid YAML: {problem}")

    def _value(self, node: yaml.Node, path: Path) -> Any:  # noqa: ANN401 - any plain value
        self.lines.setdefault(path, node.start_mark.line + 1)
        if id(node) in self._seen:
            self._found.refuse(self.lines[path], "is an alias of something else; write it out")
            return None
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(inner, (*path, index)) for index, inner in enumerate(node.value)]
        return self._scalar(node.value, path, quoted=bool(node.style))  # type: ignore[attr-defined]  # of a ScalarNode

    def _scalar(self, word: str, path: Path, *, quoted: bool) -> Any:  # noqa: ANN401 - any plain value
        if _LONE.search(word):
            self._found.refuse(self.lines[path], "is not plain Unicode text")
            return None
        return word if quoted else _plain(word)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name, inner in node.value:
            line = name.start_mark.line + 1
            if not isinstance(name, yaml.ScalarNode):
                self._found.refuse(line, "has a key that is no text")
            elif name.value in made:
                self._found.refuse(line, "is there already", name.value)
            else:
                self.lines[*path, name.value] = line
                made[name.value] = self._value(inner, (*path, name.value))
        return made


def _plain(word: str) -> Any:  # noqa: ANN401 - any plain value
    if word in _WORDS or word in _FLAGS:
        return _WORDS.get(word, _FLAGS.get(word))
    if _WHOLE.fullmatch(word):
        return int(word)
    number = float(word) if _NUMBER.fullmatch(word) else math.inf
    return number if math.isfinite(number) else word


def row(value: Any, at: Path, lines: dict[Path, int], keys: Collection[str], found: Found) -> Row | None:  # noqa: ANN401
    """A value of the tree as an item; reported when it is none."""
    line = lines[at]
    if not isinstance(value, dict):
        found.refuse(line, "is no item: it has no keys")
        return None
    known = {key: inner for key, inner in value.items() if key in keys}
    kept = {key: msgspec.json.encode(inner).decode() for key, inner in value.items()}
    return Row(known, lines, kept, line, at)
