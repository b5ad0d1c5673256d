"""Plain scalars of YAML, as sigs.k8s.io/yaml 1.6 (Kubernetes, the argo command) turns them into JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from hera_utils.argo.kubernetes_yaml import Loader

# Answers of the Go library; a text stands in quotation marks.
ANSWERS = """
1e-3 0.001|1E5 100000|1.50 1.5|1.0 1|-0 0|+1 1|1_000 1000|1_0.5 10.5|0x1F 31|0X1F 31|0xG "0xG"|0o17 15|0b101 5|-0b101 -5|0777 511|08 8
09.5 9.5|12:30:00 "12:30:00"|1:30 "1:30"|1:30.5 "1:30.5"|.5 0.5|5. 5|.5_ ".5_"|-_4 -4|_1 "_1"|0x_1 1|0b2 "0b2"|1e "1e"|1e400 "1e400"
1e5 100000|1.e3 1000|e3 "e3"|+.5 0.5|-.5e3 -500|1.5e3_0 1.5e+30|0x1p3 "0x1p3"|1,000 "1,000"|1e21 1e+21|1e20 100000000000000000000
123456789012345678901234567890 1.2345678901234568e+29|9223372036854775808 9223372036854775808|yes true|Y true|n false|off false|tRue "tRue"
~ null|NULL null|= "="|<< "<<"|2001-01-01 "2001-01-01"|2001-01-01T00:00:00Z "2001-01-01T00:00:00Z"|!!str 5 "5"|!!int "5" 5|!!float 5 5
!!binary aGk= "hi"|1.2.3 "1.2.3"|0x "0x"|1e-7 1e-07
"""
CASES = [case.rsplit(" ", 1) for line in ANSWERS.split("\n") for case in line.split("|") if case]


@pytest.mark.parametrize(("text", "value"), CASES)
def test_scalars(text: str, value: str) -> None:
    read: Any = yaml.load(f"v: {text}", Loader)["v"]
    assert json.dumps(read) == value


@pytest.mark.parametrize(("text", "word"), [(".inf", "+Inf"), ("-.INF", "-Inf"), (".nan", "NaN")])
def test_numbers_that_json_does_not_have(text: str, word: str) -> None:
    with pytest.raises(yaml.YAMLError, match=f"json: unsupported value: {word.replace('+', '.')}"):
        yaml.load(f"v: {text}", Loader)


def test_what_is_not_plain_stays() -> None:
    text = 'a: &x {b: \'12\', "c": "yes", d: |\n  1\n}\n'.replace("d: |\n  1\n", "d: [1]")
    assert yaml.load(text + "e: {<<: *x, f: 1}\n", Loader) == {
        "a": {"b": "12", "c": "yes", "d": [1]},
        "e": {"b": "12", "c": "yes", "d": [1], "f": 1},
    }


def test_keys_are_texts() -> None:
    """A resource template with the key `y` made the platform fail."""
    read = yaml.load("{y: 1, off: 2, 5: 3, 1.50: 4, x: {on: 5}}", Loader)
    assert read == {"true": 1, "false": 2, "5": 3, "1.5": 4, "x": {"true": 5}}
    with pytest.raises(yaml.YAMLError):
        yaml.load("{~: 1}", Loader)
