"""Import folders of models, as transformers and the Hugging Face hub have them.

In: a folder with `config.json`, weights and perhaps a tokenizer. Out: an `ImportedFolder`. Families that the zoo has become their published
spec with the sizes of `config.json`. Others are made by transformers from `config.json`, and imported as modules. Always: nothing in the
folder is executed, and a setting that changes the model is used or refused by its name.
"""
