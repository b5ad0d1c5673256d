"""`from hera_utils.utils import …`, as scripts write it."""

from hera_utils.seed.versions import assert_version as assert_version
from hera_utils.seed.versions import check_version as check_version
from hera_utils.seed.versions import clear_workflow_template as clear_workflow_template
from hera_utils.seed.versions import print_version as print_version
