//! A language model of Llama's layout in candle, timed as `benches/causal.rs` times Sensorium's, and told as a line of JSON.
//!
//!     candle-peer FOLDER                   reads a prompt of 512 tokens, and says 64 after one of 128
//!     candle-peer FOLDER --first WORDS     prints the token after a text, for whoever times the process

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use candle_core::{D, DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::llama::{Cache, Config, Llama};
use serde_json::{Value, json};
use tokenizers::Tokenizer;

type Answer<T> = Result<T, Box<dyn Error + Send + Sync>>;

const ROUNDS: usize = 5;
const LONG: usize = 512;
const SHORT: usize = 128;
const SAID: usize = 64;

struct Model {
    config: Config,
    llama: Llama,
}

impl Model {
    fn load(folder: &Path) -> Answer<Self> {
        let config = config(&folder.join("config.json"))?;
        let data = std::fs::read(folder.join("model.safetensors"))?;
        let weights = VarBuilder::from_buffered_safetensors(data, DType::F32, &Device::Cpu)?;
        let llama = Llama::load(weights, &config)?;
        Ok(Self { config, llama })
    }

    fn begin(&self) -> Answer<Cache> {
        Ok(Cache::new(true, DType::F32, &self.config, &Device::Cpu)?)
    }

    /// Scores of the token after these, which stand from `at` on.
    fn next(&self, tokens: &[u32], at: usize, cache: &mut Cache) -> Answer<Tensor> {
        let tokens = Tensor::new(tokens, &Device::Cpu)?.unsqueeze(0)?;
        Ok(self.llama.forward(&tokens, at, cache)?)
    }

    /// The likeliest tokens after these, one after the other, and the seconds that they took without the prompt.
    fn say(&self, prompt: &[u32], count: usize) -> Answer<(Vec<u32>, f64)> {
        let mut cache = self.begin()?;
        let mut scores = self.next(prompt, 0, &mut cache)?;
        let (start, mut said) = (Instant::now(), Vec::new());
        loop {
            let token = scores.argmax(D::Minus1)?.to_vec1::<u32>()?[0];
            said.push(token);
            if said.len() == count {
                return Ok((said, start.elapsed().as_secs_f64()));
            }
            scores = self.next(&[token], prompt.len() + said.len() - 1, &mut cache)?;
        }
    }
}

/// What a `config.json` says, in the names of new ones too.
fn config(path: &Path) -> Answer<Config> {
    let told: Value = serde_json::from_slice(&std::fs::read(path)?)?;
    let number = |name: &str| {
        told[name]
            .as_u64()
            .map(|n| n as usize)
            .ok_or(format!("{name}?"))
    };
    let base = told["rope_theta"].as_f64();
    let base = base.or(told["rope_parameters"]["rope_theta"].as_f64());
    Ok(Config {
        hidden_size: number("hidden_size")?,
        intermediate_size: number("intermediate_size")?,
        vocab_size: number("vocab_size")?,
        num_hidden_layers: number("num_hidden_layers")?,
        num_attention_heads: number("num_attention_heads")?,
        num_key_value_heads: number("num_key_value_heads")?,
        use_flash_attn: false,
        rms_norm_eps: told["rms_norm_eps"].as_f64().ok_or("rms_norm_eps?")?,
        rope_theta: base.ok_or("rope_theta?")? as f32,
        bos_token_id: None,
        eos_token_id: None,
        rope_scaling: None,
        max_position_embeddings: number("max_position_embeddings")?,
        tie_word_embeddings: told["tie_word_embeddings"].as_bool().unwrap_or(false),
    })
}

fn prompt(tokens: usize) -> Vec<u32> {
    (0..tokens).map(|i| (i * 7919 % 40_000) as u32).collect()
}

/// The median of seconds that a job tells, after it was done once before.
fn median_s(mut job: impl FnMut() -> Answer<f64>) -> Answer<f64> {
    job()?;
    let mut times = (0..ROUNDS).map(|_| job()).collect::<Answer<Vec<f64>>>()?;
    times.sort_unstable_by(f64::total_cmp);
    Ok(times[ROUNDS / 2])
}

/// The most memory that the process has had, in bytes.
fn peak() -> Answer<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u64 = line
        .ok_or("VmHWM?")?
        .trim_end_matches("kB")
        .trim()
        .parse()?;
    Ok(kib * 1024)
}

fn main() -> Answer<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let folder = Path::new(args.first().ok_or("which folder?")?);
    let model = Model::load(folder)?;
    if let [_, _, words] = &args[..] {
        let tokenizer = Tokenizer::from_file(folder.join("tokenizer.json"))?;
        let (said, _) = model.say(tokenizer.encode(words.as_str(), false)?.get_ids(), 1)?;
        println!("{}", tokenizer.decode(&said, true)?);
        return Ok(());
    }
    let read_s = median_s(|| {
        let mut cache = model.begin()?;
        let start = Instant::now();
        model
            .next(&prompt(LONG), 0, &mut cache)?
            .flatten_all()?
            .to_vec1::<f32>()?;
        Ok(start.elapsed().as_secs_f64())
    })?;
    let mut said = Vec::new();
    let step_s = median_s(|| {
        let (tokens, seconds) = model.say(&prompt(SHORT), SAID)?;
        said = tokens;
        Ok(seconds / (SAID - 1) as f64)
    })?;
    let found = json!({
        "read_tokens_per_s": LONG as f64 / read_s,
        "said_tokens_per_s": 1.0 / step_s,
        "peak_bytes": peak()?,
        "ids": said,
    });
    println!("{found}");
    Ok(())
}
