"""The common part of backends whose artifacts are made by the vendor's own converter of PyTorch modules.

In: the input of a backend. Out: the program that `torch.export` makes of its module, in evaluation mode and with its weights, which the
converter takes. Always: sizes, element types and packages are checked before weights are opened. What a converter refuses becomes an error
at the stage, with the converter's reason.
"""
