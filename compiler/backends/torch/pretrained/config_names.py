"""The names that a field of a configuration cannot have. Always: transformers is not imported; a test compares the names with it.

>>> "dtype" in CONFIG_NAMES, "width" in CONFIG_NAMES
(True, False)
"""

from __future__ import annotations

_NAMES = """
    allow_global_per_layer_attribute_access architectures attribute_map base_config_key base_model_ep_plan base_model_fsdp_plan
    base_model_pp_plan base_model_tp_plan chunk_size_feed_forward convert_rope_params_to_dict default_config_fields default_rope_type
    default_theta dict_dtype_to_str dtype extra_config_files extra_files from_dict from_json_file from_pretrained get_config_dict
    get_mtp_config get_text_config id2label ignore_keys_at_rope_validation is_custom_code is_encoder_decoder is_heterogeneous is_remote_code
    label2id model_type name_or_path nested_rope_parameter_keys num_labels output_attentions output_hidden_states per_layer_attributes
    per_layer_config problem_type push_to_hub register_for_auto_class return_dict rope_scaling save_pretrained
    serialize_explicit_per_layer_config standardize_rope_params sub_configs sub_configs_defaults to_dict to_diff_dict to_json_file
    to_json_string torch_dtype transformers_version update update_from_string use_return_dict validate validate_architecture
    validate_layer_type validate_output_attentions validate_rope validate_token_ids
    auto_map bos_token_id eos_token_id pad_token_id tie_word_embeddings use_cache attn_implementation
"""
CONFIG_NAMES = frozenset(_NAMES.split())
"""The names that every configuration has, and the names of fields that write_config.py adds."""
