"""What we expect: ONNX models that say what they need, step once per row and keep their own state.

Importing this needs NumPy only; onnxruntime loads with the first model.
"""

from smartcore.models.batch import Batch
from smartcore.models.contract import CLASSES, Contract, Golden, Inputs, State
from smartcore.models.session import BUILTIN, Model, builtin

__all__ = ["BUILTIN", "CLASSES", "Batch", "Contract", "Golden", "Inputs", "Model", "State", "builtin"]
