from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.images.shell_programs import programs


@pytest.mark.parametrize(
    ("script", "called"),
    [
        ("echo hi; jq . <x | tee y", {"echo", "jq", "tee"}),
        ("if true; then curl x; else wget y; fi", {"curl", "wget"}),
        ("for i in a b c; do foo $i; done; bar", {"foo", "bar"}),
        ("case $x in a|b) run1;; c) run2 ;; esac; run3", {"run1", "run2", "run3"}),
        ("f() { inside; }; f; X=1 Y=2 tool argument", {"inside", "tool"}),
        ("function g { inside; }\ng", {"inside"}),
        ("x=$(date +%s) && echo $(( 1 + 2 )) `id -u`", {"date", "echo", "id"}),
        ("cat <<END > /tmp/x\nhello world\nEND\nls", {"cat", "ls"}),
        ("cat <<-'END'\n\thello\n\tEND\nls", {"cat", "ls"}),
        ("echo 'a; b' \"c $(d e; f 'g')\" # comment; x\nz", {"echo", "d", "f", "z"}),
        ("timeout 5s env A=b real -x", {"timeout", "env", "real"}),
        ("{{inputs.parameters.command}} foo; $TOOL x; ${TOOL:-y} z", set()),
        ("while read l; do grep x; done < f 2>&1", {"grep"}),
        ("set -e\nmkdir -p /a && (cd /a; tar xf -) || exit 1", {"mkdir", "tar"}),
        ("/mnt/tool/run --fast; ./other", {"/mnt/tool/run", "./other"}),
        ("one \\\n  two; three", {"one", "three"}),
        ("one 2>/dev/null 1>&2 3<&0; ! two", {"one", "two"}),
    ],
)
def test_what_a_script_calls(script: str, called: set[str]) -> None:
    assert programs(script) == called


@given(st.text(alphabet="ab;&|()<>\"'\\$`{}#= \n\t-case in esac do done if fi"))
def test_no_text_is_too_odd(script: str) -> None:
    assert all(isinstance(name, str) and name for name in programs(script))


NAMES = st.sampled_from(["curl", "jq", "apk", "make", "x86_64-linux-gnu-gcc", "7z"])


@given(st.lists(NAMES, min_size=1), st.sampled_from([";", "\n", " | ", " && ", " || ", " & "]))
def test_every_command_of_a_line_is_seen(names: list[str], between: str) -> None:
    assert programs(between.join(f"{name} --flag 'a {{b}} ; c'" for name in names)) == set(names)


@given(st.lists(NAMES, min_size=1))
def test_a_script_inside_of_a_script_is_read(names: list[str]) -> None:
    script = names[0]
    for name in names[1:]:
        script = f'{name} "$({script})"'
    assert programs(script) == set(names)


def test_a_huge_script_is_read_quickly() -> None:
    assert programs("$(" * 1_000_000) == frozenset()
    assert programs("echo x\n" * 200_000) == {"echo"}
