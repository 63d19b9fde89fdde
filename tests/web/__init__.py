"""Models of `netc compile --for web` in ONNX Runtime Web, in Chromium.

They run where Node finds onnxruntime-web and playwright-core (`make playground`, or `NETC_NODE_MODULES`), and Chromium is installed. WebGPU
needs no GPU: Chromium computes it with SwiftShader.
"""
