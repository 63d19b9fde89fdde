"""Definitions that the frameworks with NumPy's names share: pools, losses, resampling, spectra.

Always: netc imports none of these files. The text of a definition is copied to each emitted file that uses it, with a framework's words in
the place of `xp`, its functions of arrays; `fn`, its functions of neural networks; `np`, functions of numbers that are known when code is
traced; `Array`; and the element types `Int` and `Bool`. A framework's own library may have a better version under the same name.
"""
