//! The command line: what can be asked, and how `--help` explains it.

pub mod data;
mod merge;
mod sweep;
mod write;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use sensorium_runtime::Backend;

use data::DataCommand;
pub use merge::MergeArgs;
pub use sweep::SweepArgs;
pub use write::{ChatArgs, GenerateArgs};

/// Multimodal models: train, evaluate and use them, on any GPU or none.
#[derive(Debug, Parser)]
#[command(name = "sensorium", version, propagate_version = true, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What every command takes.
    #[command(flatten)]
    pub common: Common,
}

const EXAMPLES: &str = "Examples:
  sensorium train av-digits
  sensorium train my-recipe.toml --data photos.csv --set train.epochs=3
  sensorium eval runs/av-digits --drop audio
  sensorium predict runs/av-digits --text \"it is even\" --image digit.png
  sensorium embed --model openai/clip-vit-base-patch32 --image photo.jpg
  sensorium devices";

/// What every command takes.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// What runs the tensors: flex, wgpu, libtorch, cuda, or auto for the fastest present.
    #[arg(long, global = true, default_value = "auto", value_name = "B")]
    pub backend: Backend,
    /// Print one JSON document on standard output.
    #[arg(long, global = true)]
    pub json: bool,
    /// Print results and errors only, no progress.
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a model from a recipe, evaluate it and write a report.
    #[command(after_help = "Examples:
  sensorium train                             # the built-in recipe av-digits on its embedded data
  sensorium train av-digits --set train.epochs=2 --out runs/short
  sensorium train --resume runs/av-digits     # with the recipe that the run began with
  sensorium train av-digits --set train.optimizer=muon --dry-run
  sensorium train my-recipe.toml --data manifest.jsonl --on-error skip
  sensorium train spoken-digits --data recordings.csv --leave-out speaker")]
    Train(TrainArgs),
    /// Train a recipe with keys set to many values, and say which did best.
    #[command(after_help = "Examples:
  sensorium sweep av-digits --grid train.lr=1e-3,3e-3 --grid fusion.kind=concat,gated --out sweeps/fusion
  sensorium sweep my-recipe.toml --random train.lr=log:1e-4..1e-2 --random encoders.image.n_layers=1..4 --runs 12
  sensorium sweep av-digits --grid train.seed=1,2,3 --set train.epochs=5 --json

