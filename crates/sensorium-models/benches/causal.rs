//! A language model, timed part by part on each device: a prompt of 512 tokens that is read, and tokens a second after one of 128, beside
//! what the memory's bandwidth allows.
//!
//! `tools/peer/generate.py` runs it beside PyTorch: `causal FOLDER` loads a checkpoint instead of drawing one of the size of
//! SmolLM2-135M, and prints a line of JSON. Scores are read back inside the timed region, so that no device is still at work when
//! the clock stops.

use std::hint::black_box;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use burn::module::Module;
use burn::tensor::Device;
use sensorium_decode::{Generation, Prompt, generate};
use sensorium_hub::Checkpoint;
use sensorium_models::Published;
use sensorium_models::causal::{CausalConfig, CausalLm, LlamaConfig};

/// Of each part; the median counts.
const ROUNDS: usize = 5;
/// Tokens of the long prompt and of the short one, and of what is said after it.
const LONG: usize = 512;
const SHORT: usize = 128;
const SAID: usize = 64;

fn prompt(tokens: usize) -> Vec<u32> {
    (0..tokens).map(|i| (i * 7919 % 40_000) as u32).collect()
}

/// The median of seconds that a job tells, after it was done once before.
fn median_s(mut job: impl FnMut() -> f64) -> f64 {
    job();
    let mut times = [0.0; ROUNDS];
    times.iter_mut().for_each(|time| *time = job());
    times.sort_unstable_by(f64::total_cmp);
    times[ROUNDS / 2]
}

fn read_s(model: &CausalLm, tokens: &[u32]) -> f64 {
    median_s(|| {
        let start = Instant::now();
        black_box(model.read(&[tokens], 1).expect("a prompt").1);
        start.elapsed().as_secs_f64()
    })
}

/// Seconds of a token after the short prompt, and the tokens.
fn step_s(model: &CausalLm) -> (f64, Vec<u32>) {
    let tokens = prompt(SHORT);
    let how = Generation {
        max_new_tokens: Some(SAID),
        ..Generation::default()
    };
    let mut said = Vec::new();
    let seconds = median_s(|| {
        let (mut speaking, scores) = model.read(&[&tokens], SAID).expect("a prompt");
        let asked = Prompt {
            tokens: &tokens,
            seed: 0,
        };
        let go_on = |_, _: &_| ControlFlow::Continue(());
        let start = Instant::now();
        let texts = generate(&mut speaking, scores, &[asked], &how, &[SAID], go_on);
        said = texts.expect("a text").remove(0).tokens;
        // The first token is chosen by the prompt's own scores.
        start.elapsed().as_secs_f64() / (SAID - 1) as f64
    });
    (seconds, said)
}

/// Bytes a second that all cores together read from memory.
fn bandwidth() -> f64 {
    const BYTES: usize = 512 << 20;
    let memory = vec![1u64; BYTES / 8];
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let seconds = median_s(|| {
        let start = Instant::now();
        std::thread::scope(|scope| {
            for part in memory.chunks(memory.len().div_ceil(threads)) {
                scope.spawn(move || {
                    // Several sums at once, so that no addition waits for another.
                    let mut sums = [0u64; 16];
                    for eight in part.as_chunks::<16>().0 {
                        for (sum, x) in sums.iter_mut().zip(eight) {
                            *sum = sum.wrapping_add(*x);
                        }
                    }
                    black_box(sums);
                });
            }
        });
        start.elapsed().as_secs_f64()
    });
    BYTES as f64 / seconds
}

/// The most memory that the process has had, in bytes, where the system tells.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let folder = args.iter().find(|arg| !arg.starts_with('-'));
    for device in sensorium_testkit::devices() {
        let model = match folder {
            Some(folder) => {
                let checkpoint = Checkpoint::folder(Path::new(folder));
                let loaded = CausalLm::load(&checkpoint, &device);
                loaded.expect("a causal language model").model
            }
            None => CausalConfig::from(LlamaConfig::smollm2_135m()).init(&device),
        };
        report(&model, &device);
    }
}

fn report(model: &CausalLm, device: &Device) {
    let weights = model.num_params() * 4;
    let read_s = read_s(model, &prompt(LONG));
    let (step_s, said) = step_s(model);
    let peak = peak();
    let bound_s = weights as f64 / bandwidth();
    let found = serde_json::json!({
        "device": format!("{device:?}"),
        "read_tokens_per_s": LONG as f64 / read_s,
        "said_tokens_per_s": 1.0 / step_s,
        "bound_tokens_per_s": 1.0 / bound_s,
        "of_bound": step_s / bound_s,
        "peak_bytes": peak,
        "ids": said,
    });
    println!("{found}");
}
