"""Training data: a source for each format, and the match between its columns and the inputs of the objective.

    data_formats.py     detects the format of a path and parses its options; rules.py does the same for `data` and `validate` in a spec
    npz.py, safetensors.py, csv.py, arrow.py, images.py, text_windows.py, sklearn.py, python.py: one source each
    data_paths.py       checks files and folders before they are opened; pictures.py decodes images
    data_columns.py     finds the column of each input and reads batches; prefetch.py reads batches ahead
    value_checks.py     finds NaN and infinities; class_labels.py finds class numbers out of range

In: a location or an object of the caller's, and the inputs. Out: `InputColumns`. Always: only the format `python` runs code; every problem
with the data is a `DataError` or a diagnostic.
"""
