"""Finds, resolves and replaces `{{a.b}}` and `{{=expression}}` in any JSON document, as Argo does.

Argo marshals a template to JSON text, cuts it at `{{` and `}}` (fasttemplate), writes each tag's value into the text, quoted as
Go quotes, and reads the result again. This file does the same with the same text, so that odd cases (a tag that is never closed,
a tag inside a tag, a value that is not legal JSON text) have the same result.

The text of a simple tag, without the blanks around it, is the name of a variable. An expression has the variables as nested maps.
What happens to a tag that cannot be resolved:

    unresolved="keep"                       it stays as it is                     Argo: Replace(…, allowUnresolved=true)
    unresolved="keep", strict=("tasks",…)   it stays, unless it begins with one   Argo: ReplaceStrict(…, prefixes)
    unresolved="refuse"                     MissingVariable is raised             Argo: Replace(…, allowUnresolved=false)

With drawing=False an expression whose value depends on time or chance stays as well.

A variable that is None is an absent optional (the output of a skipped node, without a default): a simple tag of it is an
error, always; an expression sees nil.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from hera_utils.argo import gojson
from hera_utils.errors import ExpressionError
from hera_utils.expressions import places
from hera_utils.expressions.entropy import Entropy
from hera_utils.expressions.gotext import quote, quote_inside, to_json
from hera_utils.expressions.values import NilPointer

Variables = Mapping[str, Any]
Unresolved = Literal["keep", "refuse"]

PLACEHOLDER = "__argo__internal__placeholder-"  # placeholders for values that are not known yet (validation)

# Variables that are known later than others: an expression that uses one stays until it exists.
LATE = frozenset(
    {
        "item",
        "retries",
        "lastRetry.exitCode",
        "lastRetry.status",
        "lastRetry.duration",
        "lastRetry.message",
        "workflow.status",
        "workflow.failures",
    }
)

_MEMOISED_LENGTH = 1 << 16


class MissingVariable(ExpressionError):
    """A tag or an expression needs a variable that does not exist (yet). Argo tries again later."""


class Tag(NamedTuple):
    """A tag. raw: the text between the braces, as in the JSON. name: the text without blanks around it, or the expression."""

    raw: str
    name: str
    expression: bool


MOST_CHARACTERS = 20_000_000
"""Of a template with its values. Templates that pass on their input twice would create a text of gigabytes after thirty levels."""


class IllegalJson(ExpressionError):
    """A value has characters that Go escapes differently from JSON (`\\x00`). text: the text that Argo then fails to read."""

    def __init__(self, text: str) -> None:
        super().__init__("cannot finish template replacement because the result was invalid JSON")
        self.text = text


class PreparedDocument:
    """A document whose tags have been found, so that repeated replacements are cheap.

    The result of `replace` shares all parts without tags with the document, so it must not be changed in place. place: the places of
    the tags; None if there are none, or if a tag begins in one text and ends in another; then the JSON text is replaced.
    """

    __slots__ = ("_cut", "_place", "document")

    def __init__(self, document: Any, place: places.Place | None, cut: CutText | None) -> None:
        self.document = document
        self._place = place
        self._cut = cut

    @property
    def tags(self) -> tuple[Tag, ...]:
        """The tags in order."""
        if self._cut is not None:
            return self._cut.tags
        return tuple(tag for cut in places.notes(self._place) for tag in cut.tags)

    def replace(
        self,
        variables: Variables,
        *,
        entropy: Entropy | None = None,
        unresolved: Unresolved = "keep",
        strict: Sequence[str] = (),
        drawing: bool = True,
    ) -> Any:
        """The document with its tags replaced. Raises MissingVariable, ExpressionError."""
        writer = _DocumentWriter(variables, _Rule(unresolved == "refuse", tuple(strict), drawing), entropy)
        if self._cut is not None:
            filled = writer.document(self.document, self._cut)
        elif self._place is not None:
            filled = places.fill(self.document, self._place, writer.text)
        if not writer.changed:
            return self.document
        if writer.illegal is not None:
            raise IllegalJson(writer.illegal)
        return filled


class _DocumentWriter:
    """Joins values of tags with the texts between. changed: whether a tag had a value. illegal: the first text that is not JSON then."""

    def __init__(self, variables: Variables, rule: _Rule, entropy: Entropy | None) -> None:
        self.variables = variables
        self.rule = rule
        self.entropy = entropy
        self.changed = False
        self.illegal: str | None = None
        self.characters = 0

    def text(self, text: str, cut: CutText) -> str:
        """A text within a document with its tags replaced."""
        written = self.written(cut)
        if written == cut.marshalled:
            return text
        return written if "\\" not in written else str(self._read(f'"{written}"', text))

    def document(self, document: Any, cut: CutText) -> Any:
        return self._read(self.written(cut), document)

    def _read(self, marshalled: str, otherwise: Any) -> Any:
        try:
            return json.loads(marshalled)
        except ValueError:
            self.illegal = self.illegal or marshalled
            return otherwise

    def written(self, cut: CutText) -> str:
        parts = [cut.texts[0]]
        for tag, following in zip(cut.tags, cut.texts[1:], strict=True):
            written = _resolve(tag, self.variables, self.rule, self.entropy)
            if written is None:
                parts.append("{{" + ("=" + tag.name if tag.expression else tag.raw) + "}}")
            else:
                self.changed = True
                parts.append(written)
            parts.append(following)
        self.characters += sum(map(len, parts))
        if self.characters > MOST_CHARACTERS:
            raise ExpressionError(f"the template has more than {MOST_CHARACTERS} characters with its values")
        return "".join(parts)


def prepare(document: Any) -> PreparedDocument:
    """Find the tags of a JSON document (or a text). Raises ExpressionError if a `{{` is never closed."""
    try:
        return PreparedDocument(document, places.places(document, "{{", _cut_inner_text), None)
    except _OpenTag:  # the tag is closed in a later text of the document, or never
        return prepare_text(document)


def prepare_text(document: Any) -> PreparedDocument:
    """As `prepare`, but cut the document's whole JSON text at the tags, as Argo does. The results are equal but share nothing."""
    return PreparedDocument(document, None, _cut(marshal(document)))


