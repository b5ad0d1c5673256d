"""A credential plugin as kubeconfigs name them: prints the token that a file holds (first argument)."""

import json
import sys
from pathlib import Path

token = Path(sys.argv[1]).read_text().strip()
credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": token}}
print(json.dumps(credential))
