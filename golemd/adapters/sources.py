"""What stands for a piece of golemd's own code: anything made by other code may have been made otherwise."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from types import ModuleType


def digest_of(*modules: ModuleType) -> str:
    """The hash of the sources of these modules and packages, in hex: another one after any change, of words, too."""
    found = blake2b(digest_size=16)
    for module in modules:
        file = Path(str(module.__file__))
        for source in sorted(file.parent.rglob("*.py")) if file.name == "__init__.py" else [file]:
            found.update(f"{module.__name__} {source.name}\n".encode())
            found.update(source.read_bytes())
    return found.hexdigest()