def replace(
    document: Any,
    variables: Variables,
    *,
    entropy: Entropy | None = None,
    unresolved: Unresolved = "keep",
    strict: Sequence[str] = (),
    drawing: bool = True,
) -> Any:
    """The document, prepared or not, with its tags replaced, also in keys; the document itself if nothing changed.

    variables: dotted names to text (or other JSON values, for expressions; None: absent). unresolved, strict: see above.
    Raises MissingVariable ("failed to resolve {{…}}"), ExpressionError, with Argo's messages.
    """
    if isinstance(document, str) and "{{" not in document:
        return document
    prepared = document if isinstance(document, PreparedDocument) else prepare(document)
    return prepared.replace(variables, entropy=entropy, unresolved=unresolved, strict=strict, drawing=drawing)


def tags_in(document: Any) -> tuple[Tag, ...]:
    """The tags of a document in order. Raises ExpressionError when a `{{` is never closed."""
    if isinstance(document, str) and "{{" not in document:
        return ()
    return prepare(document).tags


def simple_tags_in(document: Any) -> tuple[str, ...]:
    """The names in the simple tags of a document, in order."""
    return tuple(tag.name for tag in tags_in(document) if not tag.expression)


def marshal(document: Any) -> str:
    """The JSON text in which Argo replaces tags."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


# -- cutting ------------------------------------------------------------------------------------------------------------


class CutText(NamedTuple):
    """A JSON text, its tags, and the texts around them."""

    marshalled: str
    texts: tuple[str, ...]
    tags: tuple[Tag, ...]


class _OpenTag(Exception):
    """A tag begins in a text and does not end there."""


def _cut_inner_text(text: str) -> CutText:
    """A text within a document, cut as it stands in the document's JSON. Raises _OpenTag."""
    return _cut_memoised(text) if len(text) <= _MEMOISED_LENGTH else _cut_of(text)


def _cut_of(text: str) -> CutText:
    try:
        return _cut(marshal(text)[1:-1])
    except ExpressionError:
        raise _OpenTag from None


_cut_memoised = lru_cache(maxsize=512)(_cut_of)


def _cut(marshalled: str) -> CutText:
    texts: list[str] = []
    tags: list[Tag] = []
    at = 0
    while True:
        start = marshalled.find("{{", at)
        if start < 0:
            texts.append(marshalled[at:])
            return CutText(marshalled, tuple(texts), tuple(tags))
        texts.append(marshalled[at:start])
        end = marshalled.find("}}", start + 2)
        if end < 0:
            raise ExpressionError(
                f'Cannot find end tag="}}}}" in the template={quote(marshalled)} starting from {quote(marshalled[start + 2 :])}'
            )
        raw = marshalled[start + 2 : end]
        if raw.startswith("="):
            tags.append(Tag(raw, _unescape_html(raw[1:]), True))
        else:
            tags.append(Tag(raw, raw.strip(), False))
        at = end + 2


def _unescape_html(text: str) -> str:
    if "\\u00" not in text:
        return text
    return text.replace("\\u003c", "<").replace("\\u003e", ">").replace("\\u0026", "&")


