"""Holds a file to SkyPilot's own schema of a task. Of SkyPilot only its package is here, not what it brings (boto3, pandas, …):
what its schema's module imports and never uses for it is stood in for."""
import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import pathlib
import sys
import types
import unittest.mock

import jsonschema
import yaml


class StandIn(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Asked first for SkyPilot's modules, of which four are real, and last for whatever is not installed."""

    def __init__(self, package, real=frozenset()):
        self.package = package
        self.real = real

    def find_spec(self, name, path, target=None):
        if name in self.real or not name.startswith(self.package):
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        module = unittest.mock.MagicMock(name=spec.name)
        module.__path__ = []
        return module

    def exec_module(self, module):
        pass


root = pathlib.Path(importlib.util.find_spec('sky').submodule_search_locations[0])
# Its packages without their own beginnings, which load all of it.
for name, folder in (('sky', root), ('sky.skylet', root / 'skylet'), ('sky.utils', root / 'utils')):
    package = types.ModuleType(name)
    package.__path__ = [str(folder)]
    sys.modules[name] = package
sys.modules['sky'].__version__ = importlib.metadata.version('skypilot')
real = {'sky.utils.schemas', 'sky.utils.kubernetes_enums', 'sky.skylet.constants', 'sky.skylet.autostop_lib'}
sys.meta_path.insert(0, StandIn('sky.', real))
sys.meta_path.append(StandIn('', frozenset(real)))
from sky.utils import schemas  # noqa: E402

task = yaml.safe_load(sys.stdin.read())
jsonschema.validate(task, schemas.get_task_schema())
jsonschema.validate(task['resources'], schemas.get_resources_schema())
