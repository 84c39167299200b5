//! Which family weights are of where no `config.json` says so: a guess by the names of tensors, for people who look.

use crate::Family;

impl Family {
    /// The family whose checkpoints have such names; `None` if they are of none that is known. Nothing is loaded by a guess.
    pub fn guess<'a>(names: impl Iterator<Item = &'a str>) -> Option<Self> {
        let names: Vec<&str> = names.collect();
        let has = |part: &str| names.iter().any(|name| name.contains(part));
        // What only one of the families has comes first.
        let signs: [(bool, Self); 19] = [
            (has("attn.c_attn"), Self::Gpt2),
            (has("mlp.gate_proj") && has("self_attn.q_norm"), Self::Qwen3),
            (
                has("mlp.gate_proj") && has("q_proj.bias") && !has("o_proj.bias"),
                Self::Qwen2,
            ),
            (has("mlp.gate_proj"), Self::Llama),
            // A ViT's names, but for the second token of its own.
            (has("distillation_token"), Self::Ast),
            (
                has("encoder_attn.q_proj") && has("encoder.conv2"),
                Self::Whisper,
            ),
            (has("feature_extractor.conv_layers"), Self::Wav2Vec2),
            (has("logit_scale_a"), Self::Clap),
            (has("audio_encoder.patch_embed"), Self::ClapAudio),
            // A RoBERTa's names, but for a table that others do not save.
            (has("embeddings.token_type_ids"), Self::ClapText),
            (has("logit_bias"), Self::Siglip),
            (has("logit_scale"), Self::Clip),
            (has("layer_scale1.lambda1"), Self::Dinov2),
            (has("layernorm_before"), Self::Vit),
            (
                has("word_embeddings") && has("attention.self.query"),
                Self::Bert,
            ),
            (has("pre_layrnorm"), Self::ClipVision),
            (
                has("post_layernorm") && has("patch_embedding.bias"),
                Self::SiglipVision,
            ),
            (
                has("token_embedding.") && has("head.weight"),
                Self::SiglipText,
            ),
            (
                has("token_embedding.") && has("final_layer_norm"),
                Self::ClipText,
            ),
        ];
        signs.iter().find(|(found, _)| *found).map(|(_, f)| *f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensorium_hub::Checkpoint;
    use std::path::Path;

    #[test]
    fn every_family_is_known_by_its_tensors() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let mut tried = 0;
        for entry in std::fs::read_dir(fixtures).unwrap() {
            let folder = entry.unwrap().path();
            if !folder.join("config.json").is_file() || !folder.join("model.safetensors").is_file()
            {
                continue;
            }
            let checkpoint = Checkpoint::folder(&folder);
            let weights = checkpoint.weights().unwrap();
            let told = Family::of_checkpoint(&checkpoint).unwrap();
            assert_eq!(Family::guess(weights.names()), Some(told), "{folder:?}");
            tried += 1;
        }
        assert!(tried >= 20, "{tried} fixtures");
    }

    #[test]
    fn other_names_are_of_none() {
        let names = ["model.layers.0.mixer.in_proj.weight", "lm_head.weight"];
        assert_eq!(Family::guess(names.into_iter()), None);
        assert_eq!(Family::guess(std::iter::empty()), None);
    }
}