# -- resolving ----------------------------------------------------------------------------------------------------------


class _Rule(NamedTuple):
    refuse: bool
    prefixes: tuple[str, ...]
    drawing: bool

    def requires(self, name: str) -> bool:
        """Whether the name must be resolved."""
        if self.refuse:
            return True
        return any(name == prefix or name.startswith(prefix + ".") for prefix in self.prefixes)

    @property
    def lenient(self) -> bool:
        return not self.refuse and not self.prefixes


def _resolve(tag: Tag, variables: Variables, rule: _Rule, entropy: Entropy | None) -> str | None:
    """The JSON text of the tag's value; None: the tag stays as it is."""
    if tag.expression:
        return _resolve_expression(tag.name, variables, rule, entropy)
    if tag.name in variables:
        value = variables[tag.name]
        if value is None:
            raise ExpressionError(
                f"unable to substitute {{{{{tag.raw}}}}}: output is an absent optional (skipped/omitted node with no default)"
            )
        if not isinstance(value, str):
            raise MissingVariable(f"failed to resolve {{{{{tag.raw}}}}} to string")
        return quote_inside(value)
    return _resolve_nested(tag, variables, rule)


def _resolve_nested(tag: Tag, variables: Variables, rule: _Rule) -> str | None:
    index = tag.raw.rfind("{{")
    if index > 0:
        inner = tag.raw[index + 2 :]
        if inner in variables:
            value = variables[inner]
            if value is None:
                raise ExpressionError(
                    f"unable to substitute nested tag {{{{{tag.raw}}}}}: {quote(inner)} is an absent optional"
                )
            if isinstance(value, str):
                return "{{" + tag.raw[:index] + quote_inside(value)
    # Artifacts are resolved elsewhere and may be optional, so they may stay unless everything is demanded.
    if rule.requires(tag.name) and (rule.refuse or ".outputs.artifacts." not in tag.name):
        raise MissingVariable(f"failed to resolve {{{{{tag.raw}}}}}")
    return None


def _resolve_expression(marshalled: str, variables: Variables, rule: _Rule, entropy: Entropy | None) -> str | None:
    """The JSON text of an expression's value. It may stay when a variable in it does not exist yet, or nothing demands it."""
    # Imported here, as most workflows have no expressions and the start of the server should be fast.
    from hera_utils.expressions.expr.program import parse

    try:
        source = json.loads(f'"{marshalled}"')
    except ValueError:
        complaint = gojson.json_fault(f'"{marshalled}"')
        raise ExpressionError(f"failed to unmarshall JSON expression: {complaint}") from None
    try:
        program = parse(source)
    except ExpressionError as error:
        if _has_placeholder(variables):
            return None
        raise ExpressionError(f"failed to evaluate expression: {error}") from None
    if program.draws and not rule.drawing:
        return None
    entropy = entropy or Entropy()
    environment = program.environment(variables, entropy)
    missing = program.missing_in(environment)
    for name in missing:
        if rule.requires(name):
            raise MissingVariable(f"failed to evaluate expression: {name} is missing")
    may_stay = bool(missing) or rule.lenient
    if may_stay and any(name in LATE for name in missing):
        return None
    try:
        value = program.evaluate_in(environment, entropy=entropy)
    except ExpressionError as error:
        if may_stay or _has_placeholder(variables):
            return None
        raise ExpressionError(f"failed to evaluate expression: {error}") from None
    if value is None and not isinstance(variables.get(source.strip()), NilPointer):
        if may_stay or _has_placeholder(variables):
            return None
        raise ExpressionError(f"failed to evaluate expression {quote(source)}")
    try:
        written = to_json(value)
    except ExpressionError as error:
        if may_stay:
            return None
        raise ExpressionError(f"failed to marshal evaluated expression: {error}") from None
    if len(written) > 1 and written[0] == '"' and written[-1] == '"':
        return written[1:-1]
    return quote_inside(written)


def _has_placeholder(variables: Variables) -> bool:
    """Whether an expression may use a placeholder for an unknown value (in validation), so that its failure is no error."""
    from hera_utils.expressions.expr.program import nest_variables

    # The first check avoids building nested maps, as most scopes have no placeholders.
    return _holds_placeholder(variables) and _holds_placeholder(nest_variables(variables))


def _holds_placeholder(values: Mapping[str, Any]) -> bool:
    pending: list[Any] = [values]
    while pending:
        value = pending.pop()
        if isinstance(value, Mapping):
            pending.extend(value.values())
        elif isinstance(value, str) and value.startswith(PLACEHOLDER):
            return True
    return False