The same command again goes on where it was stopped; with more --runs it goes on further.")]
    Sweep(SweepArgs),
    /// Evaluate a trained model, as a whole and on each set of modalities.
    #[command(after_help = "Examples:
  sensorium eval runs/av-digits
  sensorium eval runs/av-digits --drop audio --drop text
  sensorium eval runs/av-digits --data other.csv --split all --json")]
    Eval(EvalArgs),
    /// Ask a trained model for an answer.
    #[command(after_help = "Examples:
  sensorium predict runs/av-digits --image digit.png
  sensorium predict runs/av-digits --image digit.png --audio seven.wav --text \"it is odd\" --top-k 3
  sensorium predict runs/my-run --input thermal=readings.csv")]
    Predict(PredictArgs),
    /// List runs: how far each is, and what it came to.
    #[command(after_help = "Examples:
  sensorium runs
  sensorium runs experiments --all --json")]
    Runs(RunsArgs),
    /// Turn texts, images and sounds into vectors with a published model, or one of your own.
    #[command(after_help = "Examples:
  sensorium embed --model sentence-transformers/all-MiniLM-L6-v2 --text \"a cat\" \"a dog\"
  sensorium embed --model openai/clip-vit-base-patch32 --image photos/*.jpg --text \"a rocket\"
  sensorium embed --model MIT/ast-finetuned-audioset-10-10-0.4593 --audio *.flac --out sounds.parquet
  sensorium embed --model runs/contrastive --image digit.png --audio three.wav --text \"a red three\"
  find photos -name '*.jpg' | sensorium embed --model my-clip --image - --out photos.parquet --on-error skip")]
    Embed(EmbedArgs),
    /// Classify images and sounds by labels in words, or images, sounds and texts by a model's own classes.
    #[command(after_help = "Examples:
  sensorium classify --model openai/clip-vit-base-patch32 --image cat.jpg --labels cat,dog,rocket
  sensorium classify --model google/siglip-base-patch16-224 --image *.jpg --labels \"a tabby,a siamese\" --json
  sensorium classify --model laion/clap-htsat-unfused --audio clip.wav --labels \"dog barking,rain\"
  sensorium classify --model google/vit-base-patch16-224 --image cat.jpg --top-k 5
  sensorium classify --model runs/contrastive --image digit.png --labels one,two,three
  sensorium classify --model MIT/ast-finetuned-audioset-10-10-0.4593 --audio street.mp3")]
    Classify(ClassifyArgs),
    /// Write down what is said in recordings, with a Whisper, or a wav2vec 2.0 or HuBERT of characters.
    #[command(after_help = "Examples:
  sensorium transcribe --model openai/whisper-tiny talk.mp3
  sensorium transcribe --model openai/whisper-small --language de --task translate interview.flac --json
  sensorium transcribe --model openai/whisper-small --beam 5 talks/*.wav --reference talks.csv --normalise english
  sensorium transcribe --model my-whisper --format srt --out subtitles videos/*.mp4 --on-error skip
  sensorium transcribe --model facebook/wav2vec2-base-960h --beam 16 --times talk.wav")]
    Transcribe(TranscribeArgs),
    /// Go on with texts, or answer what is said or asked about pictures, with a language model.
    #[command(after_help = "Examples:
  sensorium generate --model HuggingFaceTB/SmolLM2-135M --prompt \"Once upon a time\"
  sensorium generate --model HuggingFaceTB/SmolLM2-135M-Instruct --chat --prompt \"Why is the sky blue?\" --temperature 0.7
  sensorium generate --model my-llama --prompt \"one, two,\" \"red, green,\" --max-new-tokens 20 --json
  sensorium generate --model HuggingFaceTB/SmolVLM-256M-Instruct --chat --image photo.jpg --prompt \"What is this?\"
  cat prompts.txt | sensorium generate --model my-llama --prompt - --beam 4")]
    Generate(GenerateArgs),
    /// Talk with a language model, also about pictures.
    #[command(after_help = "Examples:
  sensorium chat --model HuggingFaceTB/SmolLM2-135M-Instruct
  sensorium chat --model HuggingFaceTB/SmolVLM-256M-Instruct --image photo.jpg
  sensorium chat --model my-llama --system \"Be brief.\" --temperature 0.7 --seed 3

/help says what can be done; Ctrl-C stops an answer, and Ctrl-D leaves.")]
    Chat(ChatArgs),
    /// Merge a LoRA adapter into the model that it was made for: a published one, or a run's.
    #[command(after_help = "Examples:
  sensorium merge --model runs/av-digits --adapter runs/lora/adapter --out runs/merged
  sensorium merge --model openai/clip-vit-base-patch32 --adapter my-adapter --out my-clip

An adapter is a folder as PEFT saves it, with adapter_config.json and adapter_model.safetensors.")]
    Merge(MergeArgs),
    /// Show what a checkpoint holds, which family it is, and what would not load.
    #[command(after_help = "Examples:
  sensorium inspect openai/clip-vit-base-patch32
  sensorium inspect my-model/
  sensorium inspect model.safetensors --json")]
    Inspect(InspectArgs),
    /// Make, check and convert data sets.
    #[command(subcommand)]
    Data(DataCommand),
    /// List backends, the devices found, and how to add what is missing.
    #[command(after_help = "Examples:
  sensorium devices
  sensorium devices --json")]
    Devices,
}

/// `sensorium train`
#[derive(Clone, Debug, Args)]
pub struct TrainArgs {
    /// A built-in recipe's name, or a TOML file.
    #[arg(default_value = "av-digits")]
    pub recipe: String,
    /// A manifest, a folder of one or of classes, or shards (.tar, .parquet) as a file, a folder or a pattern, instead of the
    /// recipe's data.
    #[arg(long, value_name = "MANIFEST|SHARDS|DIR")]
    pub data: Option<PathBuf>,
    /// Change a key of the recipe, such as train.epochs=3; KEY= takes a key or a table out, such as encoders.text=. May be
    /// given more than once.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Train once for each value of this column, on the rows of all others, and test on those of this one: a run each, in
    /// folders below that of --out.
    #[arg(long, value_name = "COLUMN", conflicts_with = "resume")]
    pub leave_out: Option<String>,
    /// The run's folder [default: runs/NAME, numbered if it exists].
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    pub out: Option<PathBuf>,
    /// Go on with a run that was stopped, by the recipe it was started with.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["recipe", "data", "set", "on_error"])]
    pub resume: Option<PathBuf>,
    /// Whether a bad row ends the run (fail) or is left out and listed (skip).
    #[arg(long, value_name = "fail|skip")]
    pub on_error: Option<OnErrorArg>,
    /// Only try it out: read the data, take two steps in memory, and say what would train, and what the run would take.
    #[arg(long, conflicts_with_all = ["resume", "leave_out", "out"])]
    pub dry_run: bool,
}

/// `--on-error`
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum OnErrorArg {
    /// A bad row ends the run.
    Fail,
    /// A bad row is left out and listed in the run's folder.
    Skip,
}

/// `sensorium runs`
#[derive(Clone, Debug, Args)]
pub struct RunsArgs {
    /// Where runs are looked for.
    #[arg(default_value = "runs", value_name = "DIR")]
    pub folder: PathBuf,
    /// Those too that stand inside of others: what was learned before, and what was trained beside.
    #[arg(long)]
    pub all: bool,
}

/// `sensorium eval`
#[derive(Clone, Debug, Args)]
pub struct EvalArgs {
    /// A run's folder.
    pub run: PathBuf,
    /// A manifest, a folder of one or of classes, or shards, instead of the data it was trained on.
    #[arg(long, value_name = "MANIFEST|SHARDS|DIR")]
    pub data: Option<PathBuf>,
    /// Which rows: train, valid, test or all [default: test, or all where --data names no split].
    #[arg(long, value_name = "SPLIT")]
    pub split: Option<SplitArg>,
    /// Leave a modality out everywhere; may be given more than once.
    #[arg(long, value_name = "MODALITY")]
    pub drop: Vec<String>,
    /// Whether a bad row ends the command (fail) or is left out and counted (skip).
    #[arg(long, value_name = "fail|skip")]
    pub on_error: Option<OnErrorArg>,
}

/// `--split`
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SplitArg {
    /// What it learned from.
    Train,
    /// What it was chosen by.
    Valid,
    /// What it has never seen.
    Test,
    /// Every row.
    All,
}

/// `sensorium predict`
#[derive(Clone, Debug, Args)]
pub struct PredictArgs {
    /// A run's folder.
    pub run: PathBuf,
    /// A picture.
    #[arg(long, value_name = "F")]
    pub image: Option<PathBuf>,
    /// A recording.
    #[arg(long, value_name = "F")]
    pub audio: Option<PathBuf>,
    /// A text.
    #[arg(long, value_name = "S")]
    pub text: Option<String>,
    /// Any other modality's file; may be given more than once.
    #[arg(long, value_name = "MODALITY=F")]
    pub input: Vec<String>,
    /// How many answers to print, best first.
    #[arg(long, default_value_t = 3, value_name = "K", value_parser = top_k)]
    pub top_k: usize,
}

/// How many inputs are worked on.
#[derive(Clone, Debug, Args)]
pub struct JobArgs {
    /// How many inputs the model takes at once.
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = batch)]
    pub batch: usize,
    /// Whether an input that cannot be read ends the command (fail) or is named and left out (skip).
    #[arg(long, default_value = "fail", value_name = "fail|skip")]
    pub on_error: OnErrorArg,
}

fn top_k(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(k @ 1..) => Ok(k),
        _ => Err("is not a number from 1".to_owned()),
    }
}

fn batch(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n @ 1..=4096) => Ok(n),
        _ => Err("is not 1 to 4096".to_owned()),
    }
}

fn beams(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n @ 1..=1024) => Ok(n),
        _ => Err("is not 1 to 1024".to_owned()),
    }
}

/// `sensorium embed`
#[derive(Clone, Debug, Args)]
pub struct EmbedArgs {
    /// A folder in the hub's layout, a hub's model (owner/name, or owner/name@revision), or the folder of a run.
    #[arg(long, value_name = "M")]
    pub model: String,
    /// Texts; `-` reads them from standard input, one a line.
    #[arg(long, value_name = "S", num_args = 1..)]
    pub text: Vec<String>,
    /// Pictures; `-` reads their paths from standard input, one a line.
    #[arg(long, value_name = "F", num_args = 1..)]
    pub image: Vec<String>,
    /// Recordings, or videos with a sound track; `-` reads their paths from standard input, one a line.
    #[arg(long, value_name = "F", num_args = 1..)]
    pub audio: Vec<String>,
    /// Leave vectors as long as the model makes them, instead of scaling them to length 1.
    #[arg(long)]
    pub raw: bool,
    /// Write a file, by its extension: .parquet, .jsonl, or .npy (an array without names).
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub jobs: JobArgs,
}

/// `sensorium classify`
#[derive(Clone, Debug, Args)]
pub struct ClassifyArgs {
    /// A folder in the hub's layout, a hub's model (owner/name, or owner/name@revision), or the folder of a run.
    #[arg(long, value_name = "M")]
    pub model: String,
    /// Pictures; `-` reads their paths from standard input, one a line.
    #[arg(long, value_name = "F", num_args = 1..)]
    pub image: Vec<String>,
    /// Recordings, or videos with a sound track; `-` reads their paths from standard input, one a line.
    #[arg(long, value_name = "F", num_args = 1..)]
    pub audio: Vec<String>,
    /// Texts, for a model that classifies texts; `-` reads them from standard input, one a line.
    #[arg(long, value_name = "S", num_args = 1..)]
    pub text: Vec<String>,
    /// Labels to choose from, with commas between; without them, the model's own classes.
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    pub labels: Vec<String>,
    /// What a label is put into, in the place of {} [default: a photo of a {}; for sounds, This is a sound of {}.; for a run, as its recipe
    /// has it].
    #[arg(long, value_name = "S")]
    pub template: Option<String>,
    /// How many labels to print, best first [default: all of --labels, or 5 of the model's own].
    #[arg(long, value_name = "K", value_parser = top_k)]
    pub top_k: Option<usize>,
    #[command(flatten)]
    pub jobs: JobArgs,
}

/// `sensorium transcribe`
#[derive(Clone, Debug, Args)]
pub struct TranscribeArgs {
    /// Recordings, or videos with a sound track; `-` reads their paths from standard input, one a line.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<String>,
    /// A folder in the hub's layout, or a hub's model: owner/name, or owner/name@revision.
    #[arg(long, value_name = "M")]
    pub model: String,
    /// The language that is spoken, such as en [default: heard out of each recording].
    #[arg(long, value_name = "L")]
    pub language: Option<String>,
    /// Write down what is said in its own language, or in English.
    #[arg(long, value_enum, default_value = "transcribe", value_name = "TASK")]
    pub task: TaskArg,
    /// How it is written: plain text, or subtitles with times.
    #[arg(long, value_enum, default_value = "txt", value_name = "FORMAT")]
    pub format: FormatArg,
    /// Put the times before each part of a plain text.
    #[arg(long)]
    pub times: bool,
    /// Write a file for each recording into this folder, instead of to standard output.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Read what was said before each half minute again: names stay the same, but so do mistakes.
    #[arg(long)]
    pub on_previous: bool,
    /// Follow so many texts side by side, and keep the likeliest [default: what a Whisper's files say, or 1].
    #[arg(long, value_name = "N", value_parser = beams)]
    pub beam: Option<usize>,
    /// Choose the likeliest words, or texts with --beam, and never try a half minute again at a higher temperature.
    #[arg(long)]
    pub greedy: bool,
    /// How many recordings are heard side by side, half a minute of each at a time.
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = batch)]
    pub batch: usize,
    /// Count the errors, beside a manifest's `text` of each `audio` or `file`, the files of a folder, `.txt` files beside the
    /// recordings, or one text.
    #[arg(long, value_name = "FILE|DIR|.txt")]
    pub reference: Option<PathBuf>,
    /// The form that both texts are brought into before errors are counted.
    #[arg(
        long,
        value_enum,
        default_value = "none",
        value_name = "none|basic|english",
        requires = "reference"
    )]
    pub normalise: NormaliseArg,
    /// Of what is drawn at higher temperatures.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Whether a recording that cannot be read ends the command (fail) or is named and left out (skip).
    #[arg(long, value_enum, default_value = "fail", value_name = "fail|skip")]
    pub on_error: OnErrorArg,
}

/// `--task`
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum TaskArg {
    /// In the language that is spoken.
    Transcribe,
    /// In English.
    Translate,
}

/// `--format`
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum FormatArg {
    /// Plain text.
    Txt,
    /// SubRip subtitles.
    Srt,
    /// Web subtitles.
    Vtt,
}

/// `--normalise`
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum NormaliseArg {
    /// As they are.
    None,
    /// Lower case, without punctuation: any language.
    Basic,
    /// Numbers, contractions and spelling in one form too: English.
    English,
}

/// `sensorium inspect`
#[derive(Clone, Debug, Args)]
pub struct InspectArgs {
    /// A safetensors file, a model's folder, or a hub's model.
    #[arg(value_name = "PATH|M")]
    pub model: String,
    /// List every tensor, instead of numbered ones together.
    #[arg(long)]
    pub all: bool,
}
