"""One network in several engines, each as a function of images, for notebook 13 and its benchmark.

The engines beside Keras are imported where they are used: ONNX Runtime comes with the package, OpenVINO and LiteRT
are there only where somebody installed them.
"""

import time
from pathlib import Path

import numpy as np


def quantize(source, target, kind, images=None):
    """Write an ONNX network with weights of 8 bits, and return the path.

    Parameters
    ----------
    source, target : str or Path
    kind : 'static' or 'dynamic'
        Static: activations are scaled to 8 bits by ranges that ``images`` show, once and for all. Dynamic: each call
        finds the ranges of its own input.
    images : ``(N, H, W, C)`` float32, of training patients; for 'static'
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_dynamic, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    if kind not in ("static", "dynamic"):
        raise ValueError(f"kind is {kind!r}; choose 'static' or 'dynamic'")
    source, target = Path(source), Path(target)
    prepared = target.with_name(f"{target.stem}_prepared.onnx")
    quant_pre_process(source, prepared, skip_symbolic_shape=True)
    if kind == "dynamic":
        quantize_dynamic(prepared, target, weight_type=QuantType.QUInt8)
    else:
        quantize_static(prepared, target, _Reader(prepared, images), quant_format=QuantFormat.QDQ, per_channel=True)
    prepared.unlink()
    return target


class _Reader:
    """Hands the calibration images to ONNX Runtime, one by one."""

    def __init__(self, network, images):
        self.name = _session(network, 1).get_inputs()[0].name
        self.images = iter(images)

    def get_next(self):
        image = next(self.images, None)
        return None if image is None else {self.name: image[np.newaxis]}


def _session(network, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])


def onnx_engine(network, threads=1):
    """ONNX Runtime as a function: ``(N, H, W, C)`` float32 -> probabilities ``(N, H, W, K)``."""
    session = _session(network, threads)
    name = session.get_inputs()[0].name
    return lambda images: session.run(None, {name: images})[0]


def openvino_engine(network, threads=1, precision="f32"):
    """OpenVINO as a function; ``precision=None`` leaves it to OpenVINO, which takes 16 bits where the processor can."""
    import openvino

    options = {"INFERENCE_NUM_THREADS": threads}
    options |= {"INFERENCE_PRECISION_HINT": precision} if precision else {}
    compiled = openvino.Core().compile_model(str(network), "CPU", options)
    return lambda images: compiled(images)[0]


def litert_engine(network, threads=1):
    """LiteRT as a function; its tensors have one size at a time."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(network), num_threads=threads)
    into, out = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    shape = None

    def run(images):
        nonlocal shape
        if images.shape != shape:
            shape = images.shape
            interpreter.resize_tensor_input(into, shape)
            interpreter.allocate_tensors()
        interpreter.set_tensor(into, images)
        interpreter.invoke()
        return interpreter.get_tensor(out)

    return run


def milliseconds(function, images, repeats):
    """Milliseconds of each of ``repeats`` calls, after one that does not count."""
    function(images)
    spent = []
    for _ in range(repeats):
        began = time.perf_counter()
        function(images)
        spent.append(1000 * (time.perf_counter() - began))
    return spent
