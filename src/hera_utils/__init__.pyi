from hera_utils.errors import AccessError as AccessError
from hera_utils.errors import HeraUtilsError as HeraUtilsError
from hera_utils.errors import InvalidWorkflow as InvalidWorkflow
from hera_utils.errors import LayoutError as LayoutError
from hera_utils.errors import PlatformError as PlatformError
from hera_utils.errors import Refused as Refused
from hera_utils.errors import ResourceError as ResourceError
from hera_utils.errors import RunFailed as RunFailed
from hera_utils.errors import SettingsError as SettingsError
from hera_utils.errors import UnsupportedError as UnsupportedError
from hera_utils.execution.execution_engine import ExecutionEngine as ExecutionEngine
from hera_utils.experiment.environment import ConfigMap as ConfigMap
from hera_utils.experiment.environment import Environment as Environment
from hera_utils.experiment.environment import PersistedVolume as PersistedVolume
from hera_utils.experiment.environment import Secret as Secret
from hera_utils.experiment.experiment import Experiment as Experiment
from hera_utils.experiment.inputs import Inputs as Inputs
from hera_utils.experiment.inputs import grid as grid
from hera_utils.experiment.layout import Layout as Layout
from hera_utils.platforms.argo_server import ArgoServer as ArgoServer
from hera_utils.platforms.argo_server import argo_server as argo_server
from hera_utils.platforms.cluster import Cluster as Cluster
from hera_utils.platforms.cluster import k8s_cluster as k8s_cluster
from hera_utils.settings.parser import argument_parser as argument_parser
from hera_utils.settings.parser import parse_arguments as parse_arguments
from hera_utils.settings.resolve import CLIContext as CLIContext

__version__: str
