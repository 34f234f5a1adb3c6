/// What the two formats call the tensors.
///
/// A role has one or more spellings; a spelling is one name, or several whose rows are stacked in this order.
enum TensorNames {
    case gguf
    case huggingFace

    /// The spellings of a role with the rows that each name must have, the usual one first.
    func spellings(_ role: TensorRole, _ model: ModelConfiguration) -> [[(name: String, rows: Int)]] {
        let rows = model.shape(of: role).rows
        let (q, kv, ff) = (model.queryWidth, model.kvWidth, model.feedForwardSize)
        switch (self, role) {
        case (.gguf, .tokenEmbedding): return [[("token_embd.weight", rows)]]
        case (.gguf, .outputNorm): return [[("output_norm.weight", rows)]]
        case (.gguf, .output): return [[("output.weight", rows)]]
        case (.gguf, .ropeFactorsLong): return [[("rope_factors_long.weight", rows)]]
        case (.gguf, .ropeFactorsShort): return [[("rope_factors_short.weight", rows)]]
        case (.gguf, .layer(let i, let tensor)):
            let block = "blk.\(i)."
            switch tensor {
            case .attentionNorm: return [[(block + "attn_norm.weight", rows)]]
            case .qkv:
                return [
                    [(block + "attn_qkv.weight", rows)],
                    [(block + "attn_q.weight", q), (block + "attn_k.weight", kv), (block + "attn_v.weight", kv)],
                ]
            case .attentionOutput: return [[(block + "attn_output.weight", rows)]]
            case .ffnNorm: return [[(block + "ffn_norm.weight", rows)]]
            case .gateUp:
                // With a gate of its own, `ffn_up` is only the up half; without, it is gate and up.
                return [
                    [(block + "ffn_gate.weight", ff), (block + "ffn_up.weight", ff)],
                    [(block + "ffn_up.weight", rows)],
                ]
            case .ffnDown: return [[(block + "ffn_down.weight", rows)]]
            }
        case (.huggingFace, .tokenEmbedding): return [[("model.embed_tokens.weight", rows)]]
        case (.huggingFace, .outputNorm): return [[("model.norm.weight", rows)]]
        case (.huggingFace, .output): return [[("lm_head.weight", rows)]]
        case (.huggingFace, .ropeFactorsLong), (.huggingFace, .ropeFactorsShort): return []
        case (.huggingFace, .layer(let i, let tensor)):
            let layer = "model.layers.\(i)."
            let attention = layer + "self_attn."
            switch tensor {
            case .attentionNorm: return [[(layer + "input_layernorm.weight", rows)]]
            case .qkv:
                return [
                    [(attention + "qkv_proj.weight", rows)],
                    [
                        (attention + "q_proj.weight", q), (attention + "k_proj.weight", kv),
                        (attention + "v_proj.weight", kv),
                    ],
                ]
            case .attentionOutput: return [[(attention + "o_proj.weight", rows)]]
            case .ffnNorm: return [[(layer + "post_attention_layernorm.weight", rows)]]
            case .gateUp:
                return [
                    [(layer + "mlp.gate_up_proj.weight", rows)],
                    [(layer + "mlp.gate_proj.weight", ff), (layer + "mlp.up_proj.weight", ff)],
                ]
            case .ffnDown: return [[(layer + "mlp.down_proj.weight", rows)]]
            }
        }
    }
}
