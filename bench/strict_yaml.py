"""YAML as plain data, read strictly: no objects, and no key said twice (PyYAML would silently keep the last)."""

from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from bench.errors import InputError
from bench.plain_data import DEEPEST, unfit

# libyaml's parser, eight times as fast, where it is.
_SAFE_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SAFE_LOADER):
    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # PyYAML takes for granted that what looks like a number or a date, or is tagged as one, can be made one.
            problem = f"what is there is no {node.tag.rpartition(':')[2]}"
            raise ConstructorError(None, None, problem, node.start_mark) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():  # !!map may stand before a list
            if not isinstance(key, yaml.ScalarNode):
                raise ConstructorError(None, None, "a key is a list or a mapping, but must be text", key.start_mark)
            if key.value in seen:
                raise ConstructorError(None, None, f"the key {key.value!r} is there twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _check_depth(text: str) -> None:
    """Refuse what is nested too deeply for libyaml's composer, which calls itself until the process is killed."""
    depth = 0
    for event in yaml.parse(text, _Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            problem = f"what is there is nested more than {DEEPEST} levels deep"
            raise ConstructorError(None, None, problem, event.start_mark)


def read_yaml(path: Path) -> Any:
    """The content of the YAML file at `path`: plain data, as JSON has it.

    Raises:
        InputError: the file cannot be read, is not YAML (the sentence has the line), or is not plain data.
    """
    try:
        text = path.read_text(encoding="utf-8")
        _check_depth(text)
        content = yaml.load(text, _Loader)
    except OSError as error:
        raise InputError(f"The configuration {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"The configuration {path} must be UTF-8 text, but is not.") from error
    except RecursionError as error:
        raise InputError(f"The configuration {path} is not valid YAML: something in it holds itself.") from error
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        line = f", line {mark.line + 1}" if mark else ""
        told = " ".join(str(problem or error).split())  # some of PyYAML's sentences are two lines
        raise InputError(f"The configuration {path}{line} is not valid YAML: {told}.") from error
    if wrong := unfit(content):
        raise InputError(f"{path}: {wrong}.")
    return content
