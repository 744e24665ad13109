"""A Llama folder as GGUF under llama.cpp's own server: `python -m tests.llama_cpp FOLDER PORT`.

Needs `gguf` and `xllamacpp` (llama.cpp with its server, as a wheel). Prints a line when it listens.
"""

import json
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'assistant' %}<|assistant|> "
    "{{ message['content'] | trim }}<|end|>{% else %}<|user|> {{ message['content'] | trim }}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""The seedling's, with the space that its tokenizer puts before each piece and llama.cpp does not."""
NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def write_gguf(folder: Path, path: Path) -> None:
    """Write a Llama with a byte-level BPE tokenizer, tied embeddings, in float32."""
    import gguf

    config = json.loads((folder / "config.json").read_text())
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    _add_tokenizer(writer, gguf, config, tokenizer)
    for name, tensor in load_file(folder / "model.safetensors").items():
        heads = {"q_proj": "num_attention_heads", "k_proj": "num_key_value_heads"}
        for part, key in heads.items():
            if f"{part}.weight" in name:
                tensor = _interleave(tensor, config[key])
        writer.add_tensor(_rename(name), tensor.float().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_tokenizer(
    writer: Any, gguf: Any, config: dict[str, Any], tokenizer: dict[str, Any]
) -> None:
    special = {one["content"] for one in tokenizer["added_tokens"]}
    vocabulary = {**tokenizer["model"]["vocab"]}
    vocabulary |= {one["content"]: one["id"] for one in tokenizer["added_tokens"]}
    tokens = sorted(vocabulary, key=lambda token: vocabulary[token])
    kinds = gguf.TokenType
    merges = tokenizer["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([kinds.CONTROL if one in special else kinds.NORMAL for one in tokens])
    writer.add_token_merges([one if isinstance(one, str) else " ".join(one) for one in merges])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_pad_token_id(config["pad_token_id"])
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)


def _interleave(weight: torch.Tensor, num_heads: int) -> torch.Tensor:
    """Rotary halves as llama.cpp wants them: pairs beside each other."""
    rows = weight.shape[0]
    split = weight.reshape(num_heads, 2, rows // num_heads // 2, *weight.shape[1:])
    return split.transpose(1, 2).reshape(weight.shape).contiguous()


def _rename(name: str) -> str:
    if name == "model.embed_tokens.weight":
        return "token_embd.weight"
    if name == "model.norm.weight":
        return "output_norm.weight"
    _, _, layer, *middle, _ = name.split(".")
    return f"blk.{layer}.{NAMES['.'.join(middle)]}.weight"


def serve(folder: Path, port: int) -> None:
    """Serve until the process is ended."""
    import xllamacpp

    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.gguf"
        write_gguf(folder, path)
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.port = port
        params.n_ctx = 4096
        params.n_parallel = 4
        params.n_gpu_layers = 0
        params.cpuparams.n_threads = 1
        params.warmup = False
        params.model_alias = {"seedling"}
        server = xllamacpp.Server(params)
        sys.stdout.write(f"listening at {server.listening_address}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
