"""Names are the field's: no pronouns and bare participles, one class to a name, and files called by the words of the glossary."""

import ast
import collections
import re

import pytest
from source_tree import ROOT, SOURCES, allowance, relative, top_room, tree

# Words that name nothing: what was told, made, asked? Not even a local variable is called so.
NEVER = {"told", "meant", "shown", "made", "asked", "said"}
# Good for a variable of a few lines (`found = pattern.search(text)`), not for anything that is read far from where it is set.
BRIEFLY = {
    "found",
    "known",
    "given",
    "one",
    "standing",
    "named",
    "seen",
    "gone",
    "begun",
    "wanted",
    "taken",
    "kept",
    "left_over",
}
FEW_LINES = 5

DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)

# Two classes may bear one name where the field itself uses it twice, or where both are the right word on their side of a border.
# Names with an underscore before them are private to their file.
SHARED_CLASS_NAMES = {
    "Failure": "an expression that cannot be evaluated; a task that failed",
    "Run": "what the interpreter advances; what the execution engine gives its user",
    "Secret": "what an experiment's environment needs (Kubernetes' word); a setting's value that is never printed",
}


def functions(module):
    return [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def parameters(function):
    arguments = function.args
    lists = (arguments.posonlyargs, arguments.args, arguments.kwonlyargs, (arguments.vararg,), (arguments.kwarg,))
    return [argument for group in lists for argument in group if argument is not None]


def variables(function):
    """name → (first line, last line) of the variables that a function sets; those of a comprehension or a lambda live on their line."""
    scopes = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)
    inner = {id(node) for scope in ast.walk(function) if isinstance(scope, scopes) for node in ast.walk(scope)}
    uses, stored = collections.defaultdict(list), set()
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and id(node) not in inner:
            uses[node.id].append(node.lineno)
            if isinstance(node.ctx, ast.Store):
                stored.add(node.id)
    return {name: (min(lines), max(lines)) for name, lines in uses.items() if name in stored}


def names_that_name_nothing(path):
    """(line, kind, name) of each binding in a file that is called by a word of the two lists."""
    words = NEVER | BRIEFLY
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name.strip("_") in words:
                yield node.lineno, "function", node.name
            for argument in parameters(node):
                if argument.arg.strip("_") in words:
                    yield argument.lineno, "parameter", argument.arg
            for name, (first, last) in variables(node).items():
                if name.strip("_") in NEVER or (name in BRIEFLY and last - first > FEW_LINES):
                    yield first, "variable", name
        elif isinstance(node, ast.ClassDef) and node.name.lower() in words:
            yield node.lineno, "class", node.name
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and node.attr.strip("_") in words:
            yield node.lineno, "attribute", node.attr
        elif (
            isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id.strip("_") in words
        ):
            yield node.lineno, "field", node.target.id


@pytest.mark.parametrize("room", sorted({top_room(path) for path in SOURCES}))
def test_a_name_says_what_the_thing_is(room):
    empty = sorted(
        {
            f"{relative(path)}:{line}: {kind} {name}"
            for path in SOURCES
            if top_room(path) == room
            for line, kind, name in names_that_name_nothing(path)
        }
    )
    assert len(empty) <= allowance("names").get(room, 0), "\n".join(empty)


def test_a_class_name_exists_once():
    homes = collections.defaultdict(list)
    for path in SOURCES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(relative(path))
    twice = {name: paths for name, paths in homes.items() if len(paths) > 1}
    assert not {
        name: paths for name, paths in twice.items() if name not in {*SHARED_CLASS_NAMES, *allowance("classes")}
    }
    assert not set(SHARED_CLASS_NAMES) - set(twice), "these names need no exception any more"


def glossary_words():
    """The words of the terms that docs/glossary.md explains, as file names write them."""
    page = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    terms = re.findall(r"^\| (.+?) \|", page, re.MULTILINE)
    return {
        word for term in terms for word in re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", term).lower())
    }


def plain_words():
    text = (ROOT / "tests" / "house" / "plain_words.txt").read_text(encoding="utf-8")
    return {word for line in text.splitlines() if not line.startswith("#") for word in line.split()}


def words_of_file_names():
    """word → the files that are called by it."""
    files = collections.defaultdict(list)
    for path in SOURCES:
        name = relative(path).removesuffix(".py").removesuffix("__init__").strip("/_")
        for word in set(re.split(r"[/_]+", name)) - {""}:
            files[word].append(relative(path))
    return files


def forms(word):
    return {word, word.removesuffix("s"), word.removesuffix("es")}


def test_a_file_is_called_by_words_of_the_glossary():
    """Else add the term to docs/glossary.md or, where it needs no explanation, to plain_words.txt; or find the usual word."""
    understood = glossary_words() | plain_words()
    assert not {word: files for word, files in words_of_file_names().items() if not forms(word) & understood}


def test_a_plain_word_is_used():
    used = {form for word in words_of_file_names() for form in forms(word)}
    assert not sorted(plain_words() - used), "no file is called so any more"


def test_a_function_that_a_docstring_names_exists():
    """A word with an underscore between backquotes is a name of our code (or of a text in it), but for the examples."""
    examples = {"construct_environment", "data_seed"}
    identifiers = {word for path in SOURCES for word in re.findall(r"(?<![`\w])\w+", path.read_text(encoding="utf-8"))}
    docstrings = (
        ast.get_docstring(node) or ""
        for path in SOURCES
        for node in ast.walk(tree(path))
        if isinstance(node, DOCUMENTED)
    )
    named = {word for text in docstrings for word in re.findall(r"`(_?[a-z][a-z0-9]*_[a-z0-9_]+)(?:\(\))?`", text)}
    assert named - identifiers == examples
