"""Checks that the top-level packages `models`, `storage`, `trainer` and `search` are those of this program.

Their names are common: a user's own file models.py on `sys.path`, or the `trainer` of another distribution, is imported
in their place.
"""

import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("models", "storage", "trainer", "search")
MARK = '"""Part of mnist-search."""'
"""First line of the `__init__.py` of each package: another distribution may have been installed over it."""
_FOLDER = Path(__file__).resolve().parent.parent


class ShadowedError(ImportError):
    """Another module has the name of a package of this program."""


def require_own_packages() -> None:
    """Raise ShadowedError if other modules shadow packages of this program."""
    text = shadowed_text()
    if text is not None:
        raise ShadowedError(text)


def shadowed_text() -> str | None:
    """Return one line on the modules that shadow packages of this program; None if there are none."""
    shadows = {name: where for name in PACKAGES if (where := _shadow(name)) is not None}
    if not shadows:
        return None
    found = ", ".join(f"{where} shadows its package `{name}`" for name, where in shadows.items())
    if any("-packages" in where for where in shadows.values()):
        return f"{found}: install mnist-search in an environment of its own"
    return f"{found}: rename the file, or remove its folder from sys.path (PYTHONPATH)"


def _shadow(name: str) -> str | None:
    """Return the file that is imported by this name if it is not ours."""
    spec = _spec(name)
    where = None if spec is None else spec.origin or ", ".join(spec.submodule_search_locations or ())
    if not where:
        return "a module without a file"
    own = Path(where).resolve() == _FOLDER / name / "__init__.py"
    if own and Path(where).read_text(encoding="utf-8", errors="replace").startswith(MARK):
        return None
    return " ".join([where, *_distributions(name, where)])


def _spec(name: str) -> ModuleSpec | None:
    """Return the spec of the module that `import name` finds, without importing it."""
    try:
        return find_spec(name)
    except ValueError:  # it is in sys.modules, and was made by hand
        made = ModuleSpec(name, None, origin=getattr(sys.modules[name], "__file__", None))
        return made


def _distributions(name: str, where: str) -> list[str]:
    """Return which other distributions have this name, if the file belongs to one."""
    if "-packages" not in where:
        return []
    from importlib.metadata import packages_distributions

    others = sorted({one for one in packages_distributions().get(name, []) if one != "mnist-search"})
    return [f"(distribution {', '.join(others)})"] if others else []
