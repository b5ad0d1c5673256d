"""A helper exists once: no function of one file is that of another under another name."""

from collections import defaultdict
from types import CodeType

from source_tree import SOURCES, relative, tree

LEAST = 90
"""Bytes of a function's bytecode, below which two ideas may look alike."""
ALONE = "local_platform/pods/pod/"
"""It imports nothing of the package (tests/house/test_pod_process.py), so it may have copies of its own."""


def functions_in(code):
    """The code of all functions within this code."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from functions_in(constant)


def shape(code):
    """What a function does, whatever it and its variables are called."""
    constants = [shape(one) if isinstance(one, CodeType) else repr(one) for one in code.co_consts]
    return code.co_code, code.co_names, code.co_argcount, code.co_kwonlyargcount, *constants


def test_a_function_of_one_file_is_not_that_of_another():
    places = defaultdict(set)
    for path in SOURCES:
        for code in functions_in(compile(tree(path), str(path), "exec", optimize=2)):  # without docstrings
            if len(code.co_code) >= LEAST and not code.co_name.startswith("<"):
                places[shape(code)].add((relative(path), code.co_name))
    found = [sorted(copies) for copies in places.values() if len({file for file, _ in copies}) > 1]
    assert not [copies for copies in found if not any(file.startswith(ALONE) for file, _ in copies)]
