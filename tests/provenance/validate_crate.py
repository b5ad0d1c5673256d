"""Runs in the validator's own environment (see test_crate.py): python validate_crate.py FOLDER SEVERITY PROFILE → JSON on stdout.

The one remote document that a crate names, RO-Crate's JSON-LD context, is the copy that the package rocrate ships: no network.
"""

import json
import logging
import sys
from pathlib import Path

import rocrate
from rocrate_validator.models import ValidationSettings
from rocrate_validator.services import validate
from rocrate_validator.utils import document_loader
from rocrate_validator.utils.http import HttpRequester

CONTEXT = "https://w3id.org/ro/crate/1.1/context"


def shipped(url):
    assert url == CONTEXT, f"the crate needs the network: {url}"
    found = json.loads((Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld").read_text())
    assert found["@id"] == CONTEXT
    return found


class Answer:
    """What the validator looks at of an answer over HTTP."""

    status_code = 200
    headers = {"Content-Type": "application/ld+json"}

    def __init__(self, url):
        self.found = shipped(url)
        self.text = json.dumps(self.found)
        self.content = self.text.encode()

    def json(self):
        return self.found

    def raise_for_status(self):
        return None


document_loader._fetch_json_ld = shipped
for method in ("get", "head"):
    setattr(HttpRequester, method, lambda self, url, *_, **__: Answer(url))
logging.disable(logging.CRITICAL)
result = validate(
    ValidationSettings(
        rocrate_uri=sys.argv[1],
        profile_identifier=sys.argv[3],
        requirement_severity=sys.argv[2],
        skip_availability_check=True,
    )
)
issues = [f"{one.check.identifier} {one.violatingEntity}: {one.message}" for one in result.get_issues()]
json.dump({"passed": result.passed(), "checks": len(result.executed_checks), "issues": issues}, sys.stdout)
