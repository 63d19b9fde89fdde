"""The names that a field of a configuration and a part of a model cannot have. Always: transformers is not imported; a test compares the
names with it.

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

_ATTRIBUTES = """
    activation_checkpointing_disable activation_checkpointing_enable active_adapters add_adapter add_model_tags adjust_generation_fn
    all_tied_weights_keys barrier_after_gathered_checkpoint_save base_model base_model_prefix can_generate can_record_outputs
    compute_transition_scores config config_class continuous_batching_context_manager delete_adapter dequantize
    destroy_cached_continuous_batching_manager device disable_adapters disable_input_require_grads dtype dummy_inputs enable_adapters
    enable_input_require_grads enable_peft_hotswap ep_plan from_pretrained fsdp_plan fsdp_size gather_sharded_state_dict_for_save
    generate generate_batch generation_config generation_config_class get_adapter_state_dict get_compiled_call
    get_correct_attn_implementation get_correct_experts_implementation get_decoder get_encoder get_expanded_tied_weights_keys
    get_experts_implementation get_init_context get_input_embeddings get_memory_footprint get_output_embeddings get_parameter_or_buffer
    get_position_embeddings gradient_checkpointing_disable gradient_checkpointing_enable heal_tokens init_continuous_batching
    init_parallel_plans init_weights initialize_weights input_modalities is_activation_checkpointing is_backend_compatible
    is_custom_code is_distributed_loading_by_transformers is_gradient_checkpointing is_remote_code kernel_config load_adapter
    load_custom_generate loss_function loss_type main_input_name mark_tied_weights_as_initialized maybe_distribute_model model_tags
    name_or_path named_non_persistent_buffers num_parameters number_attention_layers output_modalities post_init pp_plan
    prepare_distribute_model prepare_inputs_for_generation push_to_hub register_for_auto_class resize_position_embeddings
    resize_token_embeddings retrieve_modules_from_names save_distributed_checkpoint save_pretrained set_adapter set_attn_implementation
    set_decoder set_encoder set_experts_implementation set_input_embeddings set_output_embeddings set_use_kernels
    should_save_on_this_rank smart_apply supports_context_parallel supports_gradient_checkpointing supports_pp_plan supports_tp_plan
    tie_weights tp_plan tp_size use_kernels warn_if_padding_and_no_attention_mask
"""
MODEL_NAMES = frozenset(_ATTRIBUTES.split())
"""The names of the attributes that each model of transformers has, apart from the ones of every module of PyTorch."""
