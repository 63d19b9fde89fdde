"""Data for training: sources by format, their columns held against the inputs of the objective.

    data_formats.py     which format a path is in, and its options; rules.py: the same of the settings of a spec
    npz.py, safetensors.py, csv.py, arrow.py, images.py, text_windows.py, sklearn.py, python.py: the sources
    data_paths.py       what is at a path; pictures.py: images decoded
    data_columns.py     the column of each input, and batches of them; prefetch.py: batches made ahead
    value_checks.py      NaN and infinities

In: a place, or an object of the caller's, and the inputs. Out: `Columns`. Always: nothing but `python` runs code; what is wrong with data
is a `DataError` or a diagnostic.
"""
