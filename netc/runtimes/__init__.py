"""Other runtimes than ONNX Runtime, in which `netc run --runtime`, `netc bench --against` and `Model.session(runtime=...)` run models.

In: the name of a runtime, and an ONNX model. Out: a session, which is called like a session of ONNX Runtime. Always: a runtime is imported
when a session of it is opened, not before. Each runtime is a file here, and its class in `SESSIONS`.
"""
