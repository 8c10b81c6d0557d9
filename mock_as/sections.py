"""Read the tables of a configuration into the package's own dataclasses.

The fields of the dataclass are the names there are, and its attribute docstrings say what they mean: nothing is
written twice.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, create_model
from pydantic_core import CoreSchema, core_schema

STRICT = ConfigDict(extra="forbid", frozen=True)
"""What no name escapes that does not exist."""


class Section:
    """The annotation of a dataclass that is a table of the configuration."""

    def __get_pydantic_core_schema__(self, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        """Judge the table by a model of the dataclass, and make the dataclass of it."""

        def build(table: BaseModel) -> object:
            return source(**{name: getattr(table, name) for name in table.model_fields_set})

        return core_schema.no_info_after_validator_function(build, handler.generate_schema(_model_of(source)))


def fields_of(source: type[Any]) -> list[str]:
    """Return the names of the fields of a dataclass.

    Args:
        source: the dataclass.
    """
    return [field.name for field in dataclasses.fields(source)]


def described(schema: dict[str, Any], sources: Iterable[type[Any]]) -> dict[str, Any]:
    """Say in a JSON Schema what each name means, which costs too much time to be known while nobody reads it.

    Args:
        schema: the schema of a model; its first source is the model itself, changed in place.
        sources: the classes that the schema is made of, which have attribute docstrings.

    Returns:
        The schema.
    """
    for source in sources:
        table = schema["$defs"].get(source.__name__, schema)
        for name, words in _attribute_docstrings(source).items():
            table["properties"][name]["description"] = words
    return schema


def _model_of(source: type[Any]) -> type[BaseModel]:
    hints = get_type_hints(source)
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(source):
        known: Any = ...
        if field.default is not dataclasses.MISSING:
            known = field.default
        elif field.default_factory is not dataclasses.MISSING:
            known = Field(default_factory=field.default_factory)
        fields[field.name] = (hints[field.name], known)
    return create_model(source.__name__, __config__=STRICT, __doc__=inspect.getdoc(source), **fields)


def _attribute_docstrings(source: type[Any]) -> dict[str, str]:
    """Return what stands below each field; the language itself forgets it."""
    [definition] = ast.parse(textwrap.dedent(inspect.getsource(source))).body
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    found: dict[str, str] = {}
    for node, below in pairwise(body):
        words = below.value if isinstance(below, ast.Expr) else None
        if isinstance(node, ast.AnnAssign) and isinstance(words, ast.Constant):
            found[ast.unparse(node.target)] = str(words.value)
    return found
