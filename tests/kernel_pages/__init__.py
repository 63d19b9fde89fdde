"""Writes the tables of kernels anew from the pages that ONNX Runtime and TensorRT publish.

    PYTHONPATH=tests python -m kernel_pages --onnxruntime OperatorKernels.md --version 1.31.1
    PYTHONPATH=tests python -m kernel_pages --tensorrt operators.md

The first page is docs/OperatorKernels.md of microsoft/onnxruntime, which its script `gen_opkernel_doc` writes from the kernels of an
installed package. The second one is docs/operators.md of onnx/onnx-tensorrt.
"""
