"""The Chromium that the tests of the local platform's page drive as well."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "platforms" / "local"))
