"""BERT, RoBERTa and DistilBERT without a head, by specs/text/bert.net, roberta.net and distilbert.net.

>>> from ..config_settings import ConfigSettings
>>> spec = read_bert(ConfigSettings({"hidden_size": 64, "num_hidden_layers": 2}))
>>> spec.path, spec.arguments["width"], spec.arguments["depth"]
('text/bert.net', '64', '2')
"""

from __future__ import annotations

from ..config_settings import ConfigSettings, NotInZoo
from ..weight_names import NameRules
from ..zoo_spec import ZooSpec, format_arguments, zoo_family

_DROPOUTS = ("hidden_dropout_prob", "attention_probs_dropout_prob")
_POSITIONS = (r"embeddings\.position_ids$", r"embeddings\.token_type_ids$")


def _read_encoder(settings: ConfigSettings, vocabulary: int, context: int) -> dict[str, float | bool | str | None]:
    settings.require("hidden_act", "gelu")
    settings.require("position_embedding_type", "absolute")
    settings.skip("classifier_dropout", "tie_word_embeddings", "gradient_checkpointing", *_DROPOUTS)
    return {
        "width": settings.read_int("hidden_size", 768),
        "depth": settings.read_int("num_hidden_layers", 12),
        "heads": settings.read_int("num_attention_heads", 12),
        "hidden": settings.read_int("intermediate_size", 3072),
        "vocabulary": settings.read_int("vocab_size", vocabulary),
        "context": settings.read_int("max_position_embeddings", context),
        "eps": settings.read_number("layer_norm_eps", 1e-12),
    }


@zoo_family("BertModel")
def read_bert(settings: ConfigSettings) -> ZooSpec:
    arguments = _read_encoder(settings, 30_522, 512) | {"kinds": settings.read_int("type_vocab_size", 2)}
    settings.require("pad_token_id", 0)
    settings.check_all_read()
    rules = NameRules("", ("bert.",), dropped=_POSITIONS)
    return ZooSpec("text/bert.net", "network", format_arguments(arguments), (), rules, settings.list_dropout_notes(*_DROPOUTS))


@zoo_family("RobertaModel")
def read_roberta(settings: ConfigSettings) -> ZooSpec:
    arguments = _read_encoder(settings, 50_265, 512) | {"padding": settings.read_count("pad_token_id", 1)}
    kinds = settings.read_int("type_vocab_size", 2)
    if kinds != 1:
        raise NotInZoo(f"`type_vocab_size` = {kinds}")
    settings.check_all_read()
    rules = NameRules("", ("roberta.",), dropped=_POSITIONS)
    return ZooSpec("text/roberta.net", "network", format_arguments(arguments), (), rules, settings.list_dropout_notes(*_DROPOUTS))


@zoo_family("DistilBertModel")
def read_distilbert(settings: ConfigSettings) -> ZooSpec:
    settings.require("activation", "gelu")
    settings.require("sinusoidal_pos_embds", False)
    settings.require("pad_token_id", 0)
    settings.skip("dropout", "attention_dropout", "qa_dropout", "seq_classif_dropout", "tie_word_embeddings", "tie_weights_")
    arguments = {
        "width": settings.read_int("dim", 768),
        "depth": settings.read_int("n_layers", 6),
        "heads": settings.read_int("n_heads", 12),
        "hidden": settings.read_int("hidden_dim", 3072),
        "vocabulary": settings.read_int("vocab_size", 30_522),
        "context": settings.read_int("max_position_embeddings", 512),
    }
    settings.check_all_read()
    rules = NameRules("", ("distilbert.",), dropped=_POSITIONS)
    notes = settings.list_dropout_notes("dropout", "attention_dropout")
    return ZooSpec("text/distilbert.net", "network", format_arguments(arguments), (), rules, notes)
