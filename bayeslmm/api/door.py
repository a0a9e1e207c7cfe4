"""Attribute errors of Models and Fits, with the corresponding name where there is one."""

from __future__ import annotations

from bayeslmm.counterparts import no_attribute


def places(owner: str, of: type) -> dict[str, str]:
    """The public names of a class, each with where it is: ``fit.fixef``."""
    return {name: f"{owner}.{name}" for name in public(of)}


def public(of: type) -> list[str]:
    """The public names of a class."""
    return [name for name in dir(of) if not name.startswith("_")]


class Answering:
    """The error for an unknown attribute, with the nearest or corresponding name."""

    __slots__ = ()

    def __getattr__(self, name: str) -> object:
        of = type(self)
        if name.startswith("_") or name in dir(of):
            raise AttributeError(f"{of.__name__!r} object has no attribute {name!r}", name=name)
        others = dict(self._elsewhere())
        text = no_attribute(f"{of.__name__!r} object", name, public(of), others)
        raise AttributeError(text, name=name)

    def _elsewhere(self) -> dict[str, str]:
        """Names of the other kind of object, with where they are."""
        return {}
