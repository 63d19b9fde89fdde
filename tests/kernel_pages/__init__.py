"""Writes the tables of kernels anew from the pages and sources that ONNX Runtime and TensorRT publish.

    PYTHONPATH=tests python -m kernel_pages --onnxruntime OperatorKernels.md --version 1.31.1
    PYTHONPATH=tests python -m kernel_pages --tensorrt operators.md
    PYTHONPATH=tests python -m kernel_pages --web node_modules/onnxruntime-web --sources onnxruntime
    PYTHONPATH=tests python -m kernel_pages --coreml onnxruntime
    PYTHONPATH=tests python -m kernel_pages --qnn

The first page is docs/OperatorKernels.md of microsoft/onnxruntime, which its script `gen_opkernel_doc` writes from the kernels of an
installed package. The second one is docs/operators.md of onnx/onnx-tensorrt. The package onnxruntime-web contains its page,
and the sources are a checkout of microsoft/onnxruntime.
`--qnn` asks the installed package onnxruntime-qnn.
"""
